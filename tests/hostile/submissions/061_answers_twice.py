# threat: D61
# verdict: tampered
# check: adds | weighs
# A well-formed answer too many: the judge would take it for the answer to its next question.
import json
import os
import stat
import struct


def add(a, b):
    head = json.dumps({"message": {"ok": True, "value": 0}, "tensors": []}).encode()
    answer = {"sum": a + b, "a": a, "b": b}
    tensors = [{"dtype": "float64", "shape": list(x.shape)} for x in answer.values()]
    message = {"ok": True, "value": {name: {"$tensor": i} for i, name in enumerate(answer)}}
    real, body = (
        json.dumps({"message": message, "tensors": tensors}).encode(),
        b"".join(x.tobytes() for x in answer.values()),
    )
    for descriptor in range(3, 256):
        try:
            if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                os.write(descriptor, struct.pack("!4sIQ", b"GLF1", len(real), len(body)) + real + body)
                os.write(descriptor, struct.pack("!4sIQ", b"GLF1", len(head), 0) + head)
        except OSError:
            continue
    return a + b
