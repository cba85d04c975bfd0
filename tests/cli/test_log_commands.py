"""`ectype log …`: what people see, what programs get, and what a wrong question answers."""

import asyncio
import json
from pathlib import Path

import pytest

from ectype.cli.main import run
from ectype.log.entry import seal
from ectype.log.log import Log
from ectype.log.space import open_space
from ectype.values.arrow import MEDIA_TYPE, to_arrow
from ectype.values.block import Block


@pytest.fixture
def space(tmp_path: Path) -> Path:
    """A space with two decisions and a block."""

    async def fill() -> None:
        opened = open_space(tmp_path / "farm.space")
        log = await Log.open(opened.store, opened.signer, origin=opened.origin)
        body = to_arrow(Block.of([("a.power", 10**18, 1.5), ("b.power", 10**18, 2.5)]))
        sealed = [
            seal(opened.signer, kind="twin.put", subject="twin:a", body=b'{"x":1}', at_ns=10**18, by="Ann"),
            seal(opened.signer, kind="twin.put", subject="twin:b", body=b'{"x":2}', at_ns=10**18),
            seal(opened.signer, kind="measured", subject="block:mqtt", body=body, media=MEDIA_TYPE, at_ns=10**18),
        ]
        await log.append(sealed)
        await log.close()
        opened.close()

    asyncio.run(fill())
    return tmp_path / "farm.space"


def ectype(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        run(words)
    code = ended.value.code
    assert isinstance(code, int)
    return code


def test_verify_says_that_all_is_whole_and_gives_the_key(space: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ectype("log", "verify", str(space)) == 0
    told = capsys.readouterr().out
    assert "3 entries are whole" in told
    assert ectype("log", "verify", str(space), "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["size"], report["signed_size"]) == (3, 3)
    assert report["vkey"] in told


def test_verify_names_the_file_that_is_damaged_and_exits_with_1(
    space: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (segment,) = (space / "log").glob("*.seg")
    data = bytearray(segment.read_bytes())
    data[60] ^= 1
    segment.write_bytes(data)
    assert ectype("log", "verify", str(space)) == 1
    assert segment.name in capsys.readouterr().err


def test_show_prints_the_last_entries_and_what_they_say(space: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ectype("log", "show", str(space)) == 0
    told = capsys.readouterr().out
    assert "twin:a" in told
    assert "Ann" in told


def test_show_json_is_one_object_a_line_with_samples_as_rows(space: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ectype("log", "show", str(space), "--json", "--kind", "measured") == 0
    (line,) = capsys.readouterr().out.splitlines()
    entry = json.loads(line)
    assert (entry["index"], entry["kind"]) == (2, "measured")
    assert [(row["series"], row["value"]) for row in entry["body"]] == [("a.power", 1.5), ("b.power", 2.5)]


def test_show_keeps_to_its_limit_from_both_ends(space: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def indices(*options: str) -> list[int]:
        assert ectype("log", "show", str(space), "--json", *options) == 0
        return [json.loads(line)["index"] for line in capsys.readouterr().out.splitlines()]

    assert indices("--limit", "1") == [2]
    assert indices("--limit", "1", "--from", "0") == [0]
    assert indices("--limit", "0") == [0, 1, 2]
    assert indices("--limit", "1", "--kind", "twin.put") == [1]
    assert indices("--subject", "twin:a") == [0]


def test_a_proof_made_here_is_checked_by_somebody_with_nothing_but_the_key(
    space: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ectype("log", "prove", str(space), "1", "--json") == 0
    made = json.loads(capsys.readouterr().out)
    proof = tmp_path / "entry.proof"
    proof.write_text(made["proof"])
    assert ectype("log", "prove", "--check", str(proof), "--key", made["key"]) == 0
    assert "twin:b" in capsys.readouterr().out
    proof.write_text(made["proof"].replace("index 1", "index 2"))
    assert ectype("log", "prove", "--check", str(proof), "--key", made["key"]) == 1


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["log", "verify", "nowhere"], 1, "no space at nowhere"),
        (["log", "prove"], 2, "ectype log prove SPACE INDEX"),
        (["log", "prove", "--check", "nowhere"], 2, "--key"),
        (["log", "prove", "--check", "nowhere", "--key", "k"], 2, "nowhere"),
        (["frobnicate"], 2, "no command 'frobnicate'"),
    ],
)
def test_a_wrong_question_gets_one_sentence_and_the_right_exit_code(
    words: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ectype(*words) == code
    assert says in capsys.readouterr().err


def test_errors_for_programs_are_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert ectype("log", "verify", "nowhere", "--json") == 1
    assert json.loads(capsys.readouterr().err)["error"]["code"] == "NotFound"


def test_no_words_print_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert ectype() == 0
    assert "ectype demo" in capsys.readouterr().out
    assert ectype("--version") == 0
