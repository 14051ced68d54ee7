"""Files: an index comes back as it was, and what is damaged, foreign or forged is told in a sentence and never searched."""

from __future__ import annotations

import json
import pickle
import zipfile

import numpy as np
import pytest

from mlsys_core.retrieval import IndexFileError, IndexFlatL2, files, read_index, write_index
from tests.mlsys_core.retrieval.draws import KINDS, clustered, filled, made


@pytest.mark.parametrize("kind", KINDS)
def test_an_index_comes_back_as_it_was_and_goes_on_as_it_would_have(kind, tmp_path):
    x, q, path = clustered(400, 6, 0), clustered(20, 6, 1), tmp_path / "vectors.index"
    index = filled(kind, x)
    write_index(index, path)
    again = read_index(path)
    assert type(again) is type(index)
    assert (again.parameters(), again.nbytes, again.ntotal) == (index.parameters(), index.nbytes, 400)
    np.testing.assert_array_equal(again.search(q, 5), index.search(q, 5))
    assert again.ndis == index.ndis
    more = clustered(70, 6, 2)
    index.add(more)
    again.add(more)
    np.testing.assert_array_equal(again.search(q, 9), index.search(q, 9))
    np.testing.assert_array_equal(again.reconstruct_batch(np.arange(470)), index.reconstruct_batch(np.arange(470)))


@pytest.mark.parametrize("kind", KINDS)
def test_an_index_without_vectors_comes_back_too(kind, tmp_path):
    index = made(kind, 4)
    write_index(index, tmp_path / "empty")
    again = read_index(tmp_path / "empty")
    assert (again.ntotal, again.is_trained) == (0, index.is_trained)
    for one in (index, again):
        one.train(clustered(90, 4, 0))
        one.add(clustered(90, 4, 0))
    np.testing.assert_array_equal(again.search(np.ones((2, 4)), 3), index.search(np.ones((2, 4)), 3))


def test_writing_replaces_the_whole_file_and_leaves_nothing_beside_it(tmp_path):
    path = tmp_path / "index"
    for n in (300, 5):
        write_index(filled("IndexFlatL2", clustered(n, 3, 0)), path)
        assert read_index(str(path)).ntotal == n
    assert [one.name for one in tmp_path.iterdir()] == ["index"]


def test_no_byte_can_change_unseen(tmp_path):
    """Each changed byte is told, or does not change what is read (a date of the archive, say)."""
    path = tmp_path / "index"
    index = filled("IndexHNSWFlat", clustered(12, 2, 0))
    write_index(index, path)
    whole, told = path.read_bytes(), []
    rng = np.random.default_rng(0)
    for at in rng.choice(len(whole), 600, replace=False):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ int(rng.integers(1, 256))]) + whole[at + 1 :])
        try:
            again = read_index(path)
        except IndexFileError as error:
            told.append(str(error))
        else:
            assert again.parameters() == index.parameters()
            for name, array in index.arrays().items():
                np.testing.assert_array_equal(again.arrays()[name], array)
    assert len(told) > 300
    assert all(one.endswith(("or build the index anew.", "give a file of write_index.")) for one in told)


@pytest.mark.parametrize("keep", [0, 1, 100, 0.5, 0.99])
def test_a_file_that_was_cut_short_is_told(keep, tmp_path):
    path = tmp_path / "index"
    write_index(filled("IndexPQ", clustered(99, 4, 0)), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if isinstance(keep, float) else keep])
    with pytest.raises(
        IndexFileError, match=r"index cannot be read as an index: .* Copy the file again, or build the index anew\."
    ):
        read_index(path)


def test_what_is_not_there_or_another_thing_is_told(tmp_path):
    with pytest.raises(IndexFileError, match="nowhere is not there: look at the path"):
        read_index(tmp_path / "nowhere")
    path = tmp_path / "other"
    with path.open("wb") as file:
        np.savez(file, vectors=np.ones((2, 2)))
    with pytest.raises(IndexFileError, match="other is an archive without a header"):
        read_index(path)
    for other in (b"GIF89a", pickle.dumps({"a": 1})):
        path.write_bytes(other)
        with pytest.raises(IndexFileError, match="cannot be read as an index"):
            read_index(path)
    with path.open("wb") as file:
        np.save(file, np.ones(3))
    with pytest.raises(IndexFileError, match="cannot be read as an index"):
        read_index(path)


def test_nothing_in_a_file_can_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("a file ran code",))

    path = tmp_path / "trap"
    with path.open("wb") as file:
        np.savez(file, header=np.array([Trap()], dtype=object))
    with pytest.raises(IndexFileError, match="cannot be read as an index"):
        read_index(path)


def forge(path, change) -> None:
    """Rewrites a file with changed contents and digests that fit: what a clumsy program, or a malicious one, might write."""
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name].copy() for name in archive.files}
    body = json.loads(arrays.pop("header").tobytes())["body"]
    change(body, arrays)
    body["arrays"] = {name: [a.dtype.str, list(a.shape), files._digest(a)] for name, a in arrays.items()}
    header = json.dumps({"sha256": files._body_digest(body), "body": body}).encode()
    with path.open("wb") as file:
        np.savez(file, header=np.frombuffer(header, np.uint8), **arrays)


def put(name, at, value):
    def change(body, arrays) -> None:
        arrays[name][at] = value

    return change


