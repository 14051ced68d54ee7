"""Training gives the same losses as another engine, as itself, and as itself interrupted."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import torch

from mlsys_core.autodiff import optim
from mlsys_core.workloads import accounting, gpt_numpy, ladder, scaling, text
from mlsys_core.workloads.curriculum import Curriculum
from mlsys_core.workloads.gpt import GPT, GPTConfig
from mlsys_core.workloads.train import TrainConfig, Trainer, evaluate, train

SMALL = GPTConfig(context=16, dim=16, heads=2, kv_heads=1, ffn=24, layers=1)


@pytest.fixture(scope="module")
def codes():
    plays = text.load()
    return text.Vocabulary.of(plays).encode(plays)


@pytest.mark.parametrize(("warmup", "steps", "final"), [(5, 17, 0.1), (1, 9, 0.0), (8, 30, 0.5)])
def test_rates_are_those_of_torchs_schedulers(held, warmup, steps, final):
    config = TrainConfig(steps=steps, warmup=warmup, final=final, learning_rate=0.3)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    schedulers = torch.optim.lr_scheduler
    parts = [
        schedulers.LinearLR(optimizer, 1 / warmup, total_iters=max(warmup - 1, 1)),
        schedulers.CosineAnnealingLR(optimizer, steps - warmup, eta_min=0.3 * final),
    ]
    schedule = schedulers.SequentialLR(optimizer, parts, [warmup])
    expected = []
    for _ in range(steps):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    held("workloads: learning rate", "torch's schedulers", [config.rate(s) for s in range(steps)], expected, 1e-12)
    assert {replace(config, schedule="constant").rate(s) for s in range(warmup, 99)} == {0.3}


def test_the_other_engine_trains_to_the_same_losses(held, codes):
    """The twin on mlsys_core.autodiff with that package's AdamW and clipping, on the same windows, in float64."""
    config = TrainConfig(steps=12, batch=3, time=8, warmup=3, weight_decay=0.0, clip=0.5, learning_rate=1e-2)
    model, twin = GPT(SMALL).double(), gpt_numpy.GPT(SMALL, np.random.default_rng(0), np.float64)
    twin.load_state_dict(model.state_dict())
    optimizer = optim.AdamW(twin.parameters(), lr=0.0, betas=config.betas, weight_decay=0.0)
    expected = []
    for step, (tokens, targets) in enumerate(text.batches(codes, 3, 8, 12, config.seed)):
        loss = twin.loss(tokens, targets)
        twin.zero_grad()
        loss.backward()
        optim.clip_grad_norm(twin.parameters(), config.clip)
        optimizer.lr = config.rate(step)
        optimizer.step()
        expected.append(loss.item())
    held("workloads: training", "the twin on mlsys_core.autodiff", train(model, codes, config), expected, 1e-9)


def test_only_matrices_decay(codes):
    groups = Trainer(GPT(SMALL), codes, TrainConfig(weight_decay=0.3)).optimizer.param_groups
    found = {weight.ndim: group["weight_decay"] for group in groups for weight in group["params"]}
    assert found == {2: 0.3, 1: 0.0}


def test_a_run_is_the_same_twice_and_another_with_another_seed(codes):
    config = TrainConfig(steps=5, batch=2, time=8)
    first, again = (train(GPT(SMALL), codes, config) for _ in range(2))
    assert first == again
    assert train(GPT(SMALL), codes, replace(config, seed=1)) != first


@pytest.mark.parametrize("reshape", [False, True])
def test_an_interrupted_run_ends_as_if_it_had_not_been(codes, reshape):
    """Saved to bytes after five of twelve steps, in the middle of a curriculum, and loaded into a new trainer."""
    curriculum = Curriculum(2, 16, 10, pacing="root", reshape=reshape, multiple=2)
    config = TrainConfig(steps=12, batch=2, time=16, warmup=3, curriculum=curriculum)
    whole = Trainer(GPT(SMALL), codes, config)
    losses = whole.run()
    before = Trainer(GPT(SMALL), codes, config)
    begun = before.run(5)
    file = io.BytesIO()
    torch.save(before.state_dict(), file)
    file.seek(0)
    after = Trainer(GPT(SMALL, seed=9), codes, config)
    after.load_state_dict(torch.load(file))
    assert begun + after.run() == losses
    assert after.run() == []
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(weight, after.model.state_dict()[name]), name


