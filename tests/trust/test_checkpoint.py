"""Signed notes: the published examples of Go's sumdb, and what must not pass."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.errors import Invalid, ProofFailed
from ectype.trust.checkpoint import (
    Checkpoint,
    VerifierKey,
    open_note,
    parse_checkpoint,
    parse_vkey,
    sign_note,
    verify_checkpoint,
)
from ectype.trust.keys import Signer

# golang.org/x/mod/sumdb/note, package documentation and tests.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETERS_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
GO_SUMDB = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"

SIGNER = Signer.from_seed(bytes(range(32)))
KEY = VerifierKey("example.com/log", SIGNER.public)


def test_the_published_note_of_go_opens_with_its_published_key() -> None:
    assert open_note(PETERS_NOTE, [parse_vkey(PETER)]).endswith("what your problem is.\n")


def test_published_verifier_keys_read_back_as_they_were_written() -> None:
    for text in (PETER, GO_SUMDB):
        assert str(parse_vkey(text)) == text


def test_the_published_note_opens_with_no_letter_changed() -> None:
    for at in range(0, len(PETERS_NOTE), 7):
        changed = PETERS_NOTE[:at] + chr(ord(PETERS_NOTE[at]) ^ 1) + PETERS_NOTE[at + 1 :]
        with pytest.raises((ProofFailed, Invalid)):
            open_note(changed, [parse_vkey(PETER)])


@given(st.integers(0, 2**62), st.binary(min_size=32, max_size=32), st.lists(st.text("abcé", min_size=1), max_size=2))
def test_a_checkpoint_reads_back_from_its_note(size: int, root: bytes, extra: list[str]) -> None:
    checkpoint = Checkpoint("example.com/log", size, root, tuple(extra))
    assert verify_checkpoint(checkpoint.sign(SIGNER), KEY) == checkpoint
    assert parse_checkpoint(checkpoint.text()) == checkpoint


def test_a_signature_is_deterministic_and_starts_with_the_key_hash() -> None:
    note = Checkpoint("example.com/log", 0, bytes(32)).sign(SIGNER)
    assert note == Checkpoint("example.com/log", 0, bytes(32)).sign(SIGNER)
    assert note.splitlines()[-1].startswith("— example.com/log " + b64encode(KEY.hash).decode()[:5])


def test_signatures_of_others_are_passed_over_but_ours_must_be_there() -> None:
    witness = Signer.generate()
    note = Checkpoint("example.com/log", 7, bytes(32)).sign(SIGNER)
    both = (
        note
        + sign_note("example.com/log\n7\n" + note.split("\n")[2] + "\n", witness, "witness.example").split("\n\n")[1]
    )
    assert verify_checkpoint(both, KEY).size == 7
    assert verify_checkpoint(both, VerifierKey("witness.example", witness.public), "example.com/log").size == 7
    with pytest.raises(ProofFailed, match="no signature here"):
        verify_checkpoint(note, VerifierKey("witness.example", witness.public), "example.com/log")


def test_a_wrong_signature_of_ours_is_not_passed_over() -> None:
    note = Checkpoint("example.com/log", 7, bytes(32)).sign(SIGNER)
    with pytest.raises(ProofFailed):
        verify_checkpoint(note.replace("\n7\n", "\n8\n"), KEY)


def test_a_checkpoint_of_another_log_is_told_apart() -> None:
    note = sign_note("example.com/other\n7\n" + b64encode(bytes(32)).decode() + "\n", SIGNER, "example.com/log")
    with pytest.raises(ProofFailed, match=r"the log 'example\.com/other'"):
        verify_checkpoint(note, KEY)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a\n",
        "a\n1\n",
        "a\n01\n" + "A" * 43 + "=\n",
        "a\n-1\n" + "A" * 43 + "=\n",
        "a\n1\nAAAA\n",
        "\n1\n" + "A" * 43 + "=\n",
        "a\n٣\n" + "A" * 43 + "=\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_checkpoint(text)


@pytest.mark.parametrize(
    "note", ["", "text\n", "text\n\n", "text\n\nno dash\n", "text\n\n— name\n", "a\rb\n\n— n AAAAAAA=\n"]
)
def test_what_is_no_note_is_refused(note: str) -> None:
    with pytest.raises((Invalid, ProofFailed)):
        open_note(note, [KEY])


@pytest.mark.parametrize(
    "text", ["", "name", "name+00000000+AAAA", PETER[:-2] + "XX", PETER.replace("c74f", "c74e"), "a b" + PETER]
)
def test_what_is_no_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_vkey(text)


def test_a_text_without_its_last_newline_cannot_be_signed() -> None:
    for text in ("text", "tab\there\n"):
        with pytest.raises(Invalid):
            sign_note(text, SIGNER, "name")
