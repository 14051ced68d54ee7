"""The usual rubrics of a project's written deliverables: the parts that a paper has, each by three or four levels. Data alone.

A presentation is rated by staff and classmates while it goes on, so its slides have none.
"""

from __future__ import annotations

from typing import NamedTuple

from projects.deliverables.models import Stage, Style


class PresetItem(NamedTuple):
    """An item: its short name, its title, its points, and the question that guides students and graders."""

    name: str
    title: str
    points: int
    question: str


PROPOSAL = (
    PresetItem(
        "problem", "Problem and motivation", 4, "What is the problem, who has it, and why is it worth a project?"
    ),
    PresetItem("related", "What is known", 3, "Which systems and papers come closest, and what do they leave open?"),
    PresetItem("idea", "Idea and approach", 4, "What will you build, measure or prove, and why should it work?"),
    PresetItem(
        "evaluation",
        "Evaluation plan",
        4,
        "Which workloads, baselines and metrics show that it works, and on which hardware do they run?",
    ),
    PresetItem("plan", "Plan and risks", 3, "Who does what by when, and what do you do if the riskiest part fails?"),
    PresetItem("writing", "Writing", 2, "Can a reader from the course follow it without asking?"),
)
MIDTERM = (
    PresetItem(
        "problem",
        "Problem and background",
        4,
        "Is the problem sharper than in the proposal, with what a reader must know?",
    ),
    PresetItem("analysis", "Analysis of the problem", 4, "What did you measure or derive about the problem itself?"),
    PresetItem(
        "design",
        "Design and implementation so far",
        5,
        "What is built, how does it work, and which choices were critical?",
    ),
    PresetItem(
        "results", "First results", 4, "What do first measurements show, against which baseline, and how sure are they?"
    ),
    PresetItem("plan", "What is left", 2, "What is left until the end, and what changed since the proposal?"),
    PresetItem("writing", "Writing and format", 1, "Is it in the style, with figures that can be read?"),
)
FINAL = (
    PresetItem("abstract", "Abstract", 2, "Does one paragraph say the problem, the idea and the main result?"),
    PresetItem(
        "introduction", "Introduction", 4, "What is the problem, why does it matter, and what are your contributions?"
    ),
    PresetItem("related", "Related work", 3, "Is the work placed among what comes closest, and told apart from it?"),
    PresetItem(
        "background", "Preliminaries and background", 3, "Is there all that a reader of the course needs, and no more?"
    ),
    PresetItem(
        "analysis",
        "Analysis and characterization of the problem",
        8,
        "What was measured or derived about the problem itself?",
    ),
    PresetItem(
        "design",
        "Design and implementation",
        12,
        "How does it work, which choices were critical, and could somebody build it again?",
    ),
    PresetItem(
        "evaluation",
        "Evaluation method and results",
        12,
        "Do workloads, baselines and metrics answer the question, are differences told from noise, and are limits named?",
    ),
    PresetItem("conclusion", "Concluding remarks", 2, "What was learned, and what would you do next?"),
    PresetItem(
        "writing", "Writing and format", 4, "Is it in the style and within its pages, with figures that can be read?"
    ),
)
RUBRICS: dict[str, tuple[PresetItem, ...]] = {Stage.PROPOSAL: PROPOSAL, Stage.MIDTERM: MIDTERM, Stage.FINAL: FINAL}
# percent of an item's points, and what they mean; the best level has the highest key
LEVELS = ((100, "Convincing"), (75, "Good, with gaps"), (50, "In part"), (0, "Missing"))
STYLES: dict[str, str] = {
    Stage.PROPOSAL: Style.FREE,
    Stage.MIDTERM: Style.NEURIPS_2020,
    Stage.PRESENTATION: Style.SLIDES,
    Stage.FINAL: Style.NEURIPS_2020,
}
