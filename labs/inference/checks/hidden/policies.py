"""Task 5: static batching, and a scheduler to compare with."""

from __future__ import annotations

from typing import Any

LONGEST_ANSWER = 120  # what static batching reserves room for


def static(requests: list[list[int]], limits: dict[str, int]) -> dict[str, Any]:
    """A batch stays together until its longest answer is done; then the next one starts, prompts one after another."""
    size, budget = limits["block_size"], limits["token_budget"]
    held = [one for one in requests if one[2]]
    unfinished = [one for one in held if one[1] - one[2] > 1]
    if unfinished:
        number, tokens, cached, _ = unfinished[0]
        return {"chunks": [[number, cached, min(tokens, cached + budget)]], "preempt": []}
    fresh = not held or all(one[3] <= 1 for one in held)  # the batch is being put together
    longest, room = 0, limits["num_blocks"] - sum(-(-(one[1] + LONGEST_ANSWER) // size) for one in held)
    for number, tokens, cached, _ in requests:
        if not cached and fresh and len(held) < limits["max_requests"]:
            longest = -(-(tokens + LONGEST_ANSWER) // size)
            if longest <= room or not held:
                return {"chunks": [[number, 0, min(tokens, budget)]], "preempt": []}
            break
    return {"chunks": [[one[0], one[2], one[1]] for one in held[:budget]], "preempt": []}


def in_turn(requests: list[list[int]], limits: dict[str, int]) -> dict[str, Any]:
    """Decode first, then prompts in chunks, in order of arrival; the last to come gives way. It knows no answer's length."""
    size, budget, chunks, preempt = limits["block_size"], limits["token_budget"], [], []
    cached = {one[0]: one[2] for one in requests if one[2]}
    known = {one[0]: one[1] for one in requests}

    def free() -> int:
        return limits["num_blocks"] - sum(-(-count // size) for count in cached.values())

    for number in [number for number in cached if known[number] - cached[number] == 1]:
        while number in cached and cached[number] % size == 0 and free() < 1:
            preempt.append(max(cached))
            del cached[max(cached)]
            chunks = [chunk for chunk in chunks if chunk[0] in cached]
        if number in cached and len(chunks) < budget:
            chunks.append([number, cached[number], known[number]])
            cached[number] += 1
    budget -= len(chunks)
    for number, tokens in known.items():
        if number not in cached:
            owed = sum(-(-known[one] // size) - -(-count // size) for one, count in cached.items())
            if preempt or len(cached) >= limits["max_requests"] or -(-(tokens + 1) // size) > free() - owed:
                break
        start = cached.get(number, 0)
        count = min(tokens - start, budget, free() * size + -start % size)
        if count > 0 and tokens - start > (1 if start else 0):
            chunks.append([number, start, start + count])
            cached[number], budget = start + count, budget - count
        if budget <= 0:
            break
    return {"chunks": chunks, "preempt": preempt}
