"""Task 7: a trie with one page a node, random use of a cache, and how much an order finds in a small one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from radix_oracle import Operation, Order, check_answers

Page = tuple[int, ...]


class Leaf:
    """A page of the trie: its number, when it was used, how often it is locked, what continues it."""

    def __init__(self, number: int) -> None:
        self.number, self.used, self.locks = number, 0, 0
        self.children: dict[Page, Leaf] = {}


class Trie:
    """What a prefix cache must do, page by page, looking at every page whenever it evicts."""

    def __init__(self, page_size: int) -> None:
        self.page_size, self.clock = page_size, itertools.count(1)
        self.root = Leaf(-1)

    def pages_of(self, tokens: Sequence[int]) -> list[Page]:
        """The whole pages of these tokens."""
        whole = len(tokens) // self.page_size
        return [tuple(tokens[i * self.page_size : (i + 1) * self.page_size]) for i in range(whole)]

    def path(self, tokens: Sequence[int]) -> list[Leaf]:
        """The cached pages of the longest prefix."""
        found, at = [], self.root
        for page in self.pages_of(tokens):
            if page not in at.children:
                break
            at = at.children[page]
            found.append(at)
        return found

    def match(self, tokens: Sequence[int]) -> list[int]:
        """See the notebook."""
        return [leaf.number for leaf in self.touch(self.path(tokens))]

    def touch(self, path: list[Leaf]) -> list[Leaf]:
        """These pages were used now."""
        now = next(self.clock)
        for leaf in path:
            leaf.used = now
        return path

    def insert(self, tokens: Sequence[int], pages: Sequence[int]) -> int:
        """See the notebook."""
        path = self.path(tokens)
        known = len(path)
        for page, number in list(zip(self.pages_of(tokens), pages, strict=True))[known:]:
            above = path[-1] if path else self.root
            path.append(above.children.setdefault(page, Leaf(number)))
        self.touch(path)
        return known

    def lock(self, tokens: Sequence[int]) -> int:
        """See the notebook."""
        path = self.path(tokens)
        for leaf in path:
            leaf.locks += 1
        return len(path)

    def unlock(self, tokens: Sequence[int]) -> None:
        """See the notebook."""
        for leaf in self.path(tokens):
            leaf.locks -= 1

    def evict(self, count: int) -> list[int]:
        """See the notebook."""
        gone: list[int] = []
        while len(gone) < count:
            free = [
                (leaf.used, above, page) for above, page, leaf in self.all() if not leaf.children and not leaf.locks
            ]
            if not free:
                break
            _, above, page = min(free, key=lambda one: one[0])
            gone.append(above.children.pop(page).number)
        return gone

    def all(self) -> Iterator[tuple[Leaf, Page, Leaf]]:
        """Every page, with the one above it."""
        waiting = [self.root]
        while waiting:
            above = waiting.pop()
            waiting.extend(above.children.values())
            for page, leaf in above.children.items():
                yield above, page, leaf

    def __len__(self) -> int:
        return sum(1 for _ in self.all())


class Script:
    """Operations on a cache with the answers that they must have."""

    def __init__(self, page_size: int) -> None:
        self.page_size, self.trie = page_size, Trie(page_size)
        self.operations: list[Operation] = []
        self.answers: list[Any] = []
        self.numbers = itertools.count(100)

    def do(self, method: str, *arguments: Any) -> Any:
        """Note one operation; `insert` gets fresh page numbers."""
        if method == "insert":
            arguments = (*arguments, [next(self.numbers) for _ in range(len(arguments[0]) // self.page_size)])
        answer = getattr(self.trie, method)(*arguments)
        self.operations.append([method, [list(one) if isinstance(one, list) else one for one in arguments]])
        self.answers.append(answer)
        return answer

    def check(self, student: Any, expect: Any) -> None:
        """The same answers from the student's cache."""
        told = [(*operation, answer) for operation, answer in zip(self.operations, self.answers, strict=True)]
        check_answers(student, expect, self.page_size, told)


def random_script(rng: np.random.Generator, count: int, page_size: int, *, locks: bool = True) -> Script:
    """Sequences with common beginnings that part in the middle of pages too, used in random order."""
    script, held = Script(page_size), list[list[int]]()
    texts: list[list[int]] = [[]]
    for _ in range(count):
        start = texts[int(rng.integers(len(texts)))]
        tokens = start[: int(rng.integers(len(start) + 1))] if rng.random() < 0.7 else list(start)
        tokens = tokens + [int(one) for one in rng.integers(0, 2, size=int(rng.integers(0, 4 * page_size)))]
        texts = [*texts[-30:], tokens]
        kind = rng.choice(["match", "insert", "lock", "unlock", "evict"], p=[0.25, 0.4, 0.1, 0.1, 0.15])
        if kind == "lock" and locks:
            pages = script.do("lock", tokens)
            held.append(tokens[: pages * page_size])
        elif kind == "unlock" and held:
            script.do("unlock", held.pop(int(rng.integers(len(held)))))
        elif kind == "evict":
            script.do("evict", int(rng.integers(0, 6)))
        else:
            script.do("match" if kind == "match" else "insert", tokens)
    script.do("evict", 1 << 20)
    return script


def found_tokens(order: Order, prompts: Sequence[list[int]], *, window: int, batch: int, capacity: int) -> int:
    """Tokens found in an LRU cache of `capacity` tokens. `window` requests wait; the first `batch` of the order run, others arrive."""
    trie, coming, waiting, total, held = Trie(1), list(prompts), list[list[int]](), 0, 0
    while coming or waiting:
        waiting, coming = waiting + coming[: window - len(waiting)], coming[window - len(waiting) :]
        cached = [len(trie.path(one)) for one in waiting]
        first = order(waiting, cached)[:batch]
        for number in first:
            tokens = waiting[number]
            known = len(trie.match(tokens))
            total += known
            trie.lock(tokens)
            spare = capacity - held - (len(tokens) - known)
            held -= len(evict_fast(trie, -spare)) if spare < 0 else 0
            trie.unlock(tokens)
            trie.insert(tokens, [0] * len(tokens))
            held += len(tokens) - known
        waiting = [one for number, one in enumerate(waiting) if number not in set(first)]
    return total


def evict_fast(trie: Trie, count: int) -> list[int]:
    """As `Trie.evict`, but runs of pages go without looking at all others for each."""
    gone: list[int] = []
    while len(gone) < count:
        above = {id(leaf): (parent, page) for parent, page, leaf in trie.all()}
        leaves = [leaf for _, _, leaf in trie.all() if not leaf.children and not leaf.locks]
        if not leaves:
            break
        leaf = min(leaves, key=lambda one: one.used)
        used = leaf.used
        while len(gone) < count and leaf.number >= 0 and not leaf.children and not leaf.locks and leaf.used == used:
            parent, page = above[id(leaf)]
            gone.append(parent.children.pop(page).number)
            leaf = parent
    return gone
