"""The language agrees with the public conformance cases, and nothing makes it fall over."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.cli.main import dispatch
from ectype.model import conformance
from ectype.model.language import Finding, check, located
from tests.model.making import interface, prop

CASES = Path(__file__).parents[2] / "../shared/data/dtdl-cases-open.jsonl"
# The bar; 100 % of the open cases are reached.
REACHED = {2: 0.995, 3: 0.995, 4: 0.995}


@pytest.mark.parametrize("version", [2, 3, 4])
def test_verdicts_agree_with_the_conformance_cases(version: int) -> None:
    if not CASES.exists():
        pytest.skip(f"{CASES.name} is not here")
    cases = [json.loads(line) for line in CASES.read_text("utf-8").splitlines()]
    mine = [case for case in cases if case["dtdl"] == version]
    right = sum(conformance.run(case)["valid"] == case["valid"] for case in mine)
    assert right / len(mine) >= REACHED[version]


def test_false_verdicts_are_rare_on_both_sides_and_error_ids_exact() -> None:
    if not CASES.exists():
        pytest.skip(f"{CASES.name} is not here")
    cases = [json.loads(line) for line in CASES.read_text("utf-8").splitlines()]
    verdicts = [(case, conformance.run(case)) for case in cases]
    for valid in (True, False):
        mine = [verdict["valid"] for case, verdict in verdicts if case["valid"] is valid]
        assert mine.count(not valid) / len(mine) < 0.005
    named = [
        sorted(set(case["error_ids"])) == verdict["error_ids"] for case, verdict in verdicts if "error_ids" in case
    ]
    assert sum(named) / len(named) >= 0.9


@given(st.text(max_size=40))
def test_any_text_is_answered(text: str) -> None:
    check([text, json.dumps({"@context": "dtmi:dtdl:context;3", "@type": text, "@id": text, text: [text]})])


def test_an_error_names_its_id_the_place_and_the_way_out() -> None:
    (found,) = check([json.dumps(interface("A", prop("a b")))])
    assert (found.id, found.property, found.value) == ("dtmi:dtdl:parsingError:stringInvalid", "name", "a b")
    assert "use letters" in found.text


def test_the_command_tells_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.json").write_text(json.dumps(interface("A", prop("a"))))
    assert dispatch(["model", "check", str(tmp_path)]) == 0
    (tmp_path / "b.json").write_text(json.dumps(interface("B", prop("b", "dtmi:no;1"))))
    assert dispatch(["model", "check", str(tmp_path), "--json"]) == 1
    assert "dtmi:no;1" in capsys.readouterr().out


def test_an_error_is_shown_where_it_stands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = interface("A", prop("good"), prop("bad", "dubble"))
    text = json.dumps([document], indent=2)
    (tmp_path / "a.json").write_text(text)
    assert dispatch(["model", "check", str(tmp_path)]) == 1
    shown = capsys.readouterr().out.splitlines()
    line = next(number for number, each in enumerate(text.splitlines(), 1) if "dubble" in each)
    column = text.splitlines()[line - 1].index('"dubble"') + 1
    assert shown[0].startswith(f"{tmp_path / 'a.json'}:{line}:{column}: error: ")
    assert "did you mean 'double'?" in shown[0]
    assert shown[2].index("^") == shown[1].index('"dubble"')


@given(st.recursive(st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x), max_leaves=12))
def test_a_pointer_leads_to_the_value_it_names(value: object) -> None:
    for indent in (None, 1):
        text = json.dumps(value, indent=indent)
        for pointer, inner in pointers("", value):
            (found,) = located([Finding("", "", "", "", "", pointer, 1)], [text])
            start = sum(len(line) + 1 for line in text.split("\n")[: found.line - 1]) + found.column - 1
            assert json.JSONDecoder().raw_decode(text, start)[0] == inner


def pointers(here: str, value: object) -> Iterator[tuple[str, object]]:
    yield here, value
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from pointers(f"{here}/{str(key).replace('~', '~0').replace('/', '~1')}", inner)
