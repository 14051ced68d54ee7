# threat: B51
# verdict: passed
# In the folder that the process is in; the second task's process begins with imports again.
import os
import subprocess
import sys

NAMES = ("numpy", "json", "inside", "sitecustomize", "usercustomize", "wire", "struct")


def add(a, b):
    for name in NAMES:
        with open(f"{name}.py", "w") as file:
            file.write("print('CAME THROUGH: imported me')")
    done = subprocess.run([sys.executable, "-I", "-S", "-c", "import json, struct"], capture_output=True, text=True)
    print(done.stdout, sys.path)
    if "" in sys.path or os.getcwd() in sys.path:
        print("CAME THROUGH: the folder is searched")
    return a + b
