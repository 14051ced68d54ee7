"""A lab's checks, collected by pytest once for each version of the lab and run many times.

The pytest session stays open between jobs: collecting costs a hundred milliseconds and importing the reference library more, so
neither is paid for each submission.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import pytest
from _pytest.config import _prepareconfig
from _pytest.runner import runtestprotocol

from ..checks.expect import CheckFailed
from ..checks.marks import CheckMarks, read_marks
from ..checks.plugin import MEASURE, PROVIDER, Provider
from ..contract import CheckInfo, CheckResult, Suite
from ..lab import Lab, LabError
from .channel import Stopped
from .proxy import JudgeProvider
from .scoring import Found, ReferenceFault, broke, crowded_out, score_check, unreadable

# Plugins of pytest that a judge does without. What is collected as garbage, or raised in another thread, while a check runs is not the
# check's fault, and these two would keep the interpreter's hooks for as long as the worker lives.
HOOKED = ("unraisableexception", "threadexception")
QUIET = ("terminal", "cacheprovider", "logging", "faulthandler", "stepwise", "junitxml", "capture", *HOOKED)


class _Recorder:
    """Keeps what the running check raised."""

    def __init__(self) -> None:
        self.raised: BaseException | None = None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Iterator[None]:  # a wrapper yields once and returns what it got
        if call.excinfo is not None and self.raised is None:
            self.raised = call.excinfo.value
        report = yield
        return report


class CheckSuite:
    """The collected checks of one lab version. Not for use from two threads at once."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._recorder = _Recorder()
        try:
            marked = {item: read_marks(item) for item in self._collect()}
        except pytest.UsageError as error:
            raise LabError(str(error)) from error
        self._items = [item for item, marks in marked.items() if lab.on_gpu or not marks.gpu]
        self.marks = {item.nodeid: marked[item] for item in self._items}
        self._items.sort(key=lambda item: self._position(self.marks[item.nodeid]))
        self._check_points()
        self.boards = self._boards({marks.name: marks for marks in marked.values()})

    def infos(self, suite: Suite, tasks: Sequence[str] = ()) -> list[CheckInfo]:
        """The checks of a suite, or of some of its tasks, in the order in which they run."""
        return [
            CheckInfo(m.name, m.task, m.title, m.points, m.hidden, m.measured)
            for m in (self.marks[item.nodeid] for item in self._chosen(suite, tasks))
        ]

    def run(
        self, suite: Suite, provider: JudgeProvider, take_output: Callable[[], str], tasks: Sequence[str] = ()
    ) -> Iterator[CheckMarks | CheckResult]:
        """Run the checks in turn: yields a check's marks before it runs and its result after. Raises `Stopped`."""
        items = self._chosen(suite, tasks)
        try:
            for item, following in zip(items, [*items[1:], None], strict=True):
                yield self.marks[item.nodeid]
                yield self._run_one(item, following, provider, take_output)
        finally:
            # a job that was stopped, or a check that broke, must not leave its fixtures to the next job
            items[0].session._setupstate.teardown_exact(None)  # noqa: SLF001 - pytest's own end of a session

    def _run_one(
        self, item: pytest.Item, following: pytest.Item | None, provider: JudgeProvider, take_output: Callable[[], str]
    ) -> CheckResult:
        started = time.perf_counter()
        raised = self._execute(item, following, provider)
        duration_ms = (time.perf_counter() - started) * 1e3
        if broke(raised) and self._execute(item, following, provider.standing_in()) is None:
            raised = unreadable(raised)
        if isinstance(raised, ReferenceFault) and (alone := provider.alone()) is not None:
            raised = crowded_out(raised) if self._execute(item, following, alone) is None else raised
        measure = item.stash.get(MEASURE, None)
        found = Found(raised, measure.recorded if measure else None, take_output(), duration_ms)
        return score_check(self.marks[item.nodeid], found)

    def _execute(self, item: pytest.Item, following: pytest.Item | None, provider: Provider) -> BaseException | None:
        """What the check raised; raises what is nothing of the check: `Stopped`, and the worker's own end."""
        item.config.stash[PROVIDER] = provider
        item._initrequest()  # type: ignore[attr-defined]  # noqa: SLF001 - pytest's own way to run an item again
        self._recorder.raised = None
        with warnings.catch_warnings():
            runtestprotocol(item, log=False, nextitem=following)
        raised = self._recorder.raised
        if isinstance(raised, Stopped | KeyboardInterrupt | SystemExit):
            raise raised
        return raised

    def _chosen(self, suite: Suite, tasks: Sequence[str]) -> list[pytest.Item]:
        strange = set(tasks) - {task.id for task in self.lab.tasks}
        if strange:
            raise LabError(f"{self.lab.path.name} has no task {', '.join(sorted(strange))}.")
        marked = ((item, self.marks[item.nodeid]) for item in self._items)
        return [
            item
            for item, marks in marked
            if (suite is Suite.FULL or not marks.hidden) and (not tasks or marks.task in tasks)
        ]

    def _position(self, marks: CheckMarks) -> tuple[int, bool, bool]:
        """By task, those for a GPU last, public before hidden, then as written (sorting is stable)."""
        order = [task.id for task in self.lab.tasks]
        if marks.task not in order:
            raise LabError(f"{marks.name} belongs to task {marks.task}, which lab.toml does not have.")
        return order.index(marks.task), marks.gpu, marks.hidden

    def _boards(self, known: dict[str, CheckMarks]) -> tuple[str, ...]:
        """The checks with a board that run here. Of a hidden one what it measured is then for everybody, and nothing else."""
        here = {marks.name for marks in self.marks.values()}
        for name in self.lab.settings.boards:
            if name not in known or not known[name].measured:
                raise LabError(f"{self.lab.path.name}/lab.toml: boards names {name}, which is no measured check.")
        return tuple(name for name in self.lab.settings.boards if name in here)

    def _check_points(self) -> None:
        for task in self.lab.tasks:
            total = round(sum(m.points for m in self.marks.values() if m.task == task.id), 6)
            if total != task.points:
                raise LabError(f"task {task.id}: its checks give {total:g} points, lab.toml says {task.points:g}.")

    def _collect(self) -> list[pytest.Item]:
        arguments = [str(self.lab.checks), f"--rootdir={self.lab.path}", "-c", "/dev/null", "--import-mode=importlib"]
        arguments += [f"--confcutdir={self.lab.path}"]
        arguments += ["--disable-plugin-autoload", "-p", "grader.checks.plugin"]
        for plugin in QUIET:
            arguments += ["-p", f"no:{plugin}"]
        with _import_path(self.lab.checks):
            config = _prepareconfig(arguments, plugins=[self._recorder])
            config._do_configure()  # noqa: SLF001 - opens the session that stays open
            session = pytest.Session.from_config(config)
            config.hook.pytest_sessionstart(session=session)
            items = list(session.perform_collect())
        if session.testsfailed or not items:
            raise LabError(
                f"{self.lab.path.name}/checks: pytest collected {len(items)} checks and {session.testsfailed} errors."
            )
        return items


@lru_cache(maxsize=8)
def _load_suite(path: str, version: str, *, gpu: bool) -> CheckSuite:  # noqa: ARG001 - the version is the cache's key
    return CheckSuite(Lab(Path(path), gpu=gpu))


def load_suite(lab: Lab) -> CheckSuite:
    """The lab's checks, collected at most once for each version in this process."""
    return _load_suite(str(lab.path), lab.version, gpu=lab.on_gpu)


@contextmanager
def _import_path(folder: Path) -> Iterator[None]:
    """Checks import their helpers by plain name; the names are forgotten afterwards, so that two labs may use the same ones."""
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file and Path(file).is_relative_to(folder):
                del sys.modules[name]


__all__ = ["CheckFailed", "CheckSuite", "load_suite"]
