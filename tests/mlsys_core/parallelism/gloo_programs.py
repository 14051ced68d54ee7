"""Programs that run in real processes: they are pickled, so they are functions of a module."""

from __future__ import annotations

import os
import threading
import time

import torch
import torch.distributed as dist

from mlsys_core.parallelism import collectives
from mlsys_core.parallelism.collectives import ALL_REDUCE, all_reduce, barrier


def backend(comm):
    """What the interface promises, in one run: order, tags, views, empty messages, groups, transfers, counted bytes."""
    other = comm.rank ^ 1
    found = {}
    into = [torch.zeros(2) for _ in range(4)]
    asked = [comm.irecv(tensor, other) for tensor in into]
    for value in range(4):
        comm.send(torch.full((2,), value + 10.0 * comm.rank), other)
    for place in (2, 0, 3, 1):
        asked[place].wait()
    found["order"] = [tensor[0].item() - 10 * other for tensor in into]
    before = comm.sent_bytes
    comm.sendrecv(torch.zeros(0, 3), other, torch.zeros(0, 3), other)
    found["empty"] = comm.sent_bytes - before
    columns = torch.zeros(3, 4)
    comm.sendrecv(torch.arange(6.0).view(2, 3).t() + comm.rank, other, columns[:, ::2], other)
    found["view"] = (columns - other * (torch.arange(4) % 2 == 0)).tolist()
    found["beside"] = _beside(comm)
    found["groups"] = _groups(comm)
    found["bytes"] = comm.sent_bytes
    try:
        comm.isend(torch.zeros(1), comm.rank)
    except ValueError as error:
        found["self"] = str(error)
    return found


def _beside(comm):
    """Two transfers under way while the main track uses the same pairs of ranks."""
    first, second = torch.ones(5), torch.full((3,), 2.0)
    with torch.no_grad():
        works = [
            comm.start(lambda: all_reduce(first, comm)),
            comm.start(lambda: (all_reduce(second, comm), torch.is_grad_enabled())),
        ]
    main = all_reduce(torch.full((5,), 100.0), comm)
    for work in works:
        work.wait()
    try:
        comm.start(lambda: comm.start(lambda: None)).wait()
        refused = ""
    except RuntimeError as error:
        refused = str(error)
    return [first[0].item(), second[0].item(), main[0].item(), refused]


def _groups(comm):
    """Pairs, inside halves, and in reverse: messages of all are under way at once."""
    pair = [comm.rank & ~1, comm.rank | 1]
    one = comm.group(pair)
    reverse = comm.group(pair[::-1])
    into = [torch.zeros(1), torch.zeros(1), torch.zeros(1)]
    groups = [comm, one, reverse]
    works = []
    for place, group in enumerate(groups):
        partner = group.rank ^ 1
        works += [group.isend(torch.tensor([float(place)]), partner), group.irecv(into[place], partner)]
    for work in reversed(works):
        work.wait()
    return [tensor.item() for tensor in into]


def fails(comm, who):
    """One rank fails while the others wait for it."""
    if comm.rank == who:
        raise KeyError("the first failure")
    barrier(comm)


def vanishes(comm, who):
    """One rank is gone without a word."""
    if comm.rank == who:
        os._exit(3)
    barrier(comm)


def hangs(comm):
    """Nobody sends."""
    comm.recv(torch.zeros(1), (comm.rank + 1) % comm.size)


def many_results(comm):
    """More tensors than a process may have open files, some of them shared, and no promise to live on."""
    shared = torch.ones(3)
    return [torch.full((2,), float(place)) for place in range(300)] + [shared, shared]


def unpicklable(comm):
    """What cannot be sent back."""
    return threading.Lock()


def slow_thread(comm):
    """A transfer that nobody waits for still ends before its rank does."""
    tensor = torch.ones(4)
    comm.start(lambda: (time.sleep(0.05), all_reduce(tensor, comm)))
    return comm.size


def every_collective(comm, seed):
    """(ours, torch.distributed's) of each collective, on the same random tensors."""
    draws = torch.Generator().manual_seed(seed + comm.rank)

    def random(*shape):
        return torch.randn(*shape, generator=draws)

    found = {}
    for n in (0, 1, 6, 37):
        tensor = random(n)
        theirs = tensor.clone()
        dist.all_reduce(theirs)
        for name in ALL_REDUCE:
            found[f"all-reduce, {name}, {n}"] = (all_reduce(tensor.clone(), comm, name), theirs)
        if comm.size == 4:
            found[f"all-reduce, two levels, {n}"] = (collectives.two_level_all_reduce(tensor.clone(), comm, 2), theirs)
    found |= _parts(comm, random)
    for root in range(comm.size):
        tensor = random(3, 5)
        theirs = tensor.clone()
        dist.broadcast(theirs, root)
        found[f"broadcast, {root}"] = (collectives.broadcast(tensor.clone(), comm, root), theirs)
        theirs = tensor.clone()
        dist.reduce(theirs, root)
        # what torch leaves on the other ranks is not promised
        found[f"reduce, {root}"] = (
            collectives.reduce(tensor.clone(), comm, root),
            theirs if comm.rank == root else tensor,
        )
    return found


def _parts(comm, random):
    whole, part = random(comm.size * 3, 2), random(3, 2)
    ours, theirs = torch.empty(3, 2), torch.empty(3, 2)
    dist.reduce_scatter_tensor(theirs, whole.clone())
    found = {"reduce-scatter": (collectives.reduce_scatter_tensor(ours, whole, comm), theirs)}
    ours, theirs = torch.empty(comm.size * 3, 2), torch.empty(comm.size * 3, 2)
    dist.all_gather_into_tensor(theirs, part)
    found["all-gather"] = (collectives.all_gather_into_tensor(ours, part, comm), theirs)
    ours, theirs = torch.empty_like(whole), torch.empty_like(whole)
    dist.all_to_all_single(theirs, whole)
    found["all-to-all, even"] = (collectives.all_to_all_single(ours, whole, comm), theirs)
    go = [(comm.rank + 2 * to) % 3 for to in range(comm.size)]
    come = [(source + 2 * comm.rank) % 3 for source in range(comm.size)]
    rows, ours, theirs = random(sum(go), 2), torch.empty(sum(come), 2), torch.empty(sum(come), 2)
    dist.all_to_all_single(theirs, rows, come, go)
    found["all-to-all, uneven"] = (collectives.all_to_all_single(ours, rows, comm, come, go), theirs)
    return found
