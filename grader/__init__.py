"""The grader: runs a lab's checks against student code and scores them, without Django and without Celery."""
