"""Checking a whole space, and proofs that travel alone."""

import shutil
from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectype.errors import Damaged, Invalid, NotFound, ProofFailed
from ectype.log.frame import encode
from ectype.log.log import Log
from ectype.log.prove import Proof, check_proof, parse_proof, prove
from ectype.log.stores.memory import MemoryStore
from ectype.log.verify import verify_space
from ectype.log.view import open_view
from ectype.trust.keys import Signer
from ectype.trust.merkle import leaf_hash
from tests.log.making import SIGNER, entries, entry, on_log, on_space
from tests.trust.test_merkle import mth

SEGMENT = 40_000


async def fill(log: Log) -> None:
    for at in range(0, 600, 40):
        await log.append(entries(at, at + 40))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("space")
    on_space(path, fill, SEGMENT)
    return path


@pytest.fixture
def space(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "space"))


def test_a_whole_space_is_reported_with_what_was_checked(space: Path) -> None:
    steps: list[tuple[int, int]] = []
    report = verify_space(space, lambda done, total: steps.append((done, total)))
    assert (report.size, report.signed_size, report.erased) == (600, 600, 0)
    assert report.root == mth([e.header for e in entries(0, 600)])
    assert report.segments == len(list((space / "log").glob("*.seg"))) > 3
    assert report.tiles == 2 + 2  # two full ones and the partial ones of both levels
    assert report.authors == (SIGNER.key_id,)
    assert report.notes == ()
    assert steps[-1] == (600, 600)
    assert steps == sorted(steps)


def test_an_empty_space_is_whole(tmp_path: Path) -> None:
    async def nothing(log: Log) -> None:
        pass

    on_space(tmp_path, nothing)
    assert verify_space(tmp_path).size == 0


@pytest.mark.parametrize("name", ["tile/0/000", "tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2"])
def test_a_wrong_or_missing_tile_is_named(space: Path, name: str) -> None:
    data = (space / name).read_bytes()
    (space / name).write_bytes(bytes([data[0] ^ 1]) + data[1:])
    with pytest.raises(Damaged, match=f"{name}: this tile does not hold"):
        verify_space(space)
    (space / name).unlink()
    with pytest.raises(Damaged, match=f"{name}: this tile is missing"):
        verify_space(space)


def test_what_is_made_again_anyhow_is_only_noted(space: Path) -> None:
    sidecar = min((space / "log").glob("*.idx"))
    sidecar.write_bytes(sidecar.read_bytes()[:-1])
    snapshot = space / "folds" / "log" / "snapshot"
    snapshot.write_bytes(snapshot.read_bytes()[:-1])
    last = max((space / "log").glob("*.seg"))
    last.write_bytes(last.read_bytes() + encode(600, [entry(600)])[:50])
    (space / "log" / "torn-9-0.bin").write_bytes(b"x")
    notes = "\n".join(verify_space(space).notes)
    for part in (sidecar.name, "snapshot", "50 bytes of an unfinished write", "torn-9-0.bin"):
        assert part in notes


def test_each_flipped_byte_of_a_segment_is_named_with_file_and_byte(space: Path) -> None:
    for path in sorted((space / "log").glob("*.seg")):
        good = path.read_bytes()
        for at in range(0, len(good), 4999):
            path.write_bytes(good[:at] + bytes([good[at] ^ 8]) + good[at + 1 :])
            with pytest.raises(Damaged, match=f"{path.name}, byte "):
                verify_space(space)
        path.write_bytes(good)
    assert verify_space(space).size == 600


def test_a_log_rewritten_with_right_checksums_and_signatures_does_not_match_its_checkpoint(space: Path) -> None:
    forger = Signer.generate()
    path = min((space / "log").glob("*.seg"))
    old = encode(0, entries(0, 40))
    forged = [entry(i, signer=forger, size=20) for i in range(40)]
    assert len(encode(0, forged)) == len(old)
    path.write_bytes(path.read_bytes().replace(old, encode(0, forged)))
    shutil.rmtree(space / "tile")
    with pytest.raises((Damaged, ProofFailed)):
        verify_space(space)


