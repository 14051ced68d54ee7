"""The house stands as docs and design say: what lies at the top, what may not exist, what must be written down."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOP = {
    *("platform", "labs", "grader", "mlsys_core", "deploy", "tests", "docs"),
    *(
        "manage.py",
        "docker-compose.yml",
        "pyproject.toml",
        "Makefile",
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "LICENSE",
    ),
    *("requirements.lock", "requirements-dev.lock", "requirements-torch.lock"),
}


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [ROOT / line for line in listed.splitlines() if (ROOT / line).is_file()]


def test_platform_never_becomes_a_package():
    assert not (ROOT / "platform" / "__init__.py").exists(), "it would shadow the standard library's `platform`"
    import platform

    assert platform.python_version()


def test_the_top_level_holds_what_the_design_names():
    found = {path.relative_to(ROOT).parts[0] for path in tracked()}
    assert {name for name in found if not name.startswith(".")} <= TOP


@pytest.mark.parametrize("folder", ["platform", "grader", "mlsys_core", "labs", "deploy", "tests"])
def test_files_stay_small(folder):
    long = {
        str(path.relative_to(ROOT)): lines
        for path in tracked(f"{folder}/*.py")
        if "/migrations/" not in str(path) and (lines := len(path.read_text().splitlines())) > 400
    }
    assert long == {}


def test_every_module_of_the_library_begins_with_idea_equation_paper_and_cost_and_is_read_in_minutes():
    """The meter is one file on purpose: it travels alone."""
    for path in tracked("mlsys_core/*.py"):
        text = path.read_text()
        if path.name != "__init__.py":
            said = text.split('"""')[1]
            assert [word for word in ("Idea", "Equation", "Paper", "Cost") if f"\n{word} " not in said] == [], path
            assert len(text.splitlines()) <= (400 if path.name == "meter.py" else 250), path


def test_every_setting_is_in_the_example_environment():
    source = (ROOT / "platform/config/settings.py").read_text() + (ROOT / "platform/config/env.py").read_text()
    names = set(re.findall(r'env\.(?:text|flag|integer|items|secrets?)\(\s*"(\w+)"', source))
    names |= set(re.findall(r'text\("(\w+)"\)', source))
    example = (ROOT / ".env.example").read_text()
    assert [name for name in sorted(names) if f"GRADLAB_{name}" not in example] == []


def test_every_make_target_explains_itself_and_the_readme_names_real_ones():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    explained = set(re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE))
    assert targets == explained
    for document in ("README.md", "CONTRIBUTING.md", "docs/operator.md", "docs/instructor.md"):
        named = set(re.findall(r"make ([a-z-]+)", (ROOT / document).read_text())) - {"no"}
        assert named <= targets, document


def test_links_between_documents_lead_somewhere():
    broken = []
    for document in tracked("*.md"):
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", document.read_text()):
            broken += [] if (document.parent / target).exists() else [f"{document.relative_to(ROOT)}: {target}"]
    assert broken == []


def test_what_guides_call_a_button_or_a_page_stands_on_one():
    shown = "\n".join(
        re.sub(r"\{[{%].*?[}%]\}", "…", path.read_text()) for path in tracked("platform/web/templates/*.html")
    )
    shown += (ROOT / "platform/web/context.py").read_text() + (ROOT / "platform/grading/words.py").read_text()
    shown += (ROOT / "platform/grading/health.py").read_text()
    missing = []
    for name in ("student", "ta", "instructor", "operator"):
        text = (ROOT / "docs" / f"{name}.md").read_text().replace("**", "")
        names = re.findall(r"(?<!\w)\*([A-Z][^*\n]+)\*", text)
        missing += [f"{name}: {found}" for found in names if found not in shown]
    assert missing == []


def test_no_path_of_somebodys_machine_is_written_down():
    pattern = re.compile(r"(?<![\w.])/(?:home|root|Users)/\w+")
    found = [
        f"{path.relative_to(ROOT)}: {match}"
        for path in tracked("*.py", "*.md", "*.toml", "*.html", "*.js", "*.css", "*.yml", "Makefile")
        if path != Path(__file__) and "/vendor/" not in str(path)
        for match in pattern.findall(path.read_text())
    ]
    assert found == []