def test_tokens_are_those_that_the_model_sees(codes):
    seen = []

    class Counting(GPT):
        def loss(self, tokens, targets):
            seen.append(tokens.numel())
            return super().loss(tokens, targets)

    for curriculum in (None, Curriculum(4, 16, 6), Curriculum(4, 16, 6, reshape=True)):
        config = TrainConfig(steps=8, batch=2, time=16, curriculum=curriculum)
        seen.clear()
        train(Counting(SMALL), codes, config)
        assert sum(seen) == config.tokens


def test_windows_grow_with_the_curriculum_and_training_still_ends_on_whole_ones(codes):
    shapes = []

    class Watching(GPT):
        def loss(self, tokens, targets):
            shapes.append(tuple(tokens.shape))
            return super().loss(tokens, targets)

    growing = Curriculum(2, 16, 6, pacing="step", stages=3, multiple=2, reshape=True)
    train(Watching(SMALL), codes, TrainConfig(steps=8, batch=3, time=16, curriculum=growing))
    assert shapes == [(24, 2)] * 2 + [(12, 4)] * 2 + [(6, 8)] * 2 + [(3, 16)] * 2


@pytest.mark.parametrize("clip", [1e-3, 1e3])
def test_gradients_are_cut_to_the_largest_norm_and_not_stretched_to_it(codes, clip):
    model = GPT(SMALL)
    tokens, targets = next(text.batches(codes, 2, 8, 1))
    model.loss(torch.from_numpy(tokens.copy()), torch.from_numpy(targets.copy())).backward()
    whole = torch.cat([weight.grad.flatten() for weight in model.parameters()]).norm().item()
    trainer = Trainer(GPT(SMALL), codes, TrainConfig(steps=1, batch=2, time=8, clip=clip))
    trainer.run()
    left = torch.cat([weight.grad.flatten() for weight in trainer.model.parameters()]).norm().item()
    assert left == pytest.approx(min(whole, clip), rel=1e-3)


def test_training_learns_and_held_out_text_shows_it(codes):
    seen, unseen = text.split(codes)
    model = GPT(SMALL)
    before = evaluate(model, unseen, batch=4, time=16)
    assert before == pytest.approx(np.log(65), abs=0.1)
    losses = train(model, seen, TrainConfig(steps=60, batch=8, time=16, learning_rate=1e-2))
    after = evaluate(model, unseen, batch=4, time=16)
    assert after < before - 1
    assert np.mean(losses[-10:]) == pytest.approx(after, abs=0.3)
    assert evaluate(model, unseen, batch=4, time=16) == after, "the same windows each time"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"schedule": "stairs"}, "no schedule 'stairs'"),
        ({"curriculum": Curriculum(2, 16, 5), "time": 32}, "make them equal"),
    ],
)
def test_plans_that_cannot_be_are_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        TrainConfig(**options)


def test_a_ladder_of_real_runs_can_be_fitted(codes):
    """Six runs of about a second together: too few to believe the constants, enough to see loss fall with data."""
    models = ladder.rungs((16, 32), layers=1)
    config = TrainConfig(batch=4, time=16, learning_rate=1e-2)
    runs = ladder.climb(models, (8, 24, 72), codes, config, batches=8)
    assert [run.parameters for run in runs[::3]] == [accounting.non_embedding(sizes) for sizes in models]
    assert [run.tokens for run in runs] == 2 * [4 * 16 * steps for steps in (8, 24, 72)]
    for of_one_size in (runs[:3], runs[3:]):
        losses = [run.loss for run in of_one_size]
        assert losses == sorted(losses, reverse=True)
    law = scaling.fit(runs)
    assert all(abs(law.loss(run.parameters, run.tokens) / run.loss - 1) < 0.1 for run in runs)


@pytest.mark.parametrize("width", [16, 32, 48, 64, 80])
def test_rungs_are_models_of_heads_16_wide(width):
    (sizes,) = ladder.rungs([width])
    assert sizes.head_dim == 16
    assert sizes.heads % sizes.kv_heads == 0
    assert GPT(sizes)(torch.zeros(1, 3, dtype=torch.int64)).shape == (1, 3, 65)
