# threat: B33
# verdict: passed
# The cells run once for each task: what the first sandbox left would be there for the second.
import os

for place in ("/tmp", "/dev/shm", "/var/tmp", "/dev/mqueue"):
    if os.path.isdir(place) and os.access(place, os.R_OK):
        for name in os.listdir(place):
            print("CAME THROUGH: found", place, name)
    try:
        open(f"{place}/hostile-left", "w").close()
    except OSError:
        continue
