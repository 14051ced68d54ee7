"""What a copy of an offering takes along, model by model, and what it leaves behind. A test holds that no model is forgotten.

A copied row takes all of its fields as they are, but for those that are named here: a foreign key to what is copied itself goes to the
copy, dates move into the new term, and `fresh` fields begin anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Copied:
    """How the fields of a copied model come along. What is named nowhere stays as it is."""

    owners: frozenset[str]
    shifted: frozenset[str] = frozenset()
    fresh: Mapping[str, object] = field(default_factory=dict)


NOW, COPIER = object(), object()  # values of `fresh` that are known only when the copy is made


def _copied(*owners: str, shifted: tuple[str, ...] = (), **fresh: object) -> Copied:
    return Copied(frozenset(owners), frozenset(shifted), fresh)


COPIED: Mapping[str, Copied] = {
    "courses.Session": _copied("offering", shifted=("date",)),
    "assignments.Assignment": _copied("offering", shifted=("opens_at", "due_at"), released_at=None),
    "reviews.Rubric": _copied("assignment", revision=0),
    "reviews.RubricItem": _copied("rubric", retired_at=None),
    "reviews.RubricLevel": _copied("item"),
    "reviews.BankComment": _copied("item", used=0, created_by=COPIER, created_at=NOW, archived_at=None),
    "reviews.SimilarSearch": _copied(
        "assignment", asked_at=None, begun_at=None, searched_at=None, texts=0, earlier=0, unread=0
    ),
    "readings.Reading": _copied("assignment", archived_at=None),
    "projects.TeamRules": _copied("offering", shifted=("lock_at",)),
    "projects.Deliverable": _copied("assignment"),
    "projects.PresentationRules": _copied("offering"),
    "attendance.AttendanceRules": _copied("offering"),
    "gradebook.Component": _copied("offering"),
    "gradebook.LetterCutoff": _copied("offering"),
    "gradebook.GradePolicy": _copied("offering", revision=0, show_letters=False),
    "gradebook.AtRiskRules": _copied("offering"),
}

_PEOPLE = "people; the copying instructor and chosen staff are enrolled anew"
_WORK = "work of students, and what was made of it"
_HISTORY = "what was done in the old term"

LEFT: Mapping[str, str] = {
    "courses.Enrollment": _PEOPLE,
    "courses.Recess": "the new term's are given by the instructor",
    **dict.fromkeys(("assignments.Extension", "assignments.Accommodation"), "granted to people"),
    **dict.fromkeys(
        (
            *("submissions.Draft", "submissions.DraftVersion", "submissions.Submission", "submissions.Author"),
            *("submissions.SignedReceipt", "submissions.PracticeRun", "submissions.SubmittedFile"),
            *("grading.GradingJob", "grading.GradeReport"),
            *("reviews.RubricScore", "reviews.Review", "reviews.Mark", "reviews.Adjustment", "reviews.Claim"),
            *("reviews.CalibrationText", "reviews.DoubleReading", "reviews.DoubleMark", "reviews.RegradeRequest"),
            *("reviews.SimilarPair", "reviews.Release", "reviews.ReleaseItem", "reviews.ReleaseMail"),
            *("reviews.BoardMember", "reviews.BoardProof", "reviews.BoardResult"),
            *("reviews.LabRegrade", "reviews.LabRegradeItem", "reviews.ScoreChange"),
            *("projects.TeamSubmission", "projects.SubmissionLink", "projects.FormatCheck", "projects.PagePicture"),
            *("projects.Talk", "projects.Speaker", "projects.Rating", "projects.StaffRating", "projects.StaffMark"),
            *(
                "attendance.CheckInWindow",
                "attendance.Attendance",
                "attendance.ParticipationPoint",
                "attendance.LeftOut",
            ),
            "lti.ScoreMessage",
            *("gradebook.Decision", "gradebook.Snapshot", "exchange.PointsImport", "exchange.ImportedPoints"),
        ),
        _WORK,
    ),
    **dict.fromkeys(
        ("projects.Team", "projects.Membership", "projects.Invitation", "projects.Seeker"), "people who work together"
    ),
    **dict.fromkeys(("reviews.RubricEdit", "reviews.MarkChange", "gradebook.PolicyChange"), _HISTORY),
    "exchange.CanvasColumn": "the IDs of another course in Canvas",
    **dict.fromkeys(
        ("lti.Context", "lti.Line", "lti.Member", "lti.Arrival"),
        "the course of another term in the platform that opens us",
    ),
}
