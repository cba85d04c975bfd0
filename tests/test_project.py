"""What the project says of itself is true: its documents, its commands, its houses."""

import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from ectype.cli.main import COMMANDS

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "bench" / "README.md"])
SOURCES = sorted((ROOT / "src" / "ectype").rglob("*.py"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_in_a_document_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_every_command_is_in_a_document() -> None:
    told = "\n".join(document.read_text() for document in DOCUMENTS)
    for command in COMMANDS:
        assert f"ectype {command}" in told, f"no document mentions 'ectype {command}'"


def test_every_benchmark_is_in_the_list_and_has_a_quick_form() -> None:
    listed = (ROOT / "bench" / "README.md").read_text()
    for question in (ROOT / "bench").glob("*.py"):
        assert f"`{question.name}`" in listed
        assert '"--quick"' in question.read_text(), f"{question.name} cannot run in CI"


def test_every_dependency_has_its_reason() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    names = re.findall(
        r'"([a-z0-9-]+)>=', project.split("[project.optional-dependencies]")[0].split("dependencies = [")[1]
    )
    reasons = (ROOT / "docs" / "architecture.md").read_text()
    for name in names:
        assert name in reasons, f"docs/architecture.md does not say why {name}"


def test_every_command_says_how_to_ask_it() -> None:
    for command in COMMANDS:
        words = [sys.executable, "-m", "ectype.cli.main", *command.split(), "--help"]
        told = subprocess.run(words, capture_output=True, text=True, check=True)
        assert f"ectype {command}" in told.stdout


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_a_file_is_one_idea_that_its_first_line_says(source: Path) -> None:
    text = source.read_text()
    assert text.startswith('"""'), f"{source.name} does not say its idea"
    assert len(text.splitlines()) <= 600, f"{source.name} holds two ideas"


def test_the_median_file_is_short() -> None:
    assert statistics.median(len(source.read_text().splitlines()) for source in SOURCES) <= 170
