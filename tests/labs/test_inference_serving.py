"""The oracles of Lab 2's tasks 4 to 7 against brute force, scipy and torch: who checks students is checked here."""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from grader.checks.expect import CheckFailed, Expect

torch = pytest.importorskip("torch")

CHECKS = Path(__file__).resolve().parents[2] / "labs" / "inference" / "checks"
NAMES = ("paged_oracle", "scheduling_oracle", "speculation_oracle", "radix_oracle")
HIDDEN = ("policies", "laws", "tries")


@pytest.fixture(scope="module")
def checks() -> Iterator[SimpleNamespace]:
    """The modules beside the checks, by topic, and forgotten again."""
    before = list(sys.path)
    sys.path.insert(0, str(CHECKS))
    loaded: dict[str, ModuleType] = {name.split("_")[0]: importlib.import_module(name) for name in NAMES}
    hidden = {name: importlib.import_module(f"hidden.{name}") for name in HIDDEN}
    yield SimpleNamespace(**loaded, **hidden)
    sys.path[:] = before
    for name in (*NAMES, *(f"hidden.{one}" for one in HIDDEN), "hidden"):
        sys.modules.pop(name, None)


@pytest.fixture(params=[0, 1, 2])
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Three seeds."""
    return np.random.default_rng(request.param)


# ---- Task 4: blocks and pages


class Lists:
    """A block manager whose blocks are Python lists: shared is what is the same object."""

    def __init__(self, num_blocks: int, size: int) -> None:
        self.num_blocks, self.size = num_blocks, size
        self.sequences: dict[int, list[list[int]]] = {}
        self.away: dict[int, int] = {}

    def free_blocks(self) -> int:
        return self.num_blocks - len({id(block) for blocks in self.sequences.values() for block in blocks})

    def fresh(self, tokens: int) -> list[list[int]]:
        if -(-tokens // self.size) > self.free_blocks():
            raise MemoryError
        return [list(range(at, min(at + self.size, tokens))) for at in range(0, tokens, self.size)]

    def known(self, number: int) -> bool:
        return number in self.sequences or number in self.away

    def allocate(self, number: int, tokens: int) -> None:
        if self.known(number):
            raise ValueError
        self.sequences[number] = self.fresh(tokens)

    def fork(self, parent: int, child: int) -> None:
        blocks = self.sequences[parent]
        if self.known(child):
            raise ValueError
        self.sequences[child] = list(blocks)

    def append(self, number: int) -> bool:
        blocks = self.sequences[number]
        if not blocks or len(blocks[-1]) == self.size:
            blocks += self.fresh(1)
            return False
        others = [block for other, many in self.sequences.items() if other != number for block in many]
        shared = any(block is blocks[-1] for block in others)
        if shared:
            if not self.free_blocks():
                raise MemoryError
            blocks[-1] = list(blocks[-1])
        blocks[-1].append(0)
        return shared

    def preempt(self, number: int) -> None:
        self.away[number] = sum(map(len, self.sequences.pop(number)))

    def restore(self, number: int) -> None:
        self.sequences[number] = self.fresh(self.away[number])
        del self.away[number]

    def free(self, number: int) -> None:
        if number in self.away:
            del self.away[number]
        else:
            del self.sequences[number]


WORDS = {"": "", "MemoryError": "OutOfBlocks", "KeyError": "KeyError", "ValueError": "ValueError"}


def test_the_ledger_of_blocks_agrees_with_blocks_that_are_python_lists(checks, rng):
    for size in (1, 3, 4):
        ledger, lists = checks.paged.random_ledger(rng, 300, 20, size), Lists(20, size)
        seen = set()
        for step in ledger.steps:
            (method, arguments), error, copied = step["operation"], "", None
            try:
                copied = getattr(lists, method)(*arguments)
            except (MemoryError, KeyError, ValueError) as raised:
                error = type(raised).__name__
            assert WORDS[error] == step["error"], step
            assert lists.free_blocks() == step["free"], step
            assert bool(copied) == step["copies"], step
            assert sorted(lists.sequences) == step["live"], step
            seen.add((method, step["error"], step["copies"]))
        assert {("append", "", True), ("append", "KeyError", False), ("restore", "", False)} - seen <= (
            {("append", "", True)} if size == 1 else set()
        )


def test_waste_is_counted_slot_by_slot(checks, rng):
    ledger = checks.paged.serving_trace(rng, requests=5, block_size=8)
    lists, used, held, slots = Lists(1 << 14, 8), [], 0, 0
    for step in ledger.steps:
        method, arguments = step["operation"]
        getattr(lists, method)(*arguments)
        if step["look"]:
            blocks = {id(block): block for many in lists.sequences.values() for block in many}
            used.append(len(blocks) + 2)
            held, slots = held + sum(map(len, blocks.values())), slots + 8 * (len(blocks) + 2)
    assert checks.paged.wasted(ledger, used) == pytest.approx(1 - held / slots)


def test_attention_over_pages_is_that_of_torch_over_gathered_keys(checks, rng, held):
    lengths = [int(one) for one in rng.integers(1, 70, size=3)]
    pages = checks.paged.random_pages(rng, lengths, heads=6, kv_heads=2, dim=16, block_size=4, shared=True)
    found = checks.paged.attention(**pages)
    for row, length in enumerate(lengths):
        table = pages["block_tables"][row, : -(-length // 4)]
        k, v = (
            torch.from_numpy(pages[name][table].reshape(-1, 2, 16)[:length].astype(np.float64)).transpose(0, 1)
            for name in ("k_cache", "v_cache")
        )
        q = torch.from_numpy(pages["q"][row].astype(np.float64))[:, None]
        want = torch.nn.functional.scaled_dot_product_attention(q[None], k[None], v[None], enable_gqa=True)
        held("paged decode of the lab", "torch SDPA", found[row], want[0, :, 0].numpy(), 1e-12)


# ---- Task 5: the server and its schedulers


def small_load(checks: Any, rng: np.random.Generator) -> tuple[list[Any], dict[str, int]]:
    jobs = checks.scheduling.random_jobs(rng, 12, prompts=(1, 40), answers=(1, 20), rate=20.0)
    size = int(rng.choice([1, 4, 8]))
    largest = max(-(-(len(job.words) + job.answer + 1) // size) for job in jobs)
    limits = {"token_budget": 30, "max_requests": int(rng.integers(2, 7)), "block_size": size}
    return jobs, limits | {"num_blocks": int(largest * rng.uniform(1.0, 1.8))}


def test_the_scheduler_to_compare_with_keeps_every_rule(checks, rng):
    preempted = 0
    for _ in range(15):
        jobs, limits = small_load(checks, rng)
        server = checks.scheduling.Server(Expect(), jobs, **limits).run(checks.policies.in_turn)
        server.check("order", "stalls", "idle")
        preempted += server.preemptions
    assert preempted, "no load was tight enough"


def test_time_is_the_sum_of_its_steps_and_static_batching_keeps_to_the_limits(checks, rng):
    oracle = checks.scheduling
    jobs = oracle.random_jobs(rng, 1, prompts=(50, 60), answers=(6, 7), rate=0.0)
    limits = {"token_budget": 32, "max_requests": 4, "block_size": 16, "num_blocks": 60}
    server = oracle.Server(Expect(), jobs, **limits).run(checks.policies.in_turn)
    length, pieces = len(jobs[0].words), [(0, 32), (32, len(jobs[0].words))]
    pieces += [(at, at + 1) for at in range(length, length + 5)]
    seconds = sum(0.02 + 1.5e-4 * (stop - start) + 4e-7 * start for start, stop in pieces)
    assert server.now_s == pytest.approx(seconds)
    assert server.goodput() == pytest.approx(1 / seconds)
    many = oracle.random_jobs(rng, 20, prompts=(5, 90), answers=(1, 40), rate=9.0)
    static = oracle.Server(Expect(), many, **limits).run(checks.policies.static)
    static.check()
    assert static.steps > oracle.Server(Expect(), many, **limits).run(checks.policies.in_turn).steps


def spoiled(checks: Any, change: Any) -> Any:
    """The scheduler to compare with, whose batch is changed before the server sees it."""

    def ask(requests: list[list[int]], limits: dict[str, int]) -> Any:
        return change(checks.policies.in_turn(requests, limits), requests)

    return ask


def late(batch: Any, requests: Any) -> Any:
    """Each prompt begins at its second token."""
    first = {one[0] for one in requests if not one[2] and one[1] > 1}
    return batch | {"chunks": [[n, a + (n in first and b - a > 1), b] for n, a, b in batch["chunks"]]}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (late, "got other tokens than alone"),
        (lambda batch, _: batch | {"chunks": [[n, a, b + 1] for n, a, b in batch["chunks"]]}, "no chunk"),
        (lambda batch, _: batch | {"chunks": batch["chunks"] * 2}, "more than once"),
        (lambda batch, _: batch | {"chunks": []}, "nothing is computed"),
        (lambda batch, _: batch | {"preempt": [99]}, "not there"),
        (lambda batch, _: batch | {"chunks": [[float(n), a, b] for n, a, b in batch["chunks"]]}, "a batch has chunks"),
        (lambda *_: None, "returned no Batch"),
    ],
)
def test_a_batch_that_breaks_a_rule_is_refused_in_words(checks, change, told):
    jobs = checks.scheduling.random_jobs(np.random.default_rng(0), 3, prompts=(4, 9), answers=(3, 6), rate=0.0)
    limits = {"token_budget": 64, "max_requests": 4, "block_size": 4, "num_blocks": 40}
    with pytest.raises(CheckFailed, match=told):
        checks.scheduling.Server(Expect(), jobs, **limits).run(spoiled(checks, change)).check()


# ---- Task 6: the laws of speculative decoding


def test_right_answers_pass_row_by_row_and_others_do_not(checks, rng):
    oracle = checks.speculation
    for gamma in (1, 4):
        target = np.stack([oracle.law(rng, 6) for _ in range(gamma + 1)])
        draft = np.stack([oracle.draft_of(rng, p, 0.6) for p in target[:gamma]])
        call = oracle.rows_of(rng, target, draft, 400)
        accepted, tokens = checks.laws.many(call)
        oracle.check_rows(Expect(), {"accepted": accepted, "tokens": tokens}, call)
        row = int(rng.integers(400))
        other = tokens.copy()
        other[row, accepted[row]] = (other[row, accepted[row]] + 1) % 6
        with pytest.raises(CheckFailed, match=f"row {row} draws token"):
            oracle.check_rows(Expect(), {"accepted": accepted, "tokens": other}, call)
        row = int(np.flatnonzero(accepted > 0)[0])
        accepted[row], tokens[row] = 0, [tokens[row, 0], *[-1] * gamma]
        with pytest.raises(CheckFailed, match=f"row {row} accepts 0 tokens"):
            oracle.check_rows(Expect(), {"accepted": accepted, "tokens": tokens}, call)


def test_what_is_kept_follows_the_target_by_counting_every_case_on_a_grid(checks, rng):
    """Uniform numbers on a fine grid and drafted tokens in their own proportions: a sum, and no chance."""
    oracle, steps = checks.speculation, 400
    p = oracle.law(rng, 5)
    q = oracle.draft_of(rng, p, float(rng.uniform(0.2, 0.9)))
    u = (np.arange(steps) + 0.5) / steps
    found = np.zeros(5)
    for token, weight in enumerate(q):
        both = np.stack(np.meshgrid(u, u, indexing="ij"), -1).reshape(-1, 2)
        call = {"target": np.stack([p, p]), "draft": q[None], "drafted": np.full((len(both), 1), token)}
        _, tokens = checks.laws.many(call | {"accept_u": both[:, :1], "sample_u": both[:, 1]})
        found += weight * np.bincount(tokens[:, 0], minlength=5) / len(both)
    assert np.abs(found - p).max() < 4 / steps


def test_the_draft_agrees_as_often_as_asked_and_steps_yield_what_the_formula_says(checks, rng):
    oracle = checks.speculation
    for rate in (0.1, 0.5, 0.9):
        p = oracle.law(rng, 8)
        q = oracle.draft_of(rng, p, rate)
        assert q.sum() == pytest.approx(1)
        assert np.minimum(p, q).sum() == pytest.approx(rate, abs=1e-6)
        for gamma in (0, 3, 7):
            closed = (1 - rate ** (gamma + 1)) / (1 - rate)
            # every pattern of accepted and refused places, with its probability
            patterns = itertools.product([1, 0], repeat=gamma)
            mean = sum(
                np.prod([rate if hit else 1 - rate for hit in one]) * (1 + np.cumprod(one).sum()) for one in patterns
            )
            assert oracle.expected_tokens(rate, gamma) == pytest.approx(closed) == pytest.approx(mean)


def test_the_tail_is_that_of_scipys_chi_square_test(checks, rng):
    p = checks.speculation.law(rng, 8)
    counts = rng.multinomial(5000, p)
    assert checks.speculation.tail(counts, p) == pytest.approx(stats.chisquare(counts, 5000 * p).pvalue)
    assert checks.speculation.tail(np.array([10, 0, 1]), np.array([0.9, 0.1, 0.0])) == 0.0


def test_a_law_that_is_off_by_two_percent_is_seen(checks, rng):
    p = np.full(8, 0.125)
    off = p + np.array([1, -1, 0, 0, 0, 0, 0, 0]) * 0.02 * 0.5
    assert checks.speculation.tail(rng.multinomial(200_000, off), p) < 1e-4


def test_steps_of_an_answer_are_those_of_decoding_it_step_by_step(checks, rng):
    oracle = checks.speculation
    for noise, gamma in ((0.0, 3), (0.3, 4), (2.0, 2), (0.3, 0)):
        draft, target = oracle.tables(rng, 12, noise)
        prompt, tokens, steps = [1, 2], [1, 2], 0
        while len(tokens) < 32:
            ahead = list(tokens)
            for _ in range(gamma):
                ahead.append(int(draft[ahead[-2], ahead[-1]].argmax()))
            steps += 1
            for place in range(len(tokens), len(ahead) + 1):
                best = int(target[ahead[place - 2], ahead[place - 1]].argmax())
                tokens.append(best)
                if place == len(ahead) or ahead[place] != best:
                    break
        answer = oracle.written(target, prompt, 30)
        assert tokens[2:32] == answer
        assert oracle.steps_needed(draft, answer, prompt, gamma) == steps


# ---- Task 7: prefixes, eviction and orders


def test_the_trie_finds_what_comparing_with_every_cached_sequence_finds(checks, rng):
    for size in (1, 2, 3):
        script, cached = checks.tries.Script(size), dict[tuple[int, ...], int]()
        for _ in range(150):
            tokens = [int(one) for one in rng.integers(0, 2, size=int(rng.integers(0, 12)))]
            prefixes = [tuple(tokens[: i * size]) for i in range(1, len(tokens) // size + 1)]
            known = sum(one in cached for one in prefixes)
            if rng.random() < 0.6:
                assert script.do("insert", tokens) == known
                numbers = script.operations[-1][1][1]
                cached |= {one: number for one, number in zip(prefixes, numbers, strict=True) if one not in cached}
            elif rng.random() < 0.7:
                assert script.do("match", tokens) == [cached[one] for one in prefixes[:known]]
            else:
                for gone in script.do("evict", 2):
                    (key,) = (one for one, number in cached.items() if number == gone)
                    assert not [one for one in cached if one != key and one[: len(key)] == key], (
                        "a page hangs in the air"
                    )
                    del cached[key]
        assert len(script.trie) == len(cached)


def test_runs_of_pages_go_as_they_would_one_by_one(checks, rng):
    first = int(rng.integers(1000))
    for seed in range(8):
        tries = []
        for _ in range(2):
            script = checks.tries.random_script(np.random.default_rng([seed, first]), 60, 2)
            script.trie = checks.tries.Trie(2)
            for (method, arguments), _ in zip(script.operations[:-1], script.answers, strict=False):
                getattr(script.trie, method)(*arguments)
            tries.append(script.trie)
        for count in (1, 4, 9, 3):
            assert tries[0].evict(count) == checks.tries.evict_fast(tries[1], count)


def test_the_best_order_is_the_best_of_all_orders(checks, rng):
    oracle = checks.radix
    start = [7, 7, 7]
    prompts = [[*start, i // 3, i // 2, *range(i)] for i in rng.permutation(6)]
    longest = max(map(len, prompts))
    found = [
        checks.tries.found_tokens(lambda *_, order=order: list(order), prompts, window=6, batch=6, capacity=longest)
        for order in itertools.permutations(range(6))
    ]
    assert max(found) == oracle.most_tokens(prompts)
    assert max(oracle.in_a_row(prompts, order) for order in itertools.permutations(range(6))) == max(found)
    assert min(found) < max(found)


@pytest.mark.parametrize("freedom", range(1, 12))
def test_the_tail_of_chi_square_is_scipys(checks, freedom):
    for distance in (0.0, 1e-9, 0.3, 1.0, 7.5, 30.0, 250.0):
        found = checks.speculation.chi_square_tail(distance, freedom)
        assert found == pytest.approx(stats.chi2.sf(distance, freedom), rel=1e-11)
