"""What crosses the wall: frames of a JSON header and raw tensor bytes. Never pickle; every length is checked before it is believed.

frame = magic · header length · body length · header (JSON, UTF-8) · body (the tensors' bytes, one after the other)

A value is None, bool, int, float, str, list, dict with string keys, or an array; in the header an array is {"$tensor": i} and its
dtype and shape stand in header["tensors"][i]. Each has one place in the value, which so holds no more than came.
Cost: one copy of each array on either side.
"""

from __future__ import annotations

import json
import math
import struct
from typing import Any

import numpy as np

MAGIC = b"GLF1"
PREFIX = struct.Struct("!4sIQ")
MAX_HEADER = 1 << 20
MAX_BODY = 64 << 20
MAX_DEPTH = 32
DTYPES = frozenset(
    [
        "bool",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "float16",
        "float32",
        "float64",
        "complex64",
        "complex128",
    ]
)


class WireError(ValueError):
    """Bytes that are not a frame, or a value that cannot cross."""


def end_of_prints(request_id: object) -> bytes:
    """What stands after the prints of a request, on the stream of prints."""
    return f"\0end {request_id}\0".encode()


def pack(message: dict[str, Any]) -> bytes:
    """One frame. Raises `WireError` for a value that is no plain data."""
    tensors: list[np.ndarray] = []
    header = {"message": _lower(message, tensors, 0), "tensors": [_describe(t) for t in tensors]}
    head = json.dumps(header, allow_nan=True, separators=(",", ":")).encode("utf-8", "surrogatepass")
    body = b"".join(t.tobytes() for t in tensors)
    if len(head) > MAX_HEADER or len(body) > MAX_BODY:
        raise WireError(
            f"returned {len(head) + len(body):,} bytes; at most {MAX_BODY >> 20} MB of arrays and {MAX_HEADER >> 20} MB of text can be"
        )
    return PREFIX.pack(MAGIC, len(head), len(body)) + head + body


def prefix_lengths(prefix: bytes) -> tuple[int, int]:
    """Header and body lengths of a frame; raises `WireError` when they are not plausible."""
    magic, head, body = PREFIX.unpack(prefix)
    if magic != MAGIC or head > MAX_HEADER or body > MAX_BODY:
        raise WireError("not a frame, or a frame above the size limit")
    return head, body


def unpack(head: bytes, body: bytes) -> dict[str, Any]:
    """The message of a frame. Everything in it is data; raises `WireError` for anything malformed."""
    try:
        header = json.loads(head.decode("utf-8", "surrogatepass"))
        tensors = _tensors(header["tensors"], body)
        message = _raise(header["message"], dict(enumerate(tensors)), 0)
    except (LookupError, TypeError, ValueError, RecursionError, OverflowError) as error:
        raise WireError(f"malformed frame: {type(error).__name__}") from error
    if not isinstance(message, dict):
        raise WireError("malformed frame: not an object")
    return message


def _lower(value: Any, tensors: list[np.ndarray], depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise WireError("the value is nested too deeply")
    if value is None or isinstance(value, (bool, str)):
        return value
    if type(value) in (int, float):
        return value
    if isinstance(value, np.generic):
        return _tensor(np.asarray(value), tensors)
    if type(value) is np.ndarray:
        return _tensor(value, tensors)
    if isinstance(value, (list, tuple)):
        return [_lower(item, tensors, depth + 1) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _lower(item, tensors, depth + 1) for key, item in value.items()}
    raise WireError(f"returned a {type(value).__name__}, expected arrays, numbers or text")


def _tensor(array: np.ndarray, tensors: list[np.ndarray]) -> dict[str, int]:
    if array.dtype.name not in DTYPES:
        raise WireError(f"returned an array of dtype {array.dtype}, expected numbers")
    tensors.append(array)
    return {"$tensor": len(tensors) - 1}


def _describe(array: np.ndarray) -> dict[str, Any]:
    return {"dtype": array.dtype.name, "shape": list(array.shape)}


def _tensors(described: Any, body: bytes) -> list[np.ndarray]:
    arrays, offset = [], 0
    for one in described:
        dtype, shape = one["dtype"], one["shape"]
        if dtype not in DTYPES or not all(type(n) is int and n >= 0 for n in shape) or len(shape) > MAX_DEPTH:
            raise WireError("malformed tensor")
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if offset + size > len(body):
            raise WireError("a tensor is longer than its bytes")
        arrays.append(np.frombuffer(body, dtype, math.prod(shape), offset).reshape(shape).copy())
        offset += size
    if offset != len(body):
        raise WireError("bytes without a tensor")
    return arrays


def _raise(value: Any, tensors: dict[int, np.ndarray], depth: int) -> Any:
    """The value with its arrays, each of which is taken out of `tensors`: none is there for a second place."""
    if depth > MAX_DEPTH:
        raise WireError("nested too deeply")
    if isinstance(value, list):
        return [_raise(item, tensors, depth + 1) for item in value]
    if isinstance(value, dict):
        if set(value) == {"$tensor"}:
            return tensors.pop(value["$tensor"])
        return {key: _raise(item, tensors, depth + 1) for key, item in value.items()}
    return value
