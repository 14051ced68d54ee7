"""Files that can be read without trust: plain arrays, a digest of every byte, and a manifest that is written last.

Idea      A file that is there is whole: it is written under another name, flushed, and renamed. A checkpoint that has its manifest
          is whole: the manifest comes after all files and knows their digests. Nothing that is read can run.
Equation  valid = sha256(manifest's body) as it says ∧ for each file sha256(bytes) as the manifest says
Paper     T. Pillai et al., "All file systems are not created equal", OSDI 2014 (write, flush, rename); the arrays are in numpy's own
          format (NEP 1), read with allow_pickle=False.
Cost      Each byte is read twice at loading: for its digest and for its value.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

MANIFEST = "manifest.json"
# numpy reads an array's header as Python's syntax, and CPython 3.11 counts the depth of that for all threads together (gh-106905)
ONE_HEADER = threading.Lock()


class CheckpointError(Exception):
    """A checkpoint that cannot be loaded or written, and why."""


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Lets `write` fill a file beside `path`, and puts it in its place once it is on the disk."""
    beside = path.with_name(path.name + ".part")
    with beside.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_arrays(path: Path, tensors: list[Tensor]) -> None:
    """Writes tensors as one archive of .npy arrays, which are found again by their place in the list."""
    arrays = {str(place): _numbers(tensor) for place, tensor in enumerate(tensors)}
    write_atomically(path, lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]


def _numbers(tensor: Tensor) -> np.ndarray[Any, np.dtype[Any]]:
    held = tensor.detach().cpu().contiguous()
    # numpy has no bfloat16: its bits are kept as integers, and the manifest knows the type
    numbers: np.ndarray[Any, np.dtype[Any]]
    numbers = (held.view(torch.int16) if held.dtype == torch.bfloat16 else held).numpy()
    return numbers


def write_manifest(folder: Path, body: Mapping[str, Any]) -> None:
    """Writes the manifest with a digest of its own; the checkpoint is complete from here on."""
    text = json.dumps(body, sort_keys=True)
    whole = json.dumps({"sha256": hashlib.sha256(text.encode()).hexdigest(), "body": body}, sort_keys=True, indent=1)
    write_atomically(folder / MANIFEST, lambda file: file.write(whole.encode()))


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest's body; raises CheckpointError where there is none, or not the one that was written."""
    path = folder / MANIFEST
    if not path.is_file():
        raise CheckpointError(
            f"{folder.name} has no {MANIFEST}: the checkpoint was never finished. Load the one before it."
        )
    try:
        whole = json.loads(path.read_bytes())
        body, said = whole["body"], whole["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{MANIFEST} of {folder.name} cannot be read: {error}. Load another checkpoint."
        ) from error
    if not isinstance(body, dict) or hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest() != said:
        raise CheckpointError(f"{MANIFEST} of {folder.name} was changed after it was written. Load another checkpoint.")
    return body


class Archive:
    """A rank's file, checked against its digest when it is opened."""

    def __init__(self, folder: Path, name: str, sha256: str) -> None:
        path = folder / name
        if Path(name).name != name:
            raise CheckpointError(f"The manifest of {folder.name} names {name!r}, which is not in its folder.")
        if not path.is_file():
            raise CheckpointError(f"{name} of {folder.name} is missing. Copy it back, or load another checkpoint.")
        if digest(path) != sha256:
            raise CheckpointError(
                f"{name} of {folder.name} is not what was saved: it is cut short or changed. Load another checkpoint."
            )
        try:
            self.arrays = np.load(path, allow_pickle=False)
        except (ValueError, OSError, BadZipFile) as error:
            raise CheckpointError(f"{name} of {folder.name} is no archive of arrays: {error}.") from error

    def read(self, place: int, dtype: torch.dtype) -> Tensor:
        """The tensor at a place of the list that was written."""
        try:
            with ONE_HEADER:
                held = torch.from_numpy(self.arrays[str(place)])
        except (KeyError, ValueError, TypeError, BadZipFile) as error:
            raise CheckpointError(f"Array {place} of a checkpoint's file cannot be read: {error}.") from error
        return held.view(torch.bfloat16) if dtype == torch.bfloat16 else held
