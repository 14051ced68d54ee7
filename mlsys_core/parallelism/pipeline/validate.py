"""Whether a schedule can run: each action once, no deadlock, no more activations than promised; and if not, why.

Idea      A rank runs its actions in its own order, and each waits for what others make. Running the schedule without doing any
          work finds every deadlock. Sends may be buffered, or blocking: then a rank goes on only when the other side is ready to receive.
          GPipe and 1F1B need receives posted for the next action, interleaved schedules for the next two.
Equation  A schedule ends exactly when the orders of the ranks and the needs of the actions have no cycle together.
Paper     D. Narayanan et al., SC 2021, section 2.2 (order and memory); Message Passing Interface Forum, "MPI", 1994, section 3.5
          (blocking sends).
Cost      One visit an action.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from mlsys_core.parallelism.pipeline.schedule import Action, Kind, Product, Schedule


class ScheduleError(ValueError):
    """A schedule that cannot run as it promises."""


def validate(schedule: Schedule, *, receives_ahead: int | None = 2) -> None:
    """Raises ScheduleError with all that `faults` finds."""
    if found := faults(schedule, receives_ahead=receives_ahead):
        raise ScheduleError(f"{schedule.name} cannot run: " + " ".join(found))


def faults(schedule: Schedule, *, receives_ahead: int | None = 2) -> list[str]:
    """Sentences that say what is wrong, none for a valid schedule.

    Sends wait until their receive is posted, which a rank does for its next `receives_ahead` actions; None means that sends
    never wait. Actions that are missing, twice or out of range are told first; order and memory once these are right.
    """
    found = [fault for rank in range(schedule.ranks) for fault in _faults_of_actions(schedule, rank)]
    if len(schedule.actions) != schedule.ranks or found:
        return found or [f"It lists the actions of {len(schedule.actions)} ranks and has {schedule.ranks}."]
    try:
        for _ in run_order(schedule):
            pass
        if receives_ahead is not None:
            _run_blocking(schedule, receives_ahead)
    except ScheduleError as error:
        return [str(error)]
    held = in_flight(schedule)
    return [
        f"Rank {rank} holds {most} activations at once and promises at most {slots}."
        for rank, (most, slots) in enumerate(zip(held, schedule.slots, strict=True))
        if most > slots
    ]


def run_order(schedule: Schedule) -> Iterator[tuple[int, Action]]:
    """Every action with its rank, each after what it needs. Raises ScheduleError where no rank can go on."""
    there: set[Product] = set()
    place = [0] * schedule.ranks
    moved = True
    while moved:
        moved = False
        for rank, actions in enumerate(schedule.actions):
            while place[rank] < len(actions) and there.issuperset(schedule.needs(rank, actions[place[rank]])):
                action = actions[place[rank]]
                yield rank, action
                if (product := schedule.makes(rank, action)) is not None:
                    there.add(product)
                place[rank] += 1
                moved = True
    waits = [
        f"rank {rank} at {actions[place[rank]]} for {_first_missing(schedule, rank, actions[place[rank]], there)}"
        for rank, actions in enumerate(schedule.actions)
        if place[rank] < len(actions)
    ]
    if waits:
        raise ScheduleError(f"No rank can go on; these wait: {'; '.join(waits)}.")


def in_flight(schedule: Schedule) -> list[int]:
    """The most activations that each rank holds at once: forwards whose backward (or gradient of weights) is not done."""
    most = []
    for actions in schedule.actions:
        now = highest = 0
        for action in actions:
            now += {Kind.FORWARD: 1, Kind.BACKWARD: -1, Kind.INPUT: 0, Kind.WEIGHT: -1}[action.kind]
            highest = max(highest, now)
        most.append(highest)
    return most


def _faults_of_actions(schedule: Schedule, rank: int) -> Iterator[str]:
    actions = schedule.actions[rank] if rank < len(schedule.actions) else ()
    for action, times in Counter(actions).items():
        if not (0 <= action.microbatch < schedule.microbatches and 0 <= action.chunk < schedule.chunks):
            yield f"Rank {rank} runs {action}, and there is no such microbatch or chunk."
        elif times > 1:
            yield f"Rank {rank} runs {action} {times} times."
    for chunk in range(schedule.chunks):
        for m in range(schedule.microbatches):
            kinds = {kind for kind in Kind if Action(kind, m, chunk) in actions}
            if kinds not in ({Kind.FORWARD, Kind.BACKWARD}, {Kind.FORWARD, Kind.INPUT, Kind.WEIGHT}):
                yield _fault_of_kinds(rank, Action(Kind.FORWARD, m, chunk), kinds)


def _fault_of_kinds(rank: int, forward: Action, kinds: set[Kind]) -> str:
    where = f"microbatch {forward.microbatch} in chunk {forward.chunk}"
    if Kind.FORWARD not in kinds:
        return f"Rank {rank} never runs the forward of {where}."
    if Kind.BACKWARD in kinds:
        return f"Rank {rank} runs the backward of {where} as a whole and in parts."
    return f"Rank {rank} never runs the whole backward of {where}."


def _first_missing(schedule: Schedule, rank: int, action: Action, there: set[Product]) -> Product:
    return next(product for product in schedule.needs(rank, action) if product not in there)


def _run_blocking(schedule: Schedule, ahead: int) -> None:
    """Runs the schedule with sends that end when the receive is posted, and receives posted for `ahead` actions.

    Before an action a rank waits for what the action needs, and for the send of what its action before made.
    """
    place, taken = [0] * schedule.ranks, set[Product]()
    before = None
    while before != (before := (sum(place), len(taken))):
        for rank, actions in enumerate(schedule.actions):
            sent = _sent(schedule, rank, place[rank])
            to = None if sent is None else schedule.goes_to(sent)
            if to is not None and sent not in taken and sent in _posted(schedule, to, place[to], ahead):
                taken.add(sent)
            left = to is None or sent in taken
            if left and place[rank] < len(actions) and taken.issuperset(_posted(schedule, rank, place[rank], 1)):
                place[rank] += 1
    stuck = [
        f"rank {rank} before {actions[place[rank]]}"
        for rank, actions in enumerate(schedule.actions)
        if place[rank] < len(actions)
    ]
    if stuck:
        raise ScheduleError(
            f"With sends that wait for receives posted {ahead} actions ahead no rank can go on: {'; '.join(stuck)}."
        )


def _sent(schedule: Schedule, rank: int, place: int) -> Product | None:
    return schedule.makes(rank, schedule.actions[rank][place - 1]) if place else None


def _posted(schedule: Schedule, rank: int, place: int, ahead: int) -> set[Product]:
    """What a rank is ready to receive before action `place`."""
    return {
        product
        for action in schedule.actions[rank][place : place + ahead]
        for product in schedule.needs(rank, action)
        if schedule.rank_of(product.stage) != rank
    }
