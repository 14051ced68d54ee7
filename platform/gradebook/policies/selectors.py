"""The pages of the grading scheme: as it stands, a dry run, and one change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from courses.models import Enrollment, Offering
from gradebook.freezing.selectors import freeze_of
from gradebook.models import PolicyChange
from gradebook.policies.differences import differences
from gradebook.policies.editor import HOLDS
from gradebook.policies.outcome import GradeChange, Outcome
from gradebook.policies.services import revision_of, why_not_revert
from gradebook.policies.spec import ComponentSpec, SchemeSpec, from_data, spec_of
from gradebook.policies.typed import TypedScheme, act_on, from_spec
from gradebook.policies.words import policy_in_words
from gradebook.presets import WEIGHTS
from gradebook.sources.works import works_of


@dataclass(frozen=True)
class ComponentRow:
    """A component for reading; `parts` is how many pieces of work it has by now, None where it is one number."""

    component: ComponentSpec
    holds: str
    parts: int | None


@dataclass(frozen=True)
class Preset:
    """A published scheme of weights, typed and ready to be tried out."""

    name: str
    typed: TypedScheme
    is_now: bool


@dataclass(frozen=True)
class SchemePage:
    """The scheme as it stands, and what was changed about it."""

    spec: SchemeSpec
    rows: tuple[ComponentRow, ...]
    words: tuple[str, ...]
    presets: tuple[Preset, ...]
    changes: tuple[PolicyChange, ...]
    revision: int
    is_instructor: bool
    is_frozen: bool


@dataclass(frozen=True)
class ChangedStudent:
    """A student on the dry run, with the name that the page shows on demand."""

    change: GradeChange
    name: str


@dataclass(frozen=True)
class TrialPage:
    """A dry run. `typed` is the form that it is of, so that nothing has to be typed again; None for a change that is taken back."""

    outcome: Outcome
    letters: tuple[ChangedStudent, ...]
    scores: tuple[ChangedStudent, ...]
    widest: int
    typed: TypedScheme | None
    change: PolicyChange | None
    reason: str
    refusal: str
    is_frozen: bool


@dataclass(frozen=True)
class ChangePage:
    """One change, with what it did to the scheme."""

    change: PolicyChange
    words: tuple[str, ...]
    why_not_revert: str
    is_instructor: bool


def scheme_page(viewer: Enrollment) -> SchemePage:
    """The scheme for staff. Seven queries."""
    offering, spec = viewer.offering, spec_of(viewer.offering)
    revision = revision_of(offering)
    counted = Counter(work.part.component for work in works_of(offering))
    changes = offering.policy_changes.select_related("made_by", "reverted_by")
    return SchemePage(
        spec=spec,
        rows=tuple(_row(component, counted) for component in spec.components),
        words=policy_in_words(spec.policy),
        presets=_presets(from_spec(spec, revision)) if viewer.is_instructor else (),
        changes=tuple(changes),
        revision=revision,
        is_instructor=viewer.is_instructor,
        is_frozen=freeze_of(offering) is not None,
    )


def trial_page(
    offering: Offering,
    outcome: Outcome,
    *,
    typed: TypedScheme | None = None,
    change: PolicyChange | None = None,
    reason: str = "",
    refusal: str = "",
) -> TrialPage:
    """A dry run with the names of those whom it changes. Two queries beside those of the outcome."""
    wanted = [row.enrollment_pk for row in outcome.students]
    names = dict(Enrollment.objects.filter(pk__in=wanted).values_list("pk", "user__name"))
    rows = tuple(ChangedStudent(row, names[row.enrollment_pk]) for row in outcome.students)
    return TrialPage(
        outcome=outcome,
        letters=tuple(row for row in rows if row.change.changes_letter),
        scores=tuple(row for row in rows if not row.change.changes_letter),
        widest=max((count for row in outcome.letters for count in (row.before, row.after)), default=0),
        typed=typed,
        change=change,
        reason=reason,
        refusal=refusal,
        is_frozen=freeze_of(offering) is not None,
    )


def change_page(viewer: Enrollment, change: PolicyChange) -> ChangePage:
    """One change for staff. Three queries."""
    return ChangePage(
        change=change,
        words=differences(from_data(change.before), from_data(change.after)),
        why_not_revert=why_not_revert(change),
        is_instructor=viewer.is_instructor,
    )


def what_others_saved(offering: Offering, since: int) -> tuple[str, ...]:
    """What was changed about the scheme since revision `since`, up to now. Four queries."""
    first = offering.policy_changes.filter(revision__gt=since).order_by("revision").first()
    if first is not None:
        return differences(from_data(first.before), spec_of(offering))
    taken_back = offering.policy_changes.exclude(reverted_at=None).order_by("-reverted_at").first()
    return differences(from_data(taken_back.after), spec_of(offering)) if taken_back else ()


def _row(component: ComponentSpec, counted: Mapping[str, int]) -> ComponentRow:
    is_number = component.kind in {"participation", "presentation"} or component.kind not in HOLDS
    return ComponentRow(
        component,
        HOLDS.get(component.kind, "Points that staff enter"),
        None if is_number else counted.get(component.kind, 0),
    )


def _presets(typed: TypedScheme) -> tuple[Preset, ...]:
    ready = {name: act_on(typed, f"preset:{name}") for name in WEIGHTS}
    return tuple(Preset(name, scheme, is_now=scheme == typed) for name, scheme in ready.items())
