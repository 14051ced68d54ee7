"""The people of the demo. Nobody real; addresses are in a domain that no mail reaches."""

from __future__ import annotations

from django.contrib.auth.hashers import make_password

from accounts.models import User
from courses.models import Enrollment, Offering, Role

DOMAIN = "demo.gradlab.example"
INSTRUCTOR = "Ines Carvalho"
TAS = ("Priya Raman", "Tomás Ferreira")
# family name last; the address is the first word, without accents
STUDENTS = (
    "Ada Lindqvist", "Kofi Mensah", "Yuki Tanaka", "Mateo Hernández", "Noor Haddad", "Linh Nguyen", "Oluwaseun Adeyemi",
    "Sofia Rossi", "Arjun Iyer", "Emily Parker", "Mei Chen", "Jakub Nowak", "Fatima Zahra", "Daniel Cohen", "Ananya Gupta",
    "Lucas Martin", "Aisha Bello", "Hana Novotná", "Diego Silva", "Eun-ji Park", "Omar Farouk", "Freya Olsen",
    "Rahul Deshmukh", "Chloe Dubois", "Wei Zhang", "Tariq Aziz", "Isabella Moretti", "Nia Williams", "Sven Eriksson",
    "Leila Karimi", "Marcus Johnson", "Thandiwe Nkosi", "Katarina Horvat", "Bilal Khan", "Maya Goldberg", "Jin Watanabe",
    "Elena Popescu", "Samuel Okoro", "Grace Kim", "Victor Petrov",
)  # fmt: skip
_PLAIN = str.maketrans("áàãéíóôúñç", "aaaeioounc")


def address(name: str) -> str:
    """The demo address of a person: `ada@demo.gradlab.example`."""
    return f"{name.split(maxsplit=1)[0].lower().translate(_PLAIN)}@{DOMAIN}"


def seed_people(offering: Offering, password: str) -> list[Enrollment]:
    """Enroll instructor, TAs and students; returns the students in the order above. All share one password."""
    shared = make_password(password)  # one slow hash for all of them: this password is public anyway
    _enroll(offering, INSTRUCTOR, Role.INSTRUCTOR, shared)
    for name in TAS:
        _enroll(offering, name, Role.TA, shared)
    return [_enroll(offering, name, Role.STUDENT, shared) for name in STUDENTS]


def _enroll(offering: Offering, name: str, role: Role, password: str) -> Enrollment:
    user = User.objects.filter(email=address(name)).first() or User.objects.create_user(address(name), name)
    User.objects.filter(pk=user.pk).update(password=password)
    enrollment, _ = Enrollment.objects.get_or_create(offering=offering, user=user, defaults={"role": role})
    return enrollment