def test_a_missing_segment_is_found(space: Path) -> None:
    second = sorted((space / "log").glob("*.seg"))[1]
    second.unlink()
    with pytest.raises(Damaged):
        verify_space(space)


def test_a_proof_holds_offline_with_the_verifier_key_alone(space: Path) -> None:
    view = open_view(space)
    for index in (0, 255, 256, 599):
        proved = check_proof(prove(view, index), view.vkey)
        assert proved.index == index
        assert proved.entry.header == entries(0, 600)[index].header
        assert proved.checkpoint.size == 600
    known = entries(0, 600)[7]
    assert check_proof(prove(view, 7), view.vkey, salt=known.salt, body=known.body).entry == known
    with pytest.raises(ProofFailed):
        check_proof(prove(view, 7), view.vkey, salt=known.salt, body=b"{}")


def test_an_entry_that_no_checkpoint_covers_cannot_be_proved(space: Path) -> None:
    view = open_view(space)
    for index in (-1, 600):
        with pytest.raises(NotFound):
            prove(view, index)


def test_a_running_log_proves_what_is_durable() -> None:
    async def do(log: Log) -> None:
        await log.append(entries(0, 9))
        assert check_proof(prove(log, 8), log.vkey).entry.header == entries(8, 9)[0].header

    on_log(MemoryStore(), do)


def test_no_changed_character_of_a_proof_passes(space: Path) -> None:
    view = open_view(space)
    text = prove(view, 300)
    check_proof(text, view.vkey)
    for at in range(len(text)):
        changed = text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :]
        with pytest.raises((ProofFailed, Invalid)):
            check_proof(changed, view.vkey)
    with pytest.raises(ProofFailed):
        check_proof(text, str(view.key).replace(view.vkey, other_vkey(view.origin)))


def other_vkey(name: str) -> str:
    from ectype.trust.checkpoint import VerifierKey

    return str(VerifierKey(name, Signer.generate().public))


def test_a_proof_without_its_header_does_not_say_what_it_proves(space: Path) -> None:
    view = open_view(space)
    proof = parse_proof(prove(view, 3))
    with pytest.raises(Invalid, match="does not carry"):
        check_proof(str(Proof(proof.index, proof.path, proof.note)), view.vkey)


@settings(max_examples=50)
@given(st.integers(0, 10**18), st.lists(st.binary(min_size=32, max_size=32), max_size=4), st.none() | st.binary())
def test_a_proof_text_reads_back(index: int, path: list[bytes], extra: bytes | None) -> None:
    proof = Proof(index, tuple(path), "example.com/log\n1\nAAAA\n\n— x AAAA\n", extra)
    assert parse_proof(str(proof)) == proof


def test_the_text_of_a_proof_is_that_of_the_published_implementations() -> None:
    one, two = leaf_hash(b"a"), leaf_hash(b"b")
    first, second = b64encode(one).decode(), b64encode(two).decode()
    assert str(Proof(5, (one, two), "test checkpoint\n")) == (
        f"c2sp.org/tlog-proof@v1\nindex 5\n{first}\n{second}\n\ntest checkpoint\n"
    )
    extra = b64encode(b"extra information").decode()
    assert str(Proof(10, (one,), "checkpoint data\n", b"extra information")) == (
        f"c2sp.org/tlog-proof@v1\nextra {extra}\nindex 10\n{first}\n\ncheckpoint data\n"
    )
    assert str(Proof(0, (), "checkpoint\n")) == "c2sp.org/tlog-proof@v1\nindex 0\n\ncheckpoint\n"


@pytest.mark.parametrize(
    "text",
    ["", "c2sp.org/tlog-proof@v1\n", "wrong-header\nindex 0\n\ncheckpoint\n", "c2sp.org/tlog-proof@v1\n\ncheckpoint\n",
     "c2sp.org/tlog-proof@v1\nindex 01\n\nc\n", "c2sp.org/tlog-proof@v1\nindex -1\n\nc\n",
     "c2sp.org/tlog-proof@v1\nindex x\n\nc\n",
     "c2sp.org/tlog-proof@v1\nextra !!\nindex 0\n\nc\n", "c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\nc\n"],
)  # fmt: skip
def test_what_is_no_proof_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_proof(text)
