# threat: D58, D59
# verdict: error
# message: exited with status 0
# score: 0
import os

os._exit(0)
