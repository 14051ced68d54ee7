"""Task 4: operations on a block manager and what they must do, replays in a memory of the judge's own, and attention over pages."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

Operation = list[Any]
EVERY = 25  # operations between two looks at a trace
WEIGHTS = (0.12, 0.5, 0.1, 0.08, 0.07, 0.07, 0.06)


class Ledger:
    """What a block manager must do, told without block numbers: each block is a fresh name, and holders are counted by looking.

    `steps` are the operations so far with the sequences that are live after each, the error it must raise, and the blocks then free.
    """

    def __init__(self, num_blocks: int, block_size: int) -> None:
        self.num_blocks, self.block_size = num_blocks, block_size
        self.tables: dict[int, list[int]] = {}
        self.lengths: dict[int, int] = {}
        self.names = itertools.count()
        self.steps: list[dict[str, Any]] = []

    @property
    def free(self) -> int:
        """Blocks that no sequence holds."""
        return self.num_blocks - len({block for table in self.tables.values() for block in table})

    def do(self, method: str, *arguments: int) -> str:
        """Note one operation; returns the name of its error, or nothing."""
        copied = [False]
        error = self._error(method, *arguments) or self._change(method, copied, *arguments)
        step = {"operation": [method, list(arguments)], "live": sorted(self.tables), "error": error}
        self.steps.append(step | {"free": self.free, "copies": copied[0], "look": True})
        return error

    def _error(self, method: str, sequence: int, other: int = 0) -> str:
        if method in {"append", "fork", "preempt"} and sequence not in self.tables:
            return "KeyError"
        if (method == "free" and sequence not in self.lengths) or (
            method == "restore" and (sequence in self.tables or sequence not in self.lengths)
        ):
            return "KeyError"
        new = {"allocate": sequence, "fork": other}.get(method)
        return "ValueError" if new in self.lengths else ""

    def _change(self, method: str, copied: list[bool], sequence: int, other: int = 0) -> str:
        need, shares = 0, False
        if method == "append":
            last = self.tables[sequence][-1:]
            shares = sum(last[0] in table for table in self.tables.values()) > 1 if last else False
            full = self.lengths[sequence] % self.block_size == 0
            need, shares = int(full or shares), shares and not full
        elif method in {"allocate", "restore"}:
            need = -(-(other if method == "allocate" else self.lengths[sequence]) // self.block_size)
        if need > self.free:
            return "OutOfBlocks"
        fresh, copied[0] = [next(self.names) for _ in range(need)], shares
        if method == "append":
            self.tables[sequence] = self.tables[sequence][: -1 if shares else None] + fresh
            self.lengths[sequence] += 1
        elif method in {"allocate", "restore"}:
            self.tables[sequence] = fresh
            self.lengths[sequence] = other if method == "allocate" else self.lengths[sequence]
        elif method == "fork":
            self.tables[other], self.lengths[other] = list(self.tables[sequence]), self.lengths[sequence]
        else:
            self.tables.pop(sequence, None)
            if method == "free":
                del self.lengths[sequence]
        return ""


def random_ledger(rng: np.random.Generator, count: int, num_blocks: int, block_size: int) -> Ledger:
    """Operations of all kinds, some of which have to fail."""
    ledger, numbers = Ledger(num_blocks, block_size), itertools.count()
    for _ in range(count):
        live = sorted(ledger.tables)
        asleep = sorted(set(ledger.lengths) - set(live))
        kind = rng.choice(["allocate", "append", "fork", "free", "preempt", "restore", "wrong"], p=WEIGHTS)
        some = int(rng.choice(live)) if live else next(numbers)
        if kind == "allocate":
            number = next(numbers)
            if ledger.do("allocate", number, int(rng.integers(0, 4 * block_size))) and rng.random() < 0.5:
                ledger.do("free", number)  # it is not there
        elif kind == "fork":
            ledger.do("fork", some, next(numbers))
        elif kind == "restore" or (kind == "free" and asleep and rng.random() < 0.3):
            ledger.do(str(kind), int(rng.choice(asleep)) if asleep else some)
        elif kind == "wrong":
            method = str(rng.choice(["append", "preempt", "free", "restore", "allocate", "fork"]))
            known = int(rng.choice(asleep)) if asleep and rng.random() < 0.6 else some
            known = known if method in {"allocate", "restore"} or rng.random() < 0.5 else next(numbers)
            ledger.do(method, *([known, 3] if method == "allocate" else [some, known] if method == "fork" else [known]))
        else:
            ledger.do(str(kind), some)
    return ledger


def call(ledger: Ledger) -> dict[str, Any]:
    """The arguments of the driver's `run_blocks`."""
    return {
        "num_blocks": ledger.num_blocks,
        "block_size": ledger.block_size,
        "operations": [step["operation"] for step in ledger.steps],
        "looks": [step["live"] for step in ledger.steps],
    }


