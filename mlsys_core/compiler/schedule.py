"""Schedules of several definitions: which are computed inside which, and the log of steps that makes a schedule again.

Idea      What stands between a producer and its consumer is memory. An elementwise producer can vanish into its consumer (`inline`), an
          elementwise consumer into the reduction before it (`fuse_epilogue`), and any producer can be computed at a loop of its consumer,
          just the part that is read there (`compute_at`).
Equation  y = f(g(x)):  traffic 4n of two loops, 2n of one
Paper     J. Ragan-Kelley et al., "Halide", PLDI 2013 (compute_at, inline); T. Chen et al., "TVM", OSDI 2018, section 3 (operator fusion).
Cost      Inlining computes a producer once a read instead of once an element; compute_at once a pass of the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from mlsys_core.compiler.expressions import Expr, Load, Var, loads, rewrite, substitute
from mlsys_core.compiler.ir import Compute, Program, Tensor
from mlsys_core.compiler.loops import Loops, ScheduleError
from mlsys_core.compiler.lower import lower
from mlsys_core.compiler.stage import Stage, Step


class Schedule:
    """The stages behind some outputs, producers first; `schedule["C"]` is the stage of tensor C.

    Every step is written down in `steps`, in the form that JSON has and `replay` takes.
    """

    def __init__(self, *outputs: Tensor) -> None:
        self.outputs, self.steps = outputs, list[Step]()
        self.stages: dict[str, Stage] = {}
        self.inputs: dict[str, Tensor] = {}
        for output in outputs:
            self._visit(output)

    def _visit(self, tensor: Tensor) -> None:
        known = self.inputs.get(tensor.name) or (tensor.name in self.stages and self.stages[tensor.name].tensor)
        if known:
            if known is not tensor:
                raise ValueError(f"Two tensors are called {tensor.name}; a schedule speaks of tensors by name.")
            return
        if tensor.compute is None:
            self.inputs[tensor.name] = tensor
            return
        for load in tensor.compute.reads():
            self._visit(load.tensor)
        self.stages[tensor.name] = Stage(tensor, Loops.of(tensor.compute), steps=self.steps, verify=self._verify)

    def _verify(self) -> None:
        """Where stages are computed inside others, a step in one may be wrong for another: the whole nest is made."""
        if any(stage.attached for stage in self.stages.values()):
            self.lower()

    def __getitem__(self, name: str) -> Stage:
        if name not in self.stages:
            raise ScheduleError(f"There is no stage {name}; there are {', '.join(self.stages)}.")
        return self.stages[name]

    def definition(self, name: str) -> Compute:
        """How a stage's elements are defined."""
        found = self[name].tensor.compute
        assert found is not None
        return found

    def consumers(self, name: str) -> list[str]:
        """Stages that read a stage."""
        return [s for s in self.stages if s != name and any(r.tensor.name == name for r in self.definition(s).reads())]

    def lower(self, name: str = "kernel") -> Program:
        """The loop nest that this schedule describes."""
        return lower(self.stages, tuple(self.inputs.values()), self.outputs, name)

    def _is_output(self, name: str) -> bool:
        return any(output.name == name for output in self.outputs)

    def _elementwise(self, name: str) -> Compute:
        definition = self.definition(name)
        if definition.reduces:
            raise ScheduleError(f"{name} reduces, so it is not computed element by element; use compute_at.")
        return definition

    def inline(self, name: str) -> None:
        """Puts a producer's expression where its consumers read it; it is no longer a stage."""
        definition = self._elementwise(name)
        if self._is_output(name):
            raise ScheduleError(f"{name} is an output: it has to be written.")
        if self[name].attached or any(name in self[c].packs for c in self.consumers(name)):
            raise ScheduleError(f"{name} already has a place in memory; inline it before that.")
        self._hosts_nothing(name)

        def expand(e: Expr) -> Expr | None:
            if not isinstance(e, Load) or e.tensor.name != name:
                return None
            index = dict(zip((axis.name for axis in definition.axes), e.index, strict=True))
            return substitute(definition.body, {axis: rewrite(i, expand) for axis, i in index.items()})

        for consumer in self.consumers(name):
            self._redefine(consumer, lambda e: rewrite(e, expand))
        del self.stages[name]
        self.steps.append([name, "inline"])

    def _hosts_nothing(self, *names: str) -> None:
        for stage in self.stages.values():
            if stage.attached and stage.attached[0] in names:
                raise ScheduleError(
                    f"{stage.tensor.name} is computed at a loop of {stage.attached[0]}; fuse before that."
                )

    def _redefine(self, name: str, change: Callable[[Expr], Expr]) -> None:
        old = self.definition(name)
        new = replace(old, body=change(old.body), post=None if old.post is None else change(old.post))
        self._replace(name, replace(self[name].tensor, compute=new))

    def _replace(self, name: str, tensor: Tensor) -> None:
        """Gives a stage another tensor of the same name, in the stage, in its consumers and among the outputs."""
        old = self.stages[name].tensor
        self.stages[name].tensor = tensor
        self.outputs = tuple(tensor if output is old else output for output in self.outputs)

        def rename(e: Expr) -> Expr | None:
            return (
                Load(tensor, tuple(rewrite(i, rename) for i in e.index))
                if isinstance(e, Load) and e.tensor is old
                else None
            )

        for consumer in self.consumers(name):
            self._redefine(consumer, lambda e: rewrite(e, rename))

    def fuse_epilogue(self, name: str) -> None:
        """Computes an elementwise consumer of a reduction on each element as soon as it is reduced; the reduction takes its name."""
        definition = self._elementwise(name)
        reads = [load for load in loads(definition.body) if load.tensor.name in self.stages]
        producers = {load.tensor.name for load in reads if self.definition(load.tensor.name).reduces}
        plain = tuple(Var(axis.name) for axis in definition.axes)
        if len(producers) != 1 or any(load.index != plain for load in reads if load.tensor.name in producers):
            raise ScheduleError(f"{name} has to read the elements of one reduction, each at its own place.")
        (producer,) = producers
        self._hosts_nothing(name, producer)
        if self.consumers(producer) != [name] or self._is_output(producer) or self[producer].attached:
            raise ScheduleError(f"{producer} is needed elsewhere too, so its elements have to be kept.")
        stage, reduced = self[producer], self.definition(producer)
        if reduced.post is not None:
            raise ScheduleError(f"{producer} already has an epilogue.")
        names = {axis.name: Var(own.name) for axis, own in zip(definition.axes, reduced.axes, strict=True)}
        tensor = replace(self[name].tensor, compute=reduced)

        def own(e: Expr) -> Expr | None:
            is_reduced = isinstance(e, Load) and e.tensor.name == producer
            return (
                Load(tensor, tuple(names.values())) if is_reduced else names.get(e.name) if isinstance(e, Var) else None
            )

        self.steps.append([name, "fuse_epilogue"])
        self._replace(name, replace(tensor, compute=replace(reduced, post=rewrite(definition.body, own))))
        stage.tensor = self[name].tensor
        self.stages = {s: stage if s == name else other for s, other in self.stages.items() if s != producer}

    def compute_at(self, name: str, consumer: str, loop: str) -> None:
        """Computes of a producer what a loop of its consumer reads, right before that loop, into a buffer."""
        stage = self[name]
        self[consumer]._there(loop)  # noqa: SLF001 - a sentence that both files say
        if self._is_output(name):
            raise ScheduleError(f"{name} is an output: it has to be written whole.")
        here = {consumer} | {s for s, other in self.stages.items() if other.attached == (consumer, loop)}
        if stray := [c for c in self.consumers(name) if c not in here]:
            raise ScheduleError(
                f"{name} is also read by {', '.join(stray)}, which is not computed at {loop} of {consumer}."
            )
        if stage.attached or self[consumer].attached:
            raise ScheduleError(f"{name} or {consumer} is already computed at another loop.")
        stage.attached = (consumer, loop)
        try:
            self.lower()
        except ScheduleError:
            stage.attached = None
            raise
        self.steps.append([name, "compute_at", consumer, loop])


def replay(outputs: Sequence[Tensor], steps: Sequence[Step]) -> Schedule:
    """The schedule that these steps make."""
    schedule = Schedule(*outputs)
    for stage, name, *arguments in steps:
        if name in {"inline", "fuse_epilogue", "compute_at"}:
            getattr(schedule, name)(stage, *arguments)
        else:
            getattr(schedule[stage], name)(*arguments)
    return schedule
