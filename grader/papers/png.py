"""Pixels to PNG. The bytes that a browser gets are made here, from plain numbers: nothing that came out of a sandbox is passed on.

A page has few colours, so each picture gets its own palette of 256 out of 4,096 (4 bits a channel): a page of text is 50-90 KB.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOURS = 256
EIGHT_BIT_PALETTE = (8, 3, 0, 0, 0)


def encode(pixels: np.ndarray) -> bytes:
    """A PNG of pixels (height, width, 3), uint8; raises `ValueError` for anything else."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ValueError(f"no pixels: {pixels.dtype}{pixels.shape}")
    height, width, _ = pixels.shape
    palette, indices = _palette(pixels)
    rows = np.zeros((height, width + 1), np.uint8)  # each row begins with its filter, which is none
    rows[:, 1:] = indices
    header = struct.pack("!2I5B", width, height, *EIGHT_BIT_PALETTE)
    parts = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(name, data) for name, data in parts)


def _palette(pixels: np.ndarray) -> tuple[bytes, np.ndarray]:
    """The most frequent colours, and each pixel's place among them; a rarer colour takes the nearest."""
    high = (pixels >> 4).astype(np.uint16)
    codes = high[:, :, 0] << 8 | high[:, :, 1] << 4 | high[:, :, 2]
    counts = np.bincount(codes.ravel(), minlength=4096)
    used = np.flatnonzero(counts)
    kept = used[np.argsort(-counts[used], kind="stable")[:COLOURS]]
    distance = np.square(_channels(used)[:, None, :] - _channels(kept)[None, :, :]).sum(axis=2)
    place = np.zeros(4096, np.uint8)
    place[used] = distance.argmin(axis=1)
    return (_channels(kept) * 17).astype(np.uint8).tobytes(), place[codes]


def _channels(codes: np.ndarray) -> np.ndarray:
    return np.stack([codes >> 8, codes >> 4 & 15, codes & 15], axis=1).astype(np.int32)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack("!I", len(data)) + name + data + struct.pack("!I", zlib.crc32(name + data))
