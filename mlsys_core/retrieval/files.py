"""Indices in files: plain arrays and a header that says what they are, with the digest of each.

Idea      A file holds numbers and no code: an archive of numpy arrays, of which one is a text that names the kind of the index, its
          settings, and for each array its type, shape and SHA-256. Loading believes nothing before it has looked: digests first, then
          whether the parts fit, since a link that leads out of a graph would let the search read foreign memory.
Equation  header = {sha256(body), body};   body = {format, version, index, arrays: {name: (dtype, shape, sha256)}}
Paper     NEP 1, the format of .npy files, read with allow_pickle=False; CVE-2019-6446 is why.
Cost      A pass over all bytes at saving, three at loading.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np

from mlsys_core.retrieval.flat import IndexFlatIP, IndexFlatL2
from mlsys_core.retrieval.hnsw import IndexHNSWFlat
from mlsys_core.retrieval.index import Array, Index, Stored
from mlsys_core.retrieval.ivf import IndexIVFFlat
from mlsys_core.retrieval.ivfpq import IndexIVFPQ
from mlsys_core.retrieval.pq import IndexPQ

FORMAT, VERSION = "mlsys_core.retrieval", 1
HEADER = "header"
# what numpy and zipfile raise for bytes that are no archive of arrays, or one with damage
UNREADABLE = (OSError, ValueError, EOFError, BadZipFile, KeyError, RuntimeError, struct.error, zlib.error)
AGAIN = "Copy the file again, or build the index anew."
KINDS: dict[str, type[Index]] = {
    kind.__name__: kind for kind in (IndexFlatL2, IndexFlatIP, IndexIVFFlat, IndexPQ, IndexIVFPQ, IndexHNSWFlat)
}


class IndexFileError(Exception):
    """A file that is no whole index, and why."""


def write_index(index: Index, path: str | os.PathLike[str]) -> None:
    """Writes an index to a file, which is there whole or not at all."""
    arrays = _all_arrays(index)
    body = {
        "format": FORMAT,
        "version": VERSION,
        "index": _described(index),
        "arrays": {name: [array.dtype.str, list(array.shape), _digest(array)] for name, array in arrays.items()},
    }
    header = json.dumps({"sha256": _body_digest(body), "body": body}, default=int).encode()
    target = Path(path)
    beside = target.with_name(target.name + ".part")
    with beside.open("wb") as file:
        np.savez(file, **{HEADER: np.frombuffer(header, np.uint8)}, **arrays)  # type: ignore[arg-type]
        file.flush()
        os.fsync(file.fileno())
    beside.replace(target)


def read_index(path: str | os.PathLike[str]) -> Index:
    """The index of a file. Raises IndexFileError, with what is wrong, for any other file."""
    name = Path(path).name
    try:
        arrays = _read(Path(path))
    except FileNotFoundError:
        raise IndexFileError(f"{name} is not there: look at the path, or write the index first.") from None
    except UNREADABLE as error:
        raise IndexFileError(f"{name} cannot be read as an index: {error}. {AGAIN}") from error
    body = _body(name, arrays.pop(HEADER, None))
    said = body["arrays"]
    for member in sorted({*said, *arrays}):
        array = arrays.get(member)
        if array is None or said.get(member) != [array.dtype.str, list(array.shape), _digest(array)]:
            raise IndexFileError(f"The array {member} of {name} is not what was saved. {AGAIN}")
    try:
        return _restored(body["index"], arrays, "")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IndexFileError(f"{name} holds no index that could be searched: {error}. {AGAIN}") from error


def _read(path: Path) -> dict[str, Array]:
    """All arrays of an archive, parsed only after the check sums of its members are right."""
    with ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise BadZipFile(f"its part {damaged} is damaged")
    with np.load(path, allow_pickle=False) as arrays:
        return {member: arrays[member] for member in arrays.files}


def _body(name: str, header: Array | None) -> dict[str, Any]:
    """What the header says. Raises IndexFileError where it is missing, changed, or of another version."""
    if header is None:
        raise IndexFileError(
            f"{name} is an archive without a header, so it is not an index: give a file of write_index."
        )
    try:
        whole = json.loads(header.tobytes())
        said, body = whole["sha256"], whole["body"]
        untouched, written_as = said == _body_digest(body), (body["format"], body["version"])
    except (ValueError, KeyError, TypeError) as error:
        raise IndexFileError(f"The header of {name} cannot be read: {error}. {AGAIN}") from error
    if not untouched:
        raise IndexFileError(f"The header of {name} was changed after it was written. {AGAIN}")
    if written_as != (FORMAT, VERSION):
        raise IndexFileError(
            f"{name} has the format {written_as[0]}, version {written_as[1]}, and this library reads {FORMAT}, version {VERSION}: "
            "use the library that wrote it, or build the index anew."
        )
    return {"index": body.get("index"), "arrays": body.get("arrays", {})}


def _described(index: Index) -> dict[str, Any]:
    parts = {name: _described(part) for name, part in index.parts().items()}
    return {"kind": type(index).__name__, "parameters": index.parameters(), "parts": parts}


def _all_arrays(index: Index) -> dict[str, Array]:
    """Arrays of an index and of those within it; a part's names begin with its own."""
    arrays = {name: np.ascontiguousarray(array) for name, array in index.arrays().items()}
    for part_name, part in index.parts().items():
        arrays |= {f"{part_name}.{name}": array for name, array in _all_arrays(part).items()}
    return arrays


def _restored(described: dict[str, Any], arrays: dict[str, Array], prefix: str) -> Index:
    kind = KINDS.get(described["kind"])
    if kind is None:
        raise ValueError(f"a kind {described['kind']!r} is not known")
    parts = {name: _restored(part, arrays, f"{prefix}{name}.") for name, part in described["parts"].items()}
    own = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
    restored: Index = kind.restored(Stored(described["parameters"], own, parts))
    return restored


def _digest(array: Array) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data).hexdigest()


def _body_digest(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, default=int).encode()).hexdigest()
