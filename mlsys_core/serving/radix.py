"""A tree of all prefixes that are stored: each edge is a run of tokens with the pages that hold its keys and values.

Idea      Prompts share their beginnings: a system's instructions, examples, the turns of a conversation so far. A radix tree finds
          the longest beginning that is stored in one walk, cuts an edge where two texts part, and gives up memory at its leaves, least
          recently used first, so that what many share goes last. Whoever uses a path locks it.
Equation  match(t) = the longest stored prefix of t in whole pages;   evictable pages = Σ over nodes without a lock of their pages
Paper     L. Zheng et al., "SGLang: efficient execution of structured language model programs", NeurIPS 2024, section 3
          (RadixAttention).
Cost      O(tokens) to match or insert; to evict p pages O(nodes + p log nodes).

Pages are numbers that the caller gives (blocks of `blocks`); the tree knows nothing of memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heappush

Page = tuple[int, ...]  # the tokens of one page


class Node:
    """The end of an edge: `runs` are the pages' tokens from its parent to here, `pages` where they are kept."""

    def __init__(self, parent: Node | None, runs: list[Page], pages: list[int], used: int) -> None:
        self.parent, self.runs, self.pages, self.used = parent, runs, pages, used
        self.children: dict[Page, Node] = {}
        self.locks = 0

    def path(self) -> Iterator[Node]:
        """This node and those above it, without the root."""
        node: Node = self
        while node.parent is not None:
            yield node
            node = node.parent


class RadixCache:
    """Prefixes in whole pages of `page_size` tokens. A lock on a node holds all pages from the root to it."""

    def __init__(self, page_size: int) -> None:
        if page_size < 1:
            raise ValueError(f"Pages of {page_size} tokens hold nothing: give at least 1.")
        self.page_size = page_size
        self.root = Node(None, [], [], 0)
        self.size = self.evictable = 0  # pages stored; those of them that no lock holds
        self._clock = 0

    def peek(self, tokens: Sequence[int]) -> list[int]:
        """The pages of the longest stored prefix. Asking changes nothing."""
        node, inside, _ = self._walk(self._runs(tokens))
        return _pages(node)[: -len(node.pages) + inside] if inside else _pages(node)

    def match_prefix(self, tokens: Sequence[int]) -> tuple[list[int], Node]:
        """The pages of the longest stored prefix, in order, and the node where it ends, for `lock`. Counts as use."""
        node, inside, _ = self._walk(self._runs(tokens))
        if inside:
            node = self._split(node, inside)
        self._touch(node)
        return _pages(node), node

    def insert(self, tokens: Sequence[int], pages: Sequence[int]) -> tuple[list[int], Node]:
        """Stores a prefix of whole pages. Returns the pages of its beginning that was stored before, and the node where it ends.

        The tree takes over `pages` from there on; those before stay the caller's. Raises ValueError for a part of a page.
        """
        runs = self._runs(tokens)
        if len(tokens) != len(pages) * self.page_size:
            raise ValueError(f"{len(tokens)} tokens are not {len(pages)} pages of {self.page_size}: give whole pages.")
        held, node = self.match_prefix(tokens)
        if len(held) < len(pages):
            leaf = Node(node, runs[len(held) :], list(pages[len(held) :]), self._clock)
            node.children[leaf.runs[0]] = leaf
            self.size += len(leaf.pages)
            self.evictable += len(leaf.pages)
            node = leaf
        return held, node

    def lock(self, node: Node) -> None:
        """Holds all pages down to this node until `unlock`."""
        for part in node.path():
            self.evictable -= len(part.pages) if not part.locks else 0
            part.locks += 1

    def unlock(self, node: Node) -> None:
        """Takes one lock back. Raises ValueError where there is none."""
        for part in node.path():
            if not part.locks:
                raise ValueError("A prefix was unlocked more often than it was locked: each lock is taken back once.")
            part.locks -= 1
            self.evictable += len(part.pages) if not part.locks else 0

    def evict(self, count: int) -> list[int]:
        """Gives up `count` pages, or all that no lock holds if those are fewer: always the end of the leaf used longest ago."""
        leaves = [(node.used, id(node), node) for node in self._nodes() if not node.children and not node.locks]
        heapify(leaves)
        given: list[int] = []
        while leaves and len(given) < count:
            _, _, leaf = heappop(leaves)
            while leaf.pages and len(given) < count:
                given.append(leaf.pages.pop())
                first = leaf.runs.pop()
            parent = leaf.parent
            if leaf.pages or parent is None:
                break
            del parent.children[first]
            if parent.parent is not None and not parent.children and not parent.locks:
                heappush(leaves, (parent.used, id(parent), parent))
        self.size -= len(given)
        self.evictable -= len(given)
        return given

    def _runs(self, tokens: Sequence[int]) -> list[Page]:
        """Whole pages of tokens; a rest that fills no page is left out."""
        size = self.page_size
        return [tuple(tokens[i * size : (i + 1) * size]) for i in range(len(tokens) // size)]

    def _walk(self, runs: Sequence[Page]) -> tuple[Node, int, int]:
        """Where the longest match ends: the node at or below that place, the pages into its edge (0: at its end), pages matched."""
        node, matched = self.root, 0
        while matched < len(runs) and runs[matched] in node.children:
            node = node.children[runs[matched]]
            inside = 0
            for own, other in zip(node.runs, runs[matched:], strict=False):
                if own != other:
                    break
                inside += 1
            matched += inside
            if inside < len(node.runs):
                return node, inside, matched
        return node, 0, matched

    def _split(self, node: Node, count: int) -> Node:
        """Cuts an edge after `count` pages and returns the new node there. The lower part is the old node, which others may know."""
        parent = node.parent
        assert parent is not None
        upper = Node(parent, node.runs[:count], node.pages[:count], node.used)
        upper.locks = node.locks
        parent.children[upper.runs[0]] = upper
        node.parent, node.runs, node.pages = upper, node.runs[count:], node.pages[count:]
        upper.children[node.runs[0]] = node
        return upper

    def _touch(self, node: Node) -> None:
        """A prefix is used: all of its nodes are the newest now."""
        self._clock += 1
        for part in node.path():
            part.used = self._clock

    def _nodes(self) -> Iterator[Node]:
        stack = list(self.root.children.values())
        while stack:
            node = stack.pop()
            stack += node.children.values()
            yield node


def _pages(node: Node) -> list[int]:
    """All pages from the root to a node."""
    return [page for part in reversed(list(node.path())) for page in part.pages]