class Replay:
    """A memory with a word for each token: every write is made where the student's manager says, every sequence read after each step."""

    def __init__(self, expect: Any, ledger: Ledger) -> None:
        self.expect, self.ledger = expect, ledger
        self.memory = np.full((ledger.num_blocks, ledger.block_size), -1)
        self.words = itertools.count()
        self.tokens: dict[int, list[int]] = {}
        self.saved: dict[int, np.ndarray] = {}

    def run(self, got: Any, *, frugal: bool = True) -> list[int]:
        """Blocks in use after each step; `frugal` asks for errors, copies and free blocks exactly as in the ledger."""
        steps, that = self.ledger.steps, self.expect.that
        that(isinstance(got, list) and len(got) == len(steps), "the manager did not get through all operations")
        used = []
        for number, (step, answer) in enumerate(zip(steps, got, strict=True)):
            method, arguments = step["operation"]
            said = f"operation {number}, {method}({', '.join(map(str, arguments))})"
            form = isinstance(answer, dict) and {"error", "free", "tables", "returned"} <= answer.keys()
            form = form and (type(answer["error"]), type(answer["free"]), type(answer["tables"])) == (str, int, list)
            that(form, f"{said}: returned nothing that can be read")
            wanted = step["error"] or "no error"
            that(answer["error"] == step["error"], f"{said}: raised {answer['error'] or 'no error'}, expected {wanted}")
            if not step["error"]:
                self._apply(said, step, answer, frugal=frugal)
            tables = self._tables(said, step["live"], answer["tables"])
            held = {block for table in tables.values() for block in table}
            for sequence, table in tables.items():
                self._read(said, sequence, table)
            if frugal:
                that(answer["free"] == step["free"], f"{said}: {answer['free']} blocks are free, not {step['free']}")
                kept = len(held) + step["free"] == self.ledger.num_blocks
                that(kept, f"{said}: {len(held)} blocks stand in tables and {step['free']} are free")
            if step["look"]:
                used.append(len(held))
        return used

    def _apply(self, said: str, step: dict[str, Any], answer: dict[str, Any], *, frugal: bool) -> None:
        method, (sequence, *rest) = step["operation"]
        tables = dict(zip(step["live"], answer["tables"], strict=False))
        if method == "allocate":
            self.tokens[sequence] = [next(self.words) for _ in range(rest[0])]
            self._write(said, sequence, tables.get(sequence))
        elif method == "append":
            self._append(said, sequence, answer["returned"], copies=step["copies"] if frugal else None)
        elif method == "fork":
            self.tokens[rest[0]] = list(self.tokens[sequence])
        elif method == "free":
            self.tokens.pop(sequence)
            self.saved.pop(sequence, None)
        elif method == "preempt":
            table = self._table(said, answer["returned"])
            self._read(said, sequence, table)
            self.saved[sequence] = self.memory[table].copy()
        elif method == "restore":
            table = self._table(said, answer["returned"])
            saved = self.saved.pop(sequence)[: len(table)]
            self.expect.that(table == tables.get(sequence), f"{said}: returned another table than table() does")
            self.memory[table[: len(saved)]] = saved

    def _append(self, said: str, sequence: int, place: Any, *, copies: bool | None) -> None:
        size, blocks = self.ledger.block_size, self.ledger.num_blocks
        formed = isinstance(place, list) and len(place) == 3 and all(type(one) is int for one in place[:2])
        formed = formed and 0 <= place[0] < blocks and 0 <= place[1] < size
        self.expect.that(formed, f"{said}: returned no place (block, offset, source)")
        block, offset, source = place
        self.expect.that(
            source is None or (type(source) is int and 0 <= source < blocks), f"{said}: the source is no block"
        )
        if copies is not None:
            word = "a block is shared and must be copied" if copies else "nothing has to be copied"
            self.expect.that((source is not None) == copies, f"{said}: {word}, and the source is {source}")
        if source is not None:
            self.memory[block] = self.memory[source]
        self.tokens[sequence].append(next(self.words))
        self.memory[block, offset] = self.tokens[sequence][-1]

    def _write(self, said: str, sequence: int, table: Any) -> None:
        table, tokens = self._table(said, table), self.tokens[sequence]
        size = self.ledger.block_size
        self.expect.that(len(table) * size >= len(tokens), f"{said}: {len(table)} blocks hold no {len(tokens)} tokens")
        for at, word in enumerate(tokens):
            self.memory[table[at // size], at % size] = word

    def _tables(self, said: str, live: Sequence[int], got: Any) -> dict[int, list[int]]:
        self.expect.that(isinstance(got, list) and len(got) == len(live), f"{said}: not every sequence has a table")
        return {sequence: self._table(said, table) for sequence, table in zip(live, got, strict=True)}

    def _table(self, said: str, table: Any) -> list[int]:
        formed = isinstance(table, list) and all(
            type(one) is int and 0 <= one < self.ledger.num_blocks for one in table
        )
        self.expect.that(formed and len(set(table)) == len(table), f"{said}: a table is no list of different blocks")
        return list(table)

    def _read(self, said: str, sequence: int, table: list[int]) -> None:
        tokens, size = self.tokens[sequence], self.ledger.block_size
        self.expect.that(len(table) * size >= len(tokens), f"{said}: sequence {sequence} has too few blocks")
        found = self.memory[table].reshape(-1)[: len(tokens)].tolist()
        if found != tokens:
            wrong = [at for at, (one, other) in enumerate(zip(found, tokens, strict=True)) if one != other]
            self.expect.that(
                not wrong, f"{said}: sequence {sequence} no longer has what was written for token {wrong[0]}"
            )


def serving_trace(rng: np.random.Generator, requests: int, block_size: int) -> Ledger:
    """Prompts, answers in parallel that fork from some of them, and long generations; there is room for all."""
    ledger, numbers, left = Ledger(1 << 14, block_size), itertools.count(), dict[int, int]()
    waiting = [(int(rng.integers(100, 300)), int(rng.integers(20, 90))) for _ in range(requests)]
    while waiting or left:
        if waiting and len(left) < 8:
            prompt, answer = waiting.pop()
            first = next(numbers)
            ledger.do("allocate", first, prompt)
            left[first] = answer
            for _ in range(int(rng.choice([0, 0, 1, 3]))):
                left[other := next(numbers)] = int(rng.integers(20, 90))
                ledger.do("fork", first, other)
        for sequence in list(left):
            ledger.do("append", sequence)
            left[sequence] -= 1
            if not left[sequence]:
                del left[sequence]
                ledger.do("free", sequence)
    for number, step in enumerate(ledger.steps):
        step["look"] = number % EVERY == 0
        if not step["look"]:  # tables are looked at now and then, and where a prompt has to be written
            step["live"] = step["operation"][1][:1] if step["operation"][0] == "allocate" else []
    return ledger


def wasted(ledger: Ledger, used: Sequence[int]) -> float:
    """The share of slots in used blocks that hold no token of any sequence, a token that is shared counted once."""
    slots = held = 0
    replayed, looked = Ledger(ledger.num_blocks, ledger.block_size), iter(used)
    for step in ledger.steps:
        method, arguments = step["operation"]
        replayed.do(method, *arguments)
        if not step["look"]:
            continue
        blocks, fullness = next(looked), dict[int, int]()
        for sequence, table in replayed.tables.items():
            for at, name in enumerate(table):
                fullness[name] = min(ledger.block_size, replayed.lengths[sequence] - at * ledger.block_size)
        held, slots = held + sum(fullness.values()), slots + blocks * ledger.block_size
    return 1.0 - held / slots


def check_decoded(expect: Any, got: Any, pages: dict[str, np.ndarray], dtype: str, *, roundings: float = 16.0) -> None:
    """A result of `paged_decode`: without findings of the meter, and near to attention in float64."""
    form = isinstance(got, dict) and {"out", "findings", "kept"} <= got.keys() and isinstance(got["findings"], list)
    expect.that(form, "the call returned nothing that can be read")
    expect.that(not got["findings"], f"the meter found: {'; '.join(map(str, got['findings']))}")
    expect.that(got["kept"] is True, "an input was changed")
    expect.near(got["out"], attention(**pages), dtype, what="the result", roundings=roundings)


def random_pages(
    rng: np.random.Generator,
    lengths: Sequence[int],
    *,
    heads: int,
    kv_heads: int,
    dim: int,
    block_size: int,
    dtype: str = "float32",
    shared: bool = False,
    rising: bool = False,
) -> dict[str, np.ndarray]:
    """Arguments of `paged_decode`: shuffled blocks, `nan` in every slot that holds no token, wild entries behind the tables' ends.

    With `rising`, keys grow along the sequence, and with them the largest score so far.
    """
    needed = [-(-length // block_size) for length in lengths]
    longest, blocks = max(1, *needed) + 1, sum(needed) + 3
    order, tables = rng.permutation(blocks), rng.integers(-9, 1 << 30, size=(len(lengths), longest)).astype(np.int32)
    k, v = (np.full((blocks, block_size, kv_heads, dim), np.nan, dtype) for _ in "kv")
    at = 0
    for row, (length, count) in enumerate(zip(lengths, needed, strict=True)):
        tables[row, :count] = order[at : at + count]
        at += count
        if shared and row and count and needed[row - 1]:
            tables[row, 0] = tables[row - 1, 0]  # a full first block of the prompt, which two sequences have
        for token in range(length):
            slot = tables[row, token // block_size], token % block_size
            k[slot], v[slot] = rng.normal(size=(2, kv_heads, dim))
            k[slot] *= (token + 1) / length if rising else 1.0
    q = rng.normal(size=(len(lengths), heads, dim)).astype(dtype)
    sizes = np.array(lengths, np.int32)
    return {"q": q, "k_cache": k, "v_cache": v, "block_tables": tables, "lengths": sizes}


def attention(
    q: np.ndarray, k_cache: np.ndarray, v_cache: np.ndarray, block_tables: np.ndarray, lengths: np.ndarray
) -> np.ndarray:
    """Gather the pages of each sequence, then softmax, in float64; zeros where there is no token."""
    out = np.zeros(q.shape)
    group = q.shape[1] // k_cache.shape[2]
    for row, length in enumerate(lengths):
        used = block_tables[row, : -(-int(length) // k_cache.shape[1])]
        k, v = (c[used].reshape(-1, *c.shape[2:])[:length].astype(np.float64) for c in (k_cache, v_cache))
        for head in range(q.shape[1] if length else 0):
            scores = k[:, head // group] @ q[row, head].astype(np.float64) / np.sqrt(q.shape[2])
            share = np.exp(scores - scores.max())
            out[row, head] = share @ v[:, head // group] / share.sum()
    return out
