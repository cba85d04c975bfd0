"""Spaces on disk: the lock, the key, the checkpoint that must be there, and looking on."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ectype.errors import Conflict, Damaged, Misconfigured, NotFound, Refused
from ectype.log.log import Log
from ectype.log.space import open_space
from ectype.log.view import open_view
from ectype.trust.merkle import check_consistency, check_inclusion, leaf_hash
from tests.log.making import all_of, entries, on_space


def fill(count: int, start: int = 0):  # type: ignore[no-untyped-def]
    async def do(log: Log) -> str:
        await log.append(entries(start, start + count))
        return log.checkpoint()

    return do


def test_a_new_space_gets_a_key_a_name_and_a_checkpoint_of_nothing(tmp_path: Path) -> None:
    space = open_space(tmp_path / "space")
    assert space.recovered is None
    assert space.origin.startswith("ectype.invalid/")
    assert (tmp_path / "space" / "checkpoint").read_text().split("\n")[:2] == [space.origin, "0"]
    assert (tmp_path / "space" / "keys" / "log.vkey").read_text().startswith(f"{space.origin}+")
    assert space.folder("graph").is_dir()
    space.close()
    again = open_space(tmp_path / "space")
    assert (again.origin, again.signer.key_id) == (space.origin, space.signer.key_id)
    again.close()
    again.close()


def test_a_space_keeps_the_name_it_was_given(tmp_path: Path) -> None:
    open_space(tmp_path, origin="example.com/farm").close()
    open_space(tmp_path, origin="example.com/farm").close()
    space = open_space(tmp_path)
    assert space.origin == "example.com/farm"
    space.close()
    with pytest.raises(Misconfigured, match="holds the log 'example"):
        open_space(tmp_path, origin="example.com/other")


def test_a_space_that_is_not_there_is_not_made_unless_asked(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        open_space(tmp_path / "none", create=False)
    with pytest.raises(NotFound):
        open_view(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


def test_a_second_process_is_refused_with_the_number_of_the_first(tmp_path: Path) -> None:
    space = open_space(tmp_path)
    script = f"""
from pathlib import Path
from ectype.errors import Refused
from ectype.log.space import open_space
try:
    open_space(Path({str(tmp_path)!r}))
except Refused as error:
    print(error)
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert f"is in use by process {os.getpid()};" in told
    with pytest.raises(Refused):
        open_space(tmp_path)
    space.close()
    open_space(tmp_path).close()


def test_a_file_where_a_folder_should_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="choose a folder"):
        open_space(tmp_path / "file")


def test_a_log_without_its_key_or_checkpoint_is_not_opened(tmp_path: Path) -> None:
    on_space(tmp_path, fill(3))
    for name, error in (("checkpoint", Damaged), ("keys/node.pem", Misconfigured)):
        path = tmp_path / name
        kept = path.read_bytes()
        path.unlink()
        with pytest.raises(error, match=f"{path.name} is missing"):
            open_space(tmp_path)
        path.write_bytes(kept)
    assert len(on_space(tmp_path, all_of)) == 3


def test_a_torn_end_is_told_at_opening(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    on_space(tmp_path, fill(3))
    (segment,) = (tmp_path / "log").glob("*.seg")
    with segment.open("ab") as file:
        file.write(b"ECT1 and so on")
    space = open_space(tmp_path)
    assert space.recovered is not None
    assert space.recovered.size == 3
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert caplog.records[0].name == "ectype.log"
    assert "torn-3-0.bin" in caplog.text
    space.close()


def test_a_view_looks_on_while_another_writes(tmp_path: Path) -> None:
    first_note = on_space(tmp_path, fill(300))
    space = open_space(tmp_path)
    before = sorted(p for p in tmp_path.rglob("*"))

    async def run() -> None:
        log = await Log.open(space.store, space.signer, origin=space.origin)
        await log.append(entries(300, 320))
        view = open_view(tmp_path)
        assert view.size == 320
        assert view.signed.size == 300
        assert view.checkpoint() == first_note
        assert [e for _, e in view.read(290, 310)] == entries(290, 310)
        assert view.root() == log.root()
        check_inclusion(leaf_hash(entries(0, 9)[7].header), 7, 300, view.inclusion(7, 300), view.signed.root)
        check_consistency(300, 320, view.consistency(300, 320), view.root(300), view.root())
        await log.close()

    asyncio.run(run())
    space.close()
    assert set(before) <= set(tmp_path.rglob("*"))


def test_a_view_changes_nothing(tmp_path: Path) -> None:
    on_space(tmp_path, fill(300))
    (tmp_path / "tile" / "0" / "000").unlink()
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    view = open_view(tmp_path)
    check_inclusion(leaf_hash(entries(0, 9)[7].header), 7, 300, view.inclusion(7, 300), view.root())
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_a_view_of_a_copy_needs_no_private_key_but_the_right_public_one(tmp_path: Path) -> None:
    on_space(tmp_path / "a", fill(3))
    on_space(tmp_path / "b", fill(3))
    (tmp_path / "a" / "keys" / "node.pem").unlink()
    own = (tmp_path / "a" / "keys" / "log.vkey").read_text()
    assert open_view(tmp_path / "a").size == open_view(tmp_path / "a", own).size == 3
    with pytest.raises((Damaged, Misconfigured)):
        open_view(tmp_path / "a", (tmp_path / "b" / "keys" / "log.vkey").read_text())
    (tmp_path / "b" / "keys" / "log.vkey").unlink()
    assert open_view(tmp_path / "b").size == 3
    (tmp_path / "a" / "keys" / "log.vkey").unlink()
    with pytest.raises(Misconfigured, match="name the verifier key"):
        open_view(tmp_path / "a")


def test_two_logs_of_one_space_cannot_both_append(tmp_path: Path) -> None:
    space = open_space(tmp_path)

    async def run() -> None:
        one = await Log.open(space.store, space.signer, origin=space.origin)
        two = await Log.open(space.store, space.signer, origin=space.origin)
        await one.append(entries(0, 1))
        with pytest.raises(Conflict):
            await two.append(entries(0, 1))
        await two.close()
        await one.close()

    asyncio.run(run())
    space.close()
