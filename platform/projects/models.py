"""Django finds an app's models here; those of its parts live with the rest of each part."""

from __future__ import annotations

from projects.deliverables.models import Deliverable, SubmissionLink, TeamSubmission
from projects.format.models import FormatCheck, PagePicture
from projects.presentations.models import PresentationRules, Rating, Speaker, StaffMark, StaffRating, Talk
from projects.teams.models import Invitation, Membership, Seeker, Team, TeamRules

__all__ = [
    "Deliverable",
    "FormatCheck",
    "Invitation",
    "Membership",
    "PagePicture",
    "PresentationRules",
    "Rating",
    "Seeker",
    "Speaker",
    "StaffMark",
    "StaffRating",
    "SubmissionLink",
    "Talk",
    "Team",
    "TeamRules",
    "TeamSubmission",
]
