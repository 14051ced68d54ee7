"""Every hostile submission in every real sandbox: the verdict of its header, nothing left behind, and honest work as fast as before."""

from __future__ import annotations

import pytest

from .cases import load_cases

CASES = load_cases()
SANDBOXES = [
    pytest.param("bubblewrap", marks=pytest.mark.sandbox, id="bubblewrap"),
    pytest.param("docker", marks=pytest.mark.docker, id="docker"),
]
in_both_sandboxes = pytest.mark.parametrize("bench", SANDBOXES, indirect=True)


@in_both_sandboxes
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_submission_gets_the_verdict_of_its_header_and_leaves_nothing(bench, case):
    problems = bench.attempt(case).problems
    assert not problems, "\n".join(problems)
