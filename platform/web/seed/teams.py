"""Teams of the demo two days before they are locked: full ones, two with a place, one too small, one larger by exception, and those
who still look for one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from accounts.models import User
from config import clock
from courses.models import Enrollment, Offering
from projects.teams.models import Invitation, Membership, ProjectKind, Seeker, Team
from web.seed.people import INSTRUCTOR, address

FIRST_FORMED = timedelta(days=14)


@dataclass(frozen=True)
class SeedTeam:
    """A team with its members by their whole names; the first one formed it."""

    name: str
    kind: str
    topic: str
    members: tuple[str, ...]
    exception: str = ""


TEAMS = (
    SeedTeam("Ring Reducers", ProjectKind.SYSTEM, "Overlap gradient communication with the backward pass on slow links",
             ("Ada Lindqvist", "Kofi Mensah", "Yuki Tanaka")),
    SeedTeam("Half a Bit", ProjectKind.COMBINE, "How far can a small model go below two bits per weight?",
             ("Mateo Hernández", "Noor Haddad", "Linh Nguyen")),
    SeedTeam("Cache Me If You Can", ProjectKind.LATENCY, "Which tokens may leave the key-value cache in a long chat",
             ("Oluwaseun Adeyemi", "Sofia Rossi", "Arjun Iyer")),
    SeedTeam("Bubble Wrap", ProjectKind.ALGORITHM, "A pipeline schedule for layers of unequal cost",
             ("Emily Parker", "Mei Chen", "Jakub Nowak")),
    SeedTeam("The Roofliners", ProjectKind.BENCHMARK, "Where recommendation models spend their time on four kinds of hardware",
             ("Fatima Zahra", "Daniel Cohen", "Ananya Gupta")),
    SeedTeam("Sparse Matters", ProjectKind.LIBRARY, "Structured sparsity as a drop-in layer",
             ("Lucas Martin", "Aisha Bello", "Hana Novotná")),
    SeedTeam("Night Shift", ProjectKind.HETEROGENEOUS, "Optimizer states on the CPU while the GPU sleeps",
             ("Diego Silva", "Eun-ji Park", "Omar Farouk")),
    SeedTeam("Diffuse", ProjectKind.APPLY, "Serving diffusion models with continuous batching",
             ("Freya Olsen", "Rahul Deshmukh", "Chloe Dubois")),
    SeedTeam("Mixture of Students", ProjectKind.INTEGRATE, "Expert placement in an existing serving framework",
             ("Wei Zhang", "Tariq Aziz", "Isabella Moretti", "Nia Williams"),
             exception="Nia joined the course late, when all teams but this one had settled on a topic."),
    SeedTeam("Lone Kernel", "", "", ("Sven Eriksson",)),
    SeedTeam("Warp Drivers", ProjectKind.SYSTEM, "Fused attention for very short sequences",
             ("Marcus Johnson", "Thandiwe Nkosi")),
    SeedTeam("Paged Out", ProjectKind.LATENCY, "Prefix caching across the requests of one classroom",
             ("Victor Petrov", "Elena Popescu")),
)  # fmt: skip
POSTS = {
    "Maya Goldberg": "I like profilers more than models. I would love to find out where time goes in training, on one GPU or on many.",
    "Jin Watanabe": "CUDA and Triton, some C++. Free on Mondays and Wednesdays after 5 pm.",
    "Katarina Horvat": "Interested in quantization or distillation. I have read GPTQ twice and want to build something with it.",
}
INVITED, ASKS, ASKED = "Grace Kim", "Samuel Okoro", "Paged Out"


def seed_teams(offering: Offering, students: Sequence[Enrollment]) -> int:
    """Form the teams; returns how many. A second time makes none."""
    if offering.teams.exists():
        return 0
    people = {student.user.name: student for student in students}
    for position, facts in enumerate(TEAMS):
        _form(offering, facts, [people[name] for name in facts.members], position)
    team = offering.teams.get(name=ASKED)
    _ask(team, people[INVITED], by=team.created_by, hours=30)
    _ask(team, people[ASKS], by=people[ASKS].user, hours=5)
    for days, (name, text) in enumerate(POSTS.items(), start=1):
        Seeker.objects.create(enrollment=people[name], text=text, posted_at=clock.now() - timedelta(days=days))
    return len(TEAMS)


def _form(offering: Offering, facts: SeedTeam, members: Sequence[Enrollment], position: int) -> None:
    formed = clock.now() - FIRST_FORMED + timedelta(hours=19 * position)
    instructor = User.objects.get(email=address(INSTRUCTOR))
    team = Team.objects.create(
        offering=offering,
        name=facts.name,
        kind=facts.kind,
        topic=facts.topic,
        created_at=formed,
        created_by=members[0].user,
        size_exception=facts.exception,
        size_exception_by=instructor if facts.exception else None,
    )
    Membership.objects.bulk_create(
        Membership(team=team, enrollment=member, joined_at=formed + timedelta(hours=3 * place))
        for place, member in enumerate(members)
    )


def _ask(team: Team, student: Enrollment, *, by: User | None, hours: int) -> None:
    Invitation.objects.create(
        team=team,
        enrollment=student,
        invited_by=by,
        invited_at=clock.now() - timedelta(hours=hours),
        by_student=by == student.user,
    )