def parameter(name, value):
    def change(body, arrays) -> None:
        body["index"]["parameters"][name] = value

    return change


def described(**values):
    def change(body, arrays) -> None:
        body["index"].update(values)

    return change


def nothing(body, arrays) -> None:
    """The file as it was, written by `forge`."""


def newer(body, arrays) -> None:
    body["version"] = 2


def drop(name):
    def change(body, arrays) -> None:
        del arrays[name]

    return change


def retype(name, dtype):
    def change(body, arrays) -> None:
        arrays[name] = arrays[name].astype(dtype)

    return change


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        ("IndexFlatL2", retype("vectors", np.float64), "its vectors is float64"),
        ("IndexFlatL2", drop("vectors"), "it has no array 'vectors'"),
        ("IndexFlatL2", parameter("d", 5), "its vectors is float32"),
        ("IndexFlatL2", parameter("d", "4"), "its d is '4', where a whole number belongs"),
        ("IndexFlatL2", put("vectors", (3, 1), np.nan), "NaN, infinite"),
        ("IndexIVFFlat", put("offsets", 3, 10_000), "do not hold each vector once"),
        ("IndexIVFFlat", put("offsets", -1, 99), "do not hold each vector once"),
        ("IndexIVFFlat", put("ids", 0, -7), "do not hold each vector once"),
        ("IndexIVFFlat", put("ids", slice(0, 2), 4), "do not hold each vector once"),
        ("IndexIVFFlat", parameter("nlist", 8), "its offsets is int64"),
        ("IndexIVFFlat", parameter("nprobe", None), "its nprobe is None"),
        ("IndexIVFFlat", described(parts={}), "it has no quantizer"),
        ("IndexPQ", put("codes", (0, 0), 32), "its codes reach 32, and there are 32 centroids"),
        ("IndexPQ", parameter("M", 3), "M has to divide d"),
        ("IndexPQ", retype("codes", np.int64), "its codes is int64"),
        ("IndexIVFPQ", put("rows", (5, 1), 200), "its codes reach 200"),
        ("IndexHNSWFlat", put("ground", (0, 0), 100), "links lead to nodes that are not in their layer"),
        ("IndexHNSWFlat", put("ground", (0, 0), -2), "links lead to nodes that are not in their layer"),
        ("IndexHNSWFlat", put("upper", (0, 0), 0), "links lead to nodes that are not in their layer"),
        ("IndexHNSWFlat", put("above", 50, 10**6), "rows of links do not fit its levels"),
        ("IndexHNSWFlat", put("levels", 0, 1000), "rows of links do not fit its levels"),
        ("IndexHNSWFlat", parameter("entry", 0), "its entry point 0 is not at the top"),
        ("IndexHNSWFlat", parameter("entry", -1), "its entry point -1 is not at the top"),
        ("IndexHNSWFlat", parameter("M", 6), "its ground is int32"),
        ("IndexHNSWFlat", retype("ground", np.int64), "its ground is int64"),
        (
            "IndexHNSWFlat",
            described(kind="os.system"),
            "a kind 'os.system' is not known",
        ),
        ("IndexHNSWFlat", described(parameters=None), "holds no index"),
    ],
)
def test_what_does_not_fit_together_is_told_though_its_digests_are_right(kind, change, said, tmp_path):
    path = tmp_path / "index"
    index = filled(kind, clustered(100, 4, 0))
    if kind == "IndexHNSWFlat":
        assert index.hnsw.levels[0] == 0 < len(index.hnsw.upper), "so that node 0 is in no upper layer"
    write_index(index, path)
    forge(path, nothing)
    assert read_index(path).ntotal == 100
    forge(path, change)
    with pytest.raises(IndexFileError, match=f"index holds no index that could be searched: .*{said}|{said}"):
        read_index(path)


def test_a_header_that_was_edited_is_told(tmp_path):
    path = tmp_path / "index"
    write_index(filled("IndexIVFFlat", clustered(50, 3, 0)), path)
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    edited = arrays["header"].tobytes().replace(b'"nprobe": 3', b'"nprobe": 4')
    assert edited != arrays["header"].tobytes()
    with path.open("wb") as file:
        np.savez(file, **{**arrays, "header": np.frombuffer(edited, np.uint8)})
    with pytest.raises(IndexFileError, match="The header of index was changed after it was written"):
        read_index(path)


def test_another_version_is_told_apart_from_damage(tmp_path):
    path = tmp_path / "index"
    write_index(IndexFlatL2(3), path)
    forge(path, newer)
    with pytest.raises(
        IndexFileError, match=r"version 2, and this library reads mlsys_core.retrieval, version 1: use the library"
    ):
        read_index(path)


def test_an_array_more_or_less_is_told(tmp_path):
    path = tmp_path / "index"
    write_index(filled("IndexFlatL2", clustered(9, 3, 0)), path)
    with zipfile.ZipFile(path, "a") as archive, archive.open("extra.npy", "w") as file:
        np.lib.format.write_array(file, np.ones(3))
    with pytest.raises(IndexFileError, match="The array extra of index is not what was saved"):
        read_index(path)
    with path.open("wb") as file:
        np.savez(file, header=np.frombuffer(b"{}", np.uint8))
    with pytest.raises(IndexFileError, match="The header of index cannot be read"):
        read_index(path)
