"""The rubric of a reading summary, as the course publishes it: six items of 0, 1 or 2 points."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PresetItem:
    """An item: its short name, its title, and the question that guides the student."""

    name: str
    title: str
    question: str


SUMMARY_ITEMS = (
    PresetItem("problem", "The problem", "What problem does the paper address?"),
    PresetItem("impact", "Its impact", "Why does the problem matter, and to whom?"),
    PresetItem("ideas", "The main ideas", "What does the paper propose?"),
    PresetItem(
        "technique",
        "The technique",
        "What are the components of the technique, and which design choices are critical?",
    ),
    PresetItem(
        "assessment",
        "Strengths and weaknesses",
        "How do you judge its novelty, the significance of its improvements, the quality of its evaluation, its ease of use?",
    ),
    PresetItem("improvement", "Room for improvement", "What could be better, and how would you do it?"),
)
# key and points are the same digit
SUMMARY_LEVELS = ((2, "Clear understanding"), (1, "Misses the point"), (0, "Missing"))
