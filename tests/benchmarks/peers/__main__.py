"""Gradlab beside nbgrader and Otter on the same assignment: `make bench-peers`.

Wall and CPU seconds a submission, single and in a batch, with one process and with two; the most memory that a whole process tree
held; and the points that three cheats get. Peers are commands, started afresh as their manuals have it; Gradlab is a warm worker
that calls `grader.api.grade`, and its first grade is a row of its own. Scores are checked on every run.
"""

from __future__ import annotations

import argparse

from . import table
from .assignment import Variant
from .peers import PEERS
from .rows import Run, gradlab_rows, peer_row
from .submissions import System


def main() -> None:
    """Prints the table as Markdown, and below it the goals and what went wrong; progress goes to the error stream."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=30, help="submissions in a batch (default 30)")
    parser.add_argument("--runs", type=int, default=3, help="single runs of a peer; their median counts (default 3)")
    parser.add_argument("--samples", type=int, default=60, help="single gradings by Gradlab (default 60)")
    parser.add_argument("--variants", nargs="+", type=Variant, choices=list(Variant), default=list(Variant))
    parser.add_argument("--systems", nargs="+", type=System, choices=list(System), default=list(System))
    chosen = parser.parse_args()
    run, rows = Run(chosen.batch, chosen.runs, chosen.samples), []
    for variant in chosen.variants:
        theirs = [
            peer_row(run, system, variant, torch=Variant.TORCH in chosen.variants)
            for system in PEERS
            if system in chosen.systems
        ]
        ours = gradlab_rows(run, variant) if System.GRADLAB in chosen.systems else []
        rows += [*theirs, *ours]
        run.lines += [
            table.throughput_line(ours[1], row) for row in theirs if ours and row.system.startswith("nbgrader")
        ]
    print(table.table(rows, run.batch), "", *run.lines, *run.problems, sep="\n")


if __name__ == "__main__":
    main()
