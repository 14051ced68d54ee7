"""The model that comes with the library: it is the one that its hash names, it has learned, and its script alone can train it."""

from __future__ import annotations

import math
import shutil

import numpy as np
import pytest
import torch

from mlsys_core.workloads import small_model, text
from mlsys_core.workloads.gpt import GPT
from mlsys_core.workloads.small_model import CONFIG, DamagedModelError, load, save
from mlsys_core.workloads.train import evaluate


def test_it_reads_letters_that_it_never_saw_far_better_than_their_frequencies_do():
    codes, held_out = text.split(small_model.VOCABULARY().encode(text.load()))
    loss = evaluate(load(), held_out, time=256, batches=2)
    shares = np.bincount(codes, minlength=65) / len(codes)
    frequencies = -sum(math.log(shares[code]) for code in held_out[:20_000]) / 20_000
    assert 1.5 < loss < 1.85
    assert frequencies > 3.2


def test_it_has_about_a_million_weights_and_a_context_of_256():
    weights = sum(weight.numel() for weight in load().parameters())
    assert 1.0e6 < weights < 1.2e6
    assert (CONFIG.context, CONFIG.vocab_size, len(small_model.VOCABULARY())) == (256, 65, 65)


def test_it_loads_in_the_type_that_is_asked_for_and_is_not_in_training():
    model = load(dtype=torch.float64)
    assert {weight.dtype for weight in model.parameters()} == {torch.float64}
    assert not model.training


def test_a_file_that_was_changed_is_told_and_not_loaded(tmp_path, monkeypatch):
    copy = tmp_path / "small_model.npz"
    shutil.copy(small_model.PATH, copy)
    with copy.open("r+b") as file:
        file.seek(1000)
        file.write(b"\0\1")
    monkeypatch.setattr(small_model, "PATH", copy)
    with pytest.raises(DamagedModelError, match="not the file that this version was released with"):
        load()


def test_what_is_saved_is_the_same_file_each_time_and_comes_back_within_sixteen_bits(tmp_path):
    model = GPT(CONFIG, seed=3)
    hashes = {save(model, tmp_path / name) for name in ("a.npz", "b.npz")}
    assert len(hashes) == 1
    with np.load(tmp_path / "a.npz", allow_pickle=False) as stored:
        assert set(stored.files) == set(model.state_dict())
        for name, weight in model.state_dict().items():
            assert np.allclose(stored[name], weight.numpy(), rtol=1e-3, atol=1e-6)
