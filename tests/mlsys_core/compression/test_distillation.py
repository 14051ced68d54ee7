"""The losses against torch's KL and autograd, their limit at high temperatures, and a student that learns more with a teacher."""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise

import pytest
import torch
from torch.distributions import Categorical, kl_divergence

from mlsys_core.compression.distillation import (
    Distillation,
    Distiller,
    distill,
    distillation_loss,
    hidden_loss,
    hidden_states,
    logit_matching_loss,
)
from mlsys_core.workloads.gpt import GPT, GPTConfig
from mlsys_core.workloads.train import TrainConfig, train

TEACHER = GPTConfig(vocab_size=17, context=16, dim=24, layers=3, heads=4, kv_heads=2, ffn=40)
STUDENT = GPTConfig(vocab_size=17, context=16, dim=16, layers=2, heads=2, kv_heads=1, ffn=24)
STEPS = TrainConfig(steps=4, batch=3, time=8, seed=5)


def logits(*shape: int, seed: int) -> torch.Tensor:
    return 3 * torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def codes(n: int = 400, seed: int = 0):
    return torch.randint(17, (n,), generator=torch.Generator().manual_seed(seed)).numpy()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 7.0])
@pytest.mark.parametrize("shape", [(5, 11), (2, 3, 7)])
def test_it_is_the_divergence_of_softened_distributions_times_the_temperature_squared(shape, temperature, held):
    student, teacher = logits(*shape, seed=1).requires_grad_(), logits(*shape, seed=2).requires_grad_()
    found = distillation_loss(student, teacher, temperature)
    soft = [Categorical(logits=x / temperature) for x in (teacher.detach(), student)]
    expected = kl_divergence(*soft).mean() * temperature**2
    held("compression: distillation", "torch.distributions", found, expected, 1e-12)
    (grad,) = torch.autograd.grad(found, student)
    # T (softmax(s / T) - softmax(t / T)) a token
    tokens = student.numel() / shape[-1]
    apart = (student / temperature).softmax(-1) - (teacher / temperature).softmax(-1)
    held("compression: distillation, gradient", "the formula", grad, temperature * apart / tokens, 1e-12)
    with pytest.raises(RuntimeError):
        torch.autograd.grad(distillation_loss(logits(*shape, seed=3), teacher), teacher)


def test_a_high_temperature_matches_the_logits_but_for_their_mean(held):
    student, teacher = logits(6, 13, seed=1).requires_grad_(), logits(6, 13, seed=2)
    limit = logit_matching_loss(student, teacher)
    (wanted,) = torch.autograd.grad(limit, student)
    errors = []
    for temperature in (10.0, 100.0, 1000.0, 10_000.0):
        loss = distillation_loss(student, teacher, temperature)
        errors.append(abs(float((loss - limit).detach())))
    assert all(later < earlier / 5 for earlier, later in pairwise(errors))
    found = distillation_loss(student, teacher, 1e4)
    held("compression: T → ∞", "half the variance of logits", found, limit, 1e-4)
    (grad,) = torch.autograd.grad(found, student)
    held("compression: T → ∞, gradient", "half the variance of logits", grad, wanted, 5e-4)
    shifted = logit_matching_loss(student + 5.0, teacher)
    torch.testing.assert_close(shifted, limit)


def test_a_student_that_agrees_has_nothing_to_learn():
    teacher = logits(4, 9, seed=3)
    student = (teacher + 2.5).requires_grad_()
    loss = distillation_loss(student, teacher, 3.0)
    assert abs(float(loss.detach())) < 1e-12
    assert float(torch.autograd.grad(loss, student)[0].abs().max()) < 1e-12
    assert float(distillation_loss(logits(4, 9, seed=4), teacher)) > 0


def test_states_of_chosen_blocks_are_what_the_blocks_give_and_hooks_go_away():
    model, tokens = GPT(TEACHER, seed=1), torch.from_numpy(codes(12).reshape(2, 6))
    with hidden_states(model, [2, 0]) as states:
        model(tokens)
    positions = torch.arange(6)
    by_hand = [model.embed(tokens)]
    for block in model.blocks:
        by_hand.append(block(by_hand[-1], positions))
    assert len(states) == 2
    assert torch.equal(states[0], by_hand[1])
    assert torch.equal(states[1], by_hand[3])
    model(tokens)
    assert len(states) == 2
    assert float(hidden_loss(states[0], states[0] + 2).detach()) == pytest.approx(4)


def test_without_a_part_for_the_teacher_it_is_plain_training():
    plain, student = GPT(STUDENT, seed=2), GPT(STUDENT, seed=2)
    losses = train(plain, codes(), STEPS)
    assert distill(student, GPT(TEACHER), codes(), STEPS, Distillation(weight=0.0)) == losses
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), student.parameters(), strict=True))


def test_the_loss_of_a_step_is_the_sum_of_its_parts_and_the_teacher_stays_as_it_was():
    student, teacher = GPT(STUDENT, seed=2), GPT(TEACHER, seed=3)
    before = deepcopy(teacher.state_dict())
    chosen = Distillation(temperature=3.0, weight=0.7, pairs=((0, 0), (1, 2)), hidden_weight=0.2)
    trainer = Distiller(student, teacher, codes(), STEPS, distillation=chosen)
    tokens, targets = (torch.from_numpy(codes(18, seed).reshape(2, 9)) for seed in (1, 2))
    with hidden_states(student, [0, 1]) as narrow:
        said = student(tokens)
    with torch.no_grad(), hidden_states(teacher, [0, 2]) as wide:
        thought = teacher(tokens)
    expected = 0.3 * student.loss(tokens, targets) + 0.7 * distillation_loss(said, thought, 3.0)
    for mine, its, one in zip(narrow, wide, trainer.maps, strict=True):
        expected = expected + 0.2 * (mine @ one.T - its).square().mean()
    torch.testing.assert_close(trainer.loss(tokens, targets), expected)
    maps = [one.detach().clone() for one in trainer.maps]
    trainer.run()
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())
    assert all(p.grad is None for p in teacher.parameters())
    assert not any(torch.equal(a, b) for a, b in zip(maps, trainer.maps, strict=True))


def test_an_interrupted_distillation_ends_as_if_it_had_not_been():
    chosen = Distillation(pairs=((0, 1),))
    whole, before, after = (
        Distiller(GPT(STUDENT, seed=2), GPT(TEACHER, seed=3), codes(), STEPS, distillation=chosen) for _ in range(3)
    )
    losses = whole.run()
    first = before.run(2)
    after.load_state_dict(deepcopy(before.state_dict()))
    assert first + after.run() == losses
    assert torch.equal(after.maps[0], whole.maps[0])


def test_states_come_nearer_when_they_are_matched():
    teacher = GPT(TEACHER, seed=3)
    config = TrainConfig(steps=30, batch=8, time=8, learning_rate=1e-2, seed=1)
    chosen = Distillation(weight=0.0, pairs=((1, 2),), hidden_weight=50.0)
    trainer = Distiller(GPT(STUDENT, seed=4), teacher, codes(2000), config, distillation=chosen)
    losses = trainer.run()
    assert losses[-1] < losses[0] - 0.01


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: distillation_loss(logits(2, 3, seed=1), logits(2, 3, seed=1), 0.0), "temperature of 0.0"),
        (lambda: Distillation(weight=1.2), "between 0 and 1"),
        (lambda: Distillation(pairs=((0, 1), (1, 1))), "do not rise in both"),
    ],
)
def test_what_cannot_be_is_told(make, told):
    with pytest.raises(ValueError, match=told):
        make()
