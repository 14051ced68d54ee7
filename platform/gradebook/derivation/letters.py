"""A letter in words: both columns, how each was reached, what comes next, and which one won."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from gradebook.book.components import HUNDRED
from gradebook.book.letters import Letter, absolute_letter, relative_letter
from gradebook.book.parts import LetterRule, Policy
from gradebook.derivation.figures import figure

WON = {
    "both": "Both columns give the same letter.",
    "absolute": "The score gives the better letter, so it counts.",
    "relative": "The rank gives the better letter, so it counts.",
}


@dataclass(frozen=True)
class LetterView:
    """A student's letter with the sentences that explain it. `relative` is empty where the class is too small for ranks."""

    letter: str
    absolute: str
    relative: str
    won: str
    score_line: str
    rank_line: str
    won_line: str


def letter_view(letter: Letter, policy: Policy, exact: Fraction) -> LetterView:
    """`exact` is the score before it was rounded."""
    return LetterView(
        letter=letter.letter,
        absolute=letter.absolute,
        relative=letter.relative or "",
        won=letter.won if letter.relative else "absolute",
        score_line=_score_line(letter, policy, exact),
        rank_line=_rank_line(letter, policy),
        won_line=WON[letter.won] if letter.relative else "The score alone decides.",
    )


def _score_line(letter: Letter, policy: Policy, exact: Fraction) -> str:
    rules = policy.letters
    place = next(at for at, rule in enumerate(rules) if rule.letter == letter.absolute)
    words = [f"{figure(letter.score)} reaches {letter.absolute}, from {figure(rules[place].absolute)}."]
    if policy.round_to is not None and letter.score != exact:
        words.insert(0, f"{figure(exact)} is rounded to {figure(letter.score)}.")
    if place:
        above = rules[place - 1]
        words.append(
            f"{above.letter} starts at {figure(above.absolute)}, {figure(above.absolute - letter.score)} higher."
        )
    return " ".join(words)


def _rank_line(letter: Letter, policy: Policy) -> str:
    if letter.relative is None:
        return (
            f"The class has {letter.size} students; the rank counts from {policy.relative_from} on, so there is no "
            "letter by rank."
        )
    share = Fraction(letter.above, letter.size) * HUNDRED
    reached, rule, above = _bin(policy.letters, letter.relative)
    who = "Nobody of" if not letter.above else f"{letter.above} of"
    verb = "has" if letter.above < 2 else "have"
    words = [f"{who} {letter.size} students {verb} a higher score, {figure(share)} %."]
    if share >= reached:
        return f"{words[0]} That is beyond all shares, so the last letter stands."
    words.append(f"That is less than the {figure(reached)} % down to which {rule.letter} reaches.")
    if above is not None:
        words.append(f"For {above.letter} it would have to be less than {figure(reached - rule.share)} %.")
    return " ".join(words)


def _bin(rules: tuple[LetterRule, ...], letter: str) -> tuple[Fraction, LetterRule, LetterRule | None]:
    """How far from the top a letter's bin ends, the letter's rule, and that of the letter above."""
    reached, above = Fraction(0), None
    for rule in rules:
        reached += rule.share
        if rule.letter == letter:
            return reached, rule, above
        above = rule
    return reached, rules[-1], rules[-2] if len(rules) > 1 else None


BY_RANK = (
    "By the rank, it is counted how many students have a higher score. With a of n students above you, you get the first letter for which "
    "a ÷ n is less than the shares of the class from the top down to it. That is compared exactly, without rounding."
)
EXAMPLE_SCORE, EXAMPLE_ABOVE, EXAMPLE_SIZE = Fraction(82), 66, 100


def policy_in_words(policy: Policy) -> tuple[str, ...]:
    """The rules by which letters come about, as they are set now."""
    if not policy.letters:
        return ("The letters are not set yet.",)
    return (
        "There are two columns: the letter by the score, and the letter by the rank in the class. You get the better one.",
        "By the score, a letter is reached exactly from its cutoff on. "
        + (
            f"Final scores are rounded to multiples of {figure(policy.round_to)} before, half up."
            if policy.round_to is not None
            else "Scores are not rounded before: 89.999 is below 90."
        ),
        BY_RANK,
        "Students with the same score share the rank, and so the better letter.",
        "Students who dropped are not in the class, and neither are staff.",
        f"In a class of fewer than {policy.relative_from} students the rank says little: the score alone decides.",
        _example(policy),
    )


def _example(policy: Policy) -> str:
    """The course's own example, by the cutoffs that are set."""
    absolute = absolute_letter(policy.letters, EXAMPLE_SCORE)
    relative = relative_letter(policy.letters, above=EXAMPLE_ABOVE, size=EXAMPLE_SIZE)
    order = [rule.letter for rule in policy.letters]
    better = min(absolute, relative, key=order.index)
    return (
        f"An example: a score of {figure(EXAMPLE_SCORE)} at the 33rd percentile, so that 33 of 100 students are below and 66 above. "
        f"By the score that is {absolute}, by the rank {relative}; the letter is {better}."
    )
