"""The trusted side: runs a lab's checks, talks to sandboxes, compares and scores. No student code runs here."""
