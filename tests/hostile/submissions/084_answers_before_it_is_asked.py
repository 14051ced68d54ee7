# threat: E84, E86
# verdict: failed | tampered
# check: follows
# Answers that lie ready in the pipe take no time; what is in them was guessed.
import json
import os
import stat
import struct

head = json.dumps({"message": {"ok": True, "value": 1}, "tensors": []}).encode()
honest = follow
calls = []


def follow(start, steps):
    calls.append(start)
    for descriptor in range(3, 256 if len(calls) == 1 else 3):
        try:
            if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                os.write(descriptor, (struct.pack("!4sIQ", b"GLF1", len(head), 0) + head) * 20)
        except OSError:
            continue
    return honest(start, steps)
