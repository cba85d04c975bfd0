"""Entries: canonical, signed, erasable. Frames: exact bytes, no flip unnoticed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.errors import Damaged, Invalid, ProofFailed
from ectype.log.entry import Entry, check_entry, parse_entry, seal
from ectype.log.frame import Frame, decode, decode_head, decode_headers, encode, pieces, size_of
from ectype.trust.keys import Signer, to_base64url
from ectype.values.canonical import canonical
from tests.log.making import SIGNER, entries, entry

words = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Zs", "Cn", "Co", "Cf"]), min_size=1, max_size=30
)


def erased(whole: Entry) -> Entry:
    return parse_entry(whole.header, b"", None)


@given(words, st.binary(max_size=100), st.integers(-(2**63), 2**63 - 1), st.none() | words)
def test_a_sealed_entry_is_canonical_signed_and_reads_back(
    subject: str, body: bytes, at_ns: int, by: str | None
) -> None:
    made = seal(SIGNER, kind="twin.put", subject=subject, body=body, at_ns=at_ns, by=by)
    check_entry(made)
    assert parse_entry(made.header, made.salt, made.body) == made
    assert (made.kind, made.subject, made.at_ns, made.on_behalf_of) == ("twin.put", subject, at_ns, by)
    assert made.author == SIGNER.key_id
    parts = json.loads(made.header)
    assert canonical(parts) == made.header
    assert parts["at_ns"] == str(at_ns)
    assert ("by" in parts) == (by is not None)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_header_escapes_strings_as_canonical_json_does(by: str) -> None:
    made = seal(SIGNER, kind="x", subject="s", body=b"", at_ns=0, by=by)
    assert canonical(json.loads(made.header)) == made.header


def test_two_entries_that_say_the_same_have_different_salts() -> None:
    a, b = (seal(SIGNER, kind="x", subject="s", body=b"{}", at_ns=0) for _ in range(2))
    assert a.salt != b.salt
    assert a.header != b.header


def test_a_header_may_fill_a_leaf_but_not_more() -> None:
    room = 65_535 - len(seal(SIGNER, kind="x", subject="s", body=b"", at_ns=0).header)
    full = seal(SIGNER, kind="x", subject="s" * (1 + room), body=b"", at_ns=0)
    assert len(full.header) == 65_535
    check_entry(decode(encode(0, [full])).entries[0])
    with pytest.raises(Invalid, match="65536 bytes, more than the 65535"):
        seal(SIGNER, kind="x", subject="s" * (2 + room), body=b"", at_ns=0)
    with pytest.raises(Invalid, match="longer"):
        parse_entry(full.header + b" ", full.salt, full.body)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": ""}, {"kind": "Twin"}, {"kind": "a b"}, {"kind": "x" * 65}, {"subject": ""}, {"subject": "a\nb"},
        {"subject": "\ud800"}, {"media": ""}, {"media": "é/é"}, {"at_ns": 2**63}, {"salt": b"short"},
    ],
)  # fmt: skip
def test_an_entry_with_a_nonsense_part_is_not_sealed(wrong: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        seal(SIGNER, **({"kind": "x", "subject": "s", "body": b"", "at_ns": 0} | wrong))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        lambda parts: parts | {"v": 2},
        lambda parts: parts | {"extra": 1},
        lambda parts: parts | {"at_ns": 5},
        lambda parts: parts | {"at_ns": "05"},
        lambda parts: parts | {"at_ns": "-0"},
        lambda parts: parts | {"at_ns": "٣"},
        lambda parts: parts | {"at_ns": str(2**63)},
        lambda parts: parts | {"by": None},
        lambda parts: parts | {"author": "A"},
        lambda parts: {name: parts[name] for name in parts if name != "sig"},
        lambda parts: {name: parts[name] for name in parts if name != "subject"},
    ],
)
def test_a_header_with_wrong_parts_is_refused(change) -> None:  # type: ignore[no-untyped-def]
    made = entry(1)
    with pytest.raises(Invalid):
        parse_entry(canonical(change(json.loads(made.header))), made.salt, made.body)


def test_a_header_in_any_other_spelling_is_refused() -> None:
    made = entry(1)
    parts = json.loads(made.header)
    spaced, reversed_ = (
        json.dumps(parts).encode(),
        json.dumps(dict(reversed(parts.items())), separators=(",", ":")).encode(),
    )
    escaped = made.header.replace(b"twin:", b"\\u0074win:")
    for header in (spaced, reversed_, escaped, made.header + b"\n", b"", b"{}", b"[]", b"\xff"):
        with pytest.raises(Invalid):
            parse_entry(header, made.salt, made.body)


def test_no_other_body_salt_author_or_time_passes() -> None:
    made = entry(1)
    other = Signer.from_seed(bytes(32))
    parts = json.loads(made.header)
    swaps = [
        parse_entry(made.header, made.salt, b"{}"),
        parse_entry(made.header, bytes(16), made.body),
        *[
            parse_entry(canonical(parts | change), made.salt, made.body)
            for change in (
                {"at_ns": "5"}, {"author": other.key_id}, {"kind": "twin.delete"}, {"subject": "twin:x"},
                {"media": "a/b"}, {"by": "somebody"}, {"digest": to_base64url(bytes(32))},
                {"sig": to_base64url(bytes(64))},
            )
        ],
    ]  # fmt: skip
    for swapped in swaps:
        with pytest.raises(ProofFailed):
            check_entry(swapped)


def test_an_erased_body_leaves_an_entry_that_still_proves_who_said_it() -> None:
    gone = erased(entry(1))
    assert gone.body is None
    assert gone.salt == b""
    check_entry(gone)
    assert gone.header == entry(1).header


@given(st.integers(0, 2**63), st.lists(st.booleans(), min_size=1, max_size=12))
def test_a_frame_reads_back_also_with_erased_bodies(first: int, which: list[bool]) -> None:
    some = [erased(e) if gone else e for e, gone in zip(entries(0, len(which)), which, strict=True)]
    data = encode(first, some)
    assert len(data) == size_of(some)
    assert decode(data) == Frame(first, tuple(some))
    head = decode_head(data)
    assert head is not None
    assert decode_headers(head, data[28:]) == [e.header for e in some]


@given(st.lists(st.sampled_from([0, 10, 64 << 10, 100_000]), min_size=1, max_size=6), st.integers(0, 5))
def test_large_bodies_are_pieces_of_their_own_of_the_same_frame(sizes: list[int], gone: int) -> None:
    some = [seal(SIGNER, kind="x", subject="s", body=bytes([k]) * size, at_ns=0) for k, size in enumerate(sizes)]
    some = [erased(e) if k == gone else e for k, e in enumerate(some)]
    found = pieces(7, some)
    assert decode(b"".join(found)) == Frame(7, tuple(some))
    assert decode_head(found[0]) is not None
    for body in (each.body for each in some):
        if len(body or b"") >= 64 << 10:
            assert any(piece is body for piece in found)


def test_an_empty_body_is_not_an_erased_one() -> None:
    empty = seal(SIGNER, kind="x", subject="s", body=b"", at_ns=0)
    assert decode(encode(0, [empty])).entries[0].body == b""


def test_every_single_flipped_bit_of_a_frame_is_noticed() -> None:
    data = bytearray(encode(7, entries(7, 9)))
    for bit in range(8 * len(data)):
        data[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Damaged):
            decode(data)
        data[bit // 8] ^= 1 << bit % 8
    assert decode(data).first == 7


@given(st.integers(0, 20), st.integers(0, 20))
def test_a_part_of_a_frame_has_the_indices_asked_for(start: int, stop: int) -> None:
    frame = Frame(5, tuple(entries(5, 12)))
    part = frame.between(start, stop)
    assert list(part.entries) == entries(5, 12)[max(0, start - 5) : max(0, stop - 5)] or not part.entries
    if part.entries:
        assert part.first == max(start, 5)
        assert part.next == min(stop, 12)
