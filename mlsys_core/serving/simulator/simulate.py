"""The loop: requests come, a step is chosen, the clock moves on by what the step takes.

Idea      Between two steps nothing changes, so time jumps from step to step, and over idle time to the next arrival. There is no
          chance in it: a trace and a scheduler have one result.
Equation  now ← now + seconds(batch)
Paper     G.-I. Yu et al., "Orca", OSDI 2022, algorithm 1 (the loop of an engine).
Cost      About a microsecond a token and 10 a step.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from mlsys_core.serving.simulator.metrics import Meter, Result
from mlsys_core.serving.simulator.schedulers import Scheduler
from mlsys_core.serving.simulator.sequence import Sequence
from mlsys_core.serving.simulator.timing import StepModel
from mlsys_core.serving.simulator.trace import Request


def simulate(requests: Iterable[Request], scheduler: Scheduler, model: StepModel) -> Result:
    """Serves all requests by a scheduler that has none yet. Raises ValueError for a request that can never be served."""
    coming = deque(sorted(requests, key=lambda request: request.arrival_s))
    sequences, meter, now = [], Meter(), 0.0
    while coming or scheduler.running or scheduler.waiting:
        while coming and coming[0].arrival_s <= now:
            sequences.append(Sequence(coming.popleft()))
            scheduler.add(sequences[-1])
        batch = scheduler.schedule(now)
        if batch.tokens:
            seconds = model.seconds(batch)
            meter.step(scheduler, seconds)
            now += seconds
            scheduler.complete(batch, now)
        else:
            now = coming[0].arrival_s
    return meter.result(sequences, now)
