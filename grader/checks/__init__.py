"""What a lab's checks are written with: pytest markers, the `student` fixture, comparisons and measurements.

This package needs numpy and pytest only and goes into every student release, so that the same check files run in plain pytest on a
student's machine (where `student` calls in-process) and in the judge (where it calls into a sandbox).
"""
