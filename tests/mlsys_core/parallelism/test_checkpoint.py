"""Checkpoints that are saved at one layout and loaded at another, bit for bit, and those that were damaged in between."""

from __future__ import annotations

import json
import pickle
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsys_core.parallelism.checkpoint import CheckpointError, Layout, RankState, load, save, split, split_axis
from mlsys_core.parallelism.checkpoint.files import digest, read_manifest, write_atomically, write_manifest
from mlsys_core.parallelism.checkpoint.reshape import finish, write_part
from mlsys_core.parallelism.communication import run_ranks
from mlsys_core.workloads.gpt import GPT, GPTConfig
from tests.mlsys_core.parallelism.device_mesh import torch_shard
from tests.mlsys_core.parallelism.training import TINY

LAYOUTS = (
    st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5))
    .filter(lambda sizes: sizes[0] * sizes[1] * sizes[2] <= 8)
    .map(lambda sizes: Layout(*sizes))
)
CONFIGS = st.builds(
    lambda vocab, heads, ffn, layers, tied: GPTConfig(
        vocab_size=vocab, dim=4 * heads, layers=layers, heads=heads, kv_heads=1, ffn=ffn, tie_embeddings=tied
    ),
    st.integers(5, 11),
    st.integers(1, 3),
    st.integers(3, 9),
    st.integers(1, 4),
    st.booleans(),
)


def whole(config, seed=0):
    """Weights and moments of a model, all different and none zero."""
    draws = torch.Generator().manual_seed(seed)
    weights = {n: torch.randn(p.shape, generator=draws) for n, p in GPT(config).named_parameters()}
    states = {
        kind: {n: torch.randn(w.shape, generator=draws) for n, w in weights.items()}
        for kind in ("exp_avg", "exp_avg_sq")
    }
    return weights, states


def shapes_of(weights):
    return {name: tuple(weight.shape) for name, weight in weights.items()}


def write(folder, weights, states, layout, step=7):
    """What the ranks of a layout write, one after the other."""
    shapes = shapes_of(weights)
    parts = [
        write_part(folder, split(weights, states, step, layout, rank), shapes, layout, rank)
        for rank in range(layout.mesh.size)
    ]
    finish(folder, parts, shapes, layout)


def same(a: RankState, b: RankState) -> bool:
    """Every bit."""
    return (
        list(a.weights) == list(b.weights)
        and all(torch.equal(a.weights[name], b.weights[name]) for name in a.weights)
        and all(torch.equal(a.states[kind], b.states[kind]) for kind in a.states | b.states)
        and a.step == b.step
    )


@given(CONFIGS, LAYOUTS, LAYOUTS, st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_a_checkpoint_of_any_layout_loads_at_any_other_bit_for_bit(config, before, after, seed):
    weights, states = whole(config, seed)
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), weights, states, before)
        for rank in range(after.mesh.size):
            assert same(load(Path(name), after, rank), split(weights, states, 7, after, rank))
        one = load(Path(name), Layout(), 0)
    for key, weight in weights.items():
        assert torch.equal(one.weights[key], weight)
    for kind, tensors in states.items():
        assert torch.equal(one.states[kind], torch.cat([tensor.flatten() for tensor in tensors.values()]))


def test_tp2_pp2_dp2_becomes_tp1_pp4_dp1_with_every_rank_saving_for_itself(tmp_path, held):
    before, after = Layout(tp=2, pp=2, dp=2), Layout(tp=1, pp=4, dp=1)
    weights, states = whole(TINY)
    shapes = shapes_of(weights)
    folder = tmp_path / "step-7"
    run_ranks(8, lambda comm: save(folder, split(weights, states, 7, before, comm.rank), shapes, before, comm))
    loaded, _ = run_ranks(4, lambda comm: load(folder, after, comm.rank))
    expected = [split(weights, states, 7, after, rank) for rank in range(4)]
    assert all(same(a, b) for a, b in zip(loaded, expected, strict=True))
    joined = {name: weight for state in loaded for name, weight in state.weights.items()}
    held("checkpoint tp2 pp2 dp2 to tp1 pp4", "the state before it was cut", joined, weights, 0)


@pytest.mark.parametrize(("name", "ranks"), [("q_proj.weight", 4), ("o_proj.weight", 2), ("down_proj.weight", 3)])
def test_shards_are_where_torch_puts_those_of_a_dtensor(held, name, ranks):
    weight = f"blocks.1.attn.{name}"
    shapes = {"embed.weight": (9, 12), "blocks.0.x": (1,), weight: (24, 12), "head.weight": (9, 12)}
    for rank in range(ranks):
        piece = next(p for p in Layout(tp=ranks).weights(shapes, rank) if p.tensor == weight)
        shape, offset = torch_shard(rank, ranks, (24, 12), split_axis(weight))
        found = [piece.shape, [low for low, _ in piece.box]]
        held("slices of a checkpoint's shard", "torch DTensor's local shape and offset", found, [shape, offset], 0)


@given(CONFIGS, LAYOUTS)
@settings(max_examples=15, deadline=None)
def test_each_element_is_written_once_and_padding_never(config, layout):
    weights, states = whole(config)
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), weights, states, layout)
        elements = 0
        for path in Path(name).glob("*.npz"):
            with np.load(path, allow_pickle=False) as arrays:
                elements += sum(arrays[key].size for key in arrays)
    assert elements == 3 * sum(weight.numel() for weight in weights.values())


