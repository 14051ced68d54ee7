"""The assignment that every system grades, written once: a scalar autograd notebook and five checks of two points each.

A check is a few formulas at a few points. What the student's class says of them (the value, then one slope for each point) is
held against numbers by hand in the plain variant, and against torch in the other; within 1e-9 in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from textwrap import indent

NAME = "scalar"
POINTS = 2
TOLERANCE = 1e-9


class Variant(StrEnum):
    """Whether the notebook and the checks import torch."""

    PLAIN = "plain"
    TORCH = "torch"


@dataclass(frozen=True)
class Case:
    """A formula, as source, the points to look at, and `[value, slope, …]` by hand, as source."""

    formula: str
    at: tuple[float, ...]
    by_hand: str


@dataclass(frozen=True)
class Check:
    """One check: all of its cases hold, or it gives no points."""

    name: str
    title: str
    cases: tuple[Case, ...]
    hidden: bool = False


CHECKS = (
    Check(
        "q1",
        "sums, also of a number with itself",
        (
            Case("lambda a, b: a + b", (2.0, -3.0), "[-1.0, 1.0, 1.0]"),
            Case("lambda a: a + a", (1.5,), "[3.0, 2.0]"),
        ),
    ),
    Check(
        "q2",
        "products, also of a number with itself",
        (
            Case("lambda a, b: a * b", (4.0, -0.5), "[-2.0, -0.5, 4.0]"),
            Case("lambda a: a * a", (3.0,), "[9.0, 6.0]"),
        ),
    ),
    Check("q3", "the exponential", (Case("lambda a: a.exp()", (0.5,), "[math.exp(0.5), math.exp(0.5)]"),)),
    Check("q4", "the sine", (Case("lambda a: a.sin()", (0.7,), "[math.sin(0.7), math.cos(0.7)]"),)),
    Check(
        "q5",
        "a graph whose numbers are used again at other depths",
        (
            Case(
                "lambda a, b: (a * b + a).sin() * b.exp() + a",
                (0.8, -0.3),
                "[math.sin(0.56) * math.exp(-0.3) + 0.8, 0.7 * math.cos(0.56) * math.exp(-0.3) + 1.0, "
                "(0.8 * math.cos(0.56) + math.sin(0.56)) * math.exp(-0.3)]",
            ),
        ),
        hidden=True,
    ),
)
MAX_SCORE = POINTS * len(CHECKS)

GIVEN = {Variant.PLAIN: "import math", Variant.TORCH: "import math\n\nimport torch"}

INTRODUCTION = """\
# Numbers that know their slopes

Write the class `Scalar`. `Scalar(number)` is a leaf; sums, products, `exp()` and `sin()` make new ones. `value` is the number, and
after `result.backward()` each leaf's `slope` is the derivative of `result` by that leaf."""

SOLUTION = '''\
class Scalar:
    """A number that remembers what it was made of, and how fast it changes with each part."""

    def __init__(self, value, parts=()):
        self.value, self.parts, self.slope = float(value), tuple(parts), 0.0

    def __add__(self, other):
        return Scalar(self.value + other.value, [(self, 1.0), (other, 1.0)])

    def __mul__(self, other):
        return Scalar(self.value * other.value, [(self, other.value), (other, self.value)])

    def exp(self):
        result = math.exp(self.value)
        return Scalar(result, [(self, result)])

    def sin(self):
        return Scalar(math.sin(self.value), [(self, math.cos(self.value))])

    def _listed(self, found, met):
        if id(self) not in met:
            met.add(id(self))
            for part, _ in self.parts:
                part._listed(found, met)
            found.append(self)
        return found

    def backward(self):
        self.slope = 1.0
        for scalar in reversed(self._listed([], set())):
            for part, rate in scalar.parts:
                part.slope += rate * scalar.slope'''

OBSERVED = """\
def observed(scalar, formula, *at):
    leaves = [scalar(number) for number in at]
    result = formula(*leaves)
    result.backward()
    return [result.value, *(leaf.slope for leaf in leaves)]"""

BY_TORCH = """\
def by_torch(formula, *at):
    leaves = [torch.tensor(number, dtype=torch.float64, requires_grad=True) for number in at]
    result = formula(*leaves)
    result.backward()
    return [result.item(), *(leaf.grad.item() for leaf in leaves)]"""


def got(check: Check) -> str:
    """Source of the list that the student's `Scalar` gives."""
    return " + ".join(f"observed(Scalar, {case.formula}, *{case.at})" for case in check.cases)


def want(check: Check, variant: Variant) -> str:
    """Source of the list that is right."""
    if variant is Variant.PLAIN:
        return " + ".join(case.by_hand for case in check.cases)
    return " + ".join(f"by_torch({case.formula}, *{case.at})" for case in check.cases)


def helpers(variant: Variant) -> str:
    """Source of the functions that a check calls."""
    return OBSERVED if variant is Variant.PLAIN else f"{OBSERVED}\n\n\n{BY_TORCH}"


def in_one_process(check: Check, variant: Variant) -> str:
    """The check as code that runs where the student's code runs: a test cell of nbgrader, and the body of an Otter test."""
    return f"""\
{GIVEN[variant]}

{helpers(variant)}

got = {got(check)}
want = {want(check, variant)}
assert all(abs(a - b) <= {TOLERANCE} for a, b in zip(got, want, strict=True)), f"got {{got}}, expected {{want}}"
"""


def as_function(check: Check, variant: Variant) -> str:
    """The same code as the body of a function of `Scalar`."""
    return f"def test_{check.name}(Scalar):\n{indent(in_one_process(check, variant), '    ')}"
