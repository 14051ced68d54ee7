"""Frames: values come back as they went, and malformed bytes are refused without harm."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from grader.inside import wire

SCALARS = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(max_size=20)
ARRAYS = hnp.arrays(
    st.sampled_from(["float64", "float32", "int64", "bool", "complex64"]),
    hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
)
VALUES = st.recursive(
    SCALARS | ARRAYS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5).filter(lambda k: k != "$tensor"), inner, max_size=3)
    ),
    max_leaves=8,
)


def roundtrip(message):
    frame = wire.pack(message)
    head, body = wire.prefix_lengths(frame[: wire.PREFIX.size])
    rest = frame[wire.PREFIX.size :]
    assert len(rest) == head + body
    return wire.unpack(rest[:head], rest[head:])


def same(a, b) -> bool:
    if isinstance(a, np.ndarray):
        return (
            isinstance(b, np.ndarray)
            and a.dtype == b.dtype
            and a.shape == b.shape
            and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
        )
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and set(a) == set(b) and all(same(a[key], b[key]) for key in a)
    return type(a) is type(b) and a == b


@given(VALUES)
def test_values_come_back_as_they_went(value):
    assert same({"value": value}, roundtrip({"value": value}))


def test_strided_arrays_come_back_in_order():
    array = np.arange(24.0).reshape(4, 6)[::2, ::-3]
    assert np.array_equal(roundtrip({"a": array})["a"], array)


class Subclass(np.ndarray):
    """Would carry its own comparison."""


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, np.array([object()]), np.zeros(2).view(Subclass), {1: 2}, np.array(["text"]), lambda: 1]
)
def test_what_is_no_plain_data_cannot_cross(value):
    with pytest.raises(wire.WireError):
        wire.pack({"value": value})


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"nothing",
        b"[]",
        b'{"message": {}}',
        b'{"message": 1, "tensors": []}',
        b'{"message": {"a": {"$tensor": 5}}, "tensors": []}',
        b'{"message": {}, "tensors": [{"dtype": "object", "shape": [1]}]}',
        b'{"message": {}, "tensors": [{"dtype": "float64", "shape": [1]}]}',
        b'{"message": {}, "tensors": [{"dtype": "float64", "shape": [-1]}]}',
        b'{"message": {}, "tensors": [{"dtype": "float64", "shape": [4611686018427387904, 8]}]}',
        json.dumps({"message": {"a": eval("[" * 60 + "]" * 60)}, "tensors": []}).encode(),
        b'{"message": {"a": ' + b"[" * 100_000 + b'}, "tensors": []}',
    ],
)
def test_malformed_frames_are_refused(header):
    with pytest.raises(wire.WireError):
        wire.unpack(header, b"")


def test_an_array_has_one_place_in_a_value():
    """Else 60 MB that came once could stand in a list a thousand times, for whoever makes one array of it."""
    tensors = b'"tensors": [{"dtype": "uint8", "shape": [4]}]}'
    assert wire.unpack(b'{"message": {"a": [{"$tensor": 0}]}, ' + tensors, b"four")["a"][0].tobytes() == b"four"
    with pytest.raises(wire.WireError):
        wire.unpack(b'{"message": {"a": [{"$tensor": 0}, {"$tensor": 0}]}, ' + tensors, b"four")


def test_lengths_are_checked_before_they_are_believed():
    with pytest.raises(wire.WireError):
        wire.prefix_lengths(wire.PREFIX.pack(b"GLF1", 10, 1 << 60))
    with pytest.raises(wire.WireError):
        wire.prefix_lengths(wire.PREFIX.pack(b"XXXX", 10, 10))