@given(CONFIGS, LAYOUTS)
@settings(max_examples=15, deadline=None)
def test_replicas_share_the_states_of_their_shard_evenly(config, layout):
    shapes = shapes_of(whole(config)[0])
    for group in layout.mesh.groups("dp"):
        sizes = {layout.shard_size(shapes, rank) for rank in group}
        assert len(sizes) == 1, "reduce-scatter needs equal parts"
        held = [piece for rank in group for _, piece in layout.states(shapes, rank)]
        own = layout.weights(shapes, group[0])
        assert sum(p.stop - p.start for p in held) == sum(p.stop for p in own)
        assert sizes.pop() * layout.dp - sum(p.stop for p in own) < layout.dp


def test_bfloat16_weights_keep_their_bits(tmp_path):
    weights, states = whole(TINY)
    weights = {name: weight.bfloat16() for name, weight in weights.items()}
    write(tmp_path, weights, states, Layout(tp=2, dp=2))
    assert same(load(tmp_path, Layout(pp=3), 1), split(weights, states, 7, Layout(pp=3), 1))


# what is done to a checkpoint of four ranks, and what is said of it
def change(path, at=-100):
    body = bytearray(path.read_bytes())
    body[at] ^= 1
    path.write_bytes(bytes(body))


def forge(folder, edit):
    """A manifest that was edited by someone who knows how to renew its digest."""
    body = read_manifest(folder)
    edit(body)
    write_manifest(folder, body)


def with_pickle(folder):
    """An array of objects, which only pickle could read, with its right digest."""
    np.savez(folder / "rank-00001.npz", **{str(i): np.array([{"a": 1}], dtype=object) for i in range(200)})
    forge(folder, lambda body: body["parts"][1].update(sha256=digest(folder / "rank-00001.npz")))


DAMAGE = {
    "no manifest": (lambda f: (f / "manifest.json").unlink(), "was never finished"),
    "half a manifest": (
        lambda f: (f / "manifest.json").write_bytes((f / "manifest.json").read_bytes()[:500]),
        "cannot be read",
    ),
    "a changed manifest": (
        lambda f: (f / "manifest.json").write_text((f / "manifest.json").read_text().replace('"step": 7', '"step": 8')),
        "was changed after",
    ),
    "a list as manifest": (lambda f: (f / "manifest.json").write_text("[]"), "cannot be read"),
    "a file less": (lambda f: (f / "rank-00001.npz").unlink(), "rank-00001.npz of .* is missing"),
    "half a file": (
        lambda f: (f / "rank-00001.npz").write_bytes((f / "rank-00001.npz").read_bytes()[:999]),
        "cut short or changed",
    ),
    "a changed bit": (lambda f: change(f / "rank-00001.npz"), "cut short or changed"),
    "another rank's file": (
        lambda f: (f / "rank-00001.npz").write_bytes((f / "rank-00000.npz").read_bytes()),
        "cut short or changed",
    ),
    "a way out of the folder": (
        lambda f: forge(f, lambda body: body["parts"][1].update(file="../rank-00001.npz")),
        "not in its folder",
    ),
    "a rank left out": (lambda f: forge(f, lambda body: body["parts"].pop(1)), "only a part of weight"),
    "a pickle": (with_pickle, "cannot be read: Object arrays"),
    "no archive": (
        lambda f: (
            (f / "rank-00001.npz").write_bytes(pickle.dumps({})),
            forge(f, lambda body: body["parts"][1].update(sha256=digest(f / "rank-00001.npz"))),
        ),
        "no archive of arrays",
    ),
    "a piece of another size": (
        lambda f: forge(f, lambda body: body["parts"][1]["pieces"][0].update(stop=3)),
        "elements where its place",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_is_a_sentence(tmp_path, damage):
    act, says = DAMAGE[damage]
    write(tmp_path, *whole(TINY), Layout(tp=2, dp=2))
    act(tmp_path)
    with pytest.raises(CheckpointError, match=says):
        load(tmp_path, Layout(), 0)


def test_a_rank_that_stopped_while_writing_leaves_no_checkpoint(tmp_path):
    weights, states = whole(TINY)
    layout = Layout(dp=2)
    write_part(tmp_path, split(weights, states, 7, layout, 0), shapes_of(weights), layout, 0)

    def stop(file):
        file.write(b"half")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        write_atomically(tmp_path / "rank-00001.npz", stop)
    assert not (tmp_path / "rank-00001.npz").exists()
    with pytest.raises(CheckpointError, match="never finished"):
        load(tmp_path, layout, 0)


def test_a_checkpoint_is_never_written_over(tmp_path):
    weights, states = whole(TINY)
    write(tmp_path, weights, states, Layout())
    with pytest.raises(CheckpointError, match="a folder of its own"):
        run_ranks(1, lambda comm: save(tmp_path, RankState({}, {}), {}, Layout(), comm))


def test_ranks_at_different_steps_are_no_checkpoint(tmp_path):
    weights, states = whole(TINY)
    layout = Layout(dp=2)
    with pytest.raises(CheckpointError, match=r"steps \[0, 1\]"):
        run_ranks(
            2,
            lambda comm: save(
                tmp_path, split(weights, states, comm.rank, layout, comm.rank), shapes_of(weights), layout, comm
            ),
        )


def test_the_manifest_says_for_each_tensor_its_whole_shape_and_each_pieces_place(tmp_path):
    write(tmp_path, *whole(TINY), Layout(tp=2, pp=2, dp=2))
    body = json.loads((tmp_path / "manifest.json").read_text())["body"]
    assert dict(map(tuple, ([n, tuple(s)] for n, s in body["tensors"])))["head.weight"] == (29, 32)
    heads = [
        p for part in body["parts"] for p in part["pieces"] if (p["kind"], p["tensor"]) == ("weight", "head.weight")
    ]
    assert [piece["box"] for piece in heads] == [[[0, 15], [0, 32]], [[15, 29], [0, 32]]]
