"""The notebook does what it says: its cells run, in order, and so do the assertions in them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parents[2] / "docs" / "tutorials" / "twin-from-nothing.ipynb"


def _cells(kind: str) -> list[str]:
    return ["".join(cell["source"]) for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == kind]


def test_every_cell_of_the_notebook_runs(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {"__name__": "notebook"}
    for k, source in enumerate(_cells("code")):
        exec(compile(source, f"cell {k}", "exec"), names)
    said = capsys.readouterr().out
    assert "Wrong.level sigma: 'V' does not measure the same as 'cm'" in said
    assert "equal, bit for bit" in said


def test_its_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", "\n".join(_cells("markdown"))):
        assert (NOTEBOOK.parent / target).exists(), target


def test_it_is_a_valid_notebook_without_outputs() -> None:
    told = json.loads(NOTEBOOK.read_text())
    assert told["nbformat"] == 4
    assert all(not cell["outputs"] for cell in told["cells"] if cell["cell_type"] == "code")
    assert len({cell["id"] for cell in told["cells"]}) == len(told["cells"])
