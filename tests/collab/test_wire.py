import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Awareness, Doc, Text, create_awareness_message, create_sync_message, create_update_message

from ectype.collab import wire
from ectype.errors import Invalid

# What yjs 13.6.33, y-protocols 1.0.7 and lib0 0.2.120 write for a document of client 300 whose text "note" is "wörld".
DOCUMENT = bytes.fromhex("0101ac02000401046e6f74650677c3b6726c6400")
VECTORS = [
    ("00000401ac0205", wire.SyncStep1(bytes.fromhex("01ac0205"))),
    ("0001140101ac02000401046e6f74650677c3b6726c6400", wire.Update(DOCUMENT, answer=True)),
    ("0002140101ac02000401046e6f74650677c3b6726c6400", wire.Update(DOCUMENT)),
    ("00000100", wire.SyncStep1(b"\x00")),
    ("0001020000", wire.Update(b"\x00\x00", answer=True)),
    (
        "011d01ac0201187b2275736572223a7b226e616d65223a225a6fc3ab227d7d",
        wire.Awareness((wire.Presence(300, 1, '{"user":{"name":"Zoë"}}'),)),
    ),
    ("010901ac0202046e756c6c", wire.Awareness((wire.Presence(300, 2, wire.GONE),))),
    ("03", wire.QueryAwareness()),
]


@pytest.mark.parametrize(("vector", "meaning"), VECTORS)
def test_what_stock_clients_write_is_understood(vector: str, meaning: wire.Message) -> None:
    assert wire.parse(bytes.fromhex(vector)) == meaning


@pytest.mark.parametrize(("vector", "meaning"), VECTORS)
def test_what_is_written_equals_what_stock_clients_write(vector: str, meaning: wire.Message) -> None:
    match meaning:
        case wire.SyncStep1(state_vector):
            written = wire.step_1(state_vector)
        case wire.Update(data, answer):
            written = wire.step_2(data) if answer else wire.update(data)
        case wire.Awareness(states):
            written = wire.awareness(states)
        case wire.QueryAwareness():
            return
    assert written.hex() == vector


def test_a_refusal_to_a_client_has_the_layout_of_y_protocols() -> None:
    assert wire.denied("no").hex() == "0200026e6f"


def test_messages_of_pycrdt_are_understood() -> None:
    doc: Doc[Any] = Doc(client_id=2**32 - 1)
    doc.get("note", type=Text).insert(0, "wörld")
    assert wire.parse(create_sync_message(doc)) == wire.SyncStep1(doc.get_state())
    assert wire.parse(create_update_message(doc.get_update())) == wire.Update(doc.get_update())
    awareness = Awareness(doc)
    awareness.set_local_state({"user": {"name": "ada", "color": "#fff"}})
    heard = wire.parse(create_awareness_message(awareness.encode_awareness_update([doc.client_id])))
    assert heard == wire.Awareness((wire.Presence(2**32 - 1, 1, '{"user":{"name":"ada","color":"#fff"}}'),))


presences = st.builds(
    wire.Presence,
    st.integers(0, 2**53 - 1),
    st.integers(0, 2**53 - 1),
    st.sampled_from(["null", "{}", '{"user":{"name":"Zoë"}}', "[1,2]"]),
)


@given(st.lists(presences, max_size=5))
def test_awareness_comes_back_as_it_went(states: list[wire.Presence]) -> None:
    assert wire.parse(wire.awareness(states)) == wire.Awareness(tuple(states))


@given(st.binary(max_size=400))
def test_updates_come_back_as_they_went(data: bytes) -> None:
    assert wire.parse(wire.update(data)) == wire.Update(data)
    assert wire.parse(wire.step_1(data)) == wire.SyncStep1(data)
    assert wire.parse(wire.step_2(data)) == wire.Update(data, answer=True)


@given(st.binary(max_size=60))
def test_any_bytes_are_understood_or_refused_and_never_more(data: bytes) -> None:
    with contextlib.suppress(Invalid):
        wire.parse(data)


@given(st.lists(presences, min_size=1, max_size=3), st.data())
def test_a_message_cut_short_or_with_something_after_it_is_refused(
    states: list[wire.Presence], data: st.DataObject
) -> None:
    whole = wire.awareness(states)
    with pytest.raises(Invalid):
        wire.parse(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(Invalid, match="too many"):
        wire.parse(whole + b"\x00")


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (b"", "ends within a number"),
        (b"\x02", "type 0"),
        (b"\x00\x03\x00", "kind 0, 1 or 2"),
        (b"\x00" + b"\xff" * 12, "2\\^53"),
        (b"\x01\x03\xff\xff\x7f", "at most 1024"),
        (b"\x00\x02\x05ab", "promises 5 bytes"),
        (b"\x01\x05\x01\x01\x01\x01{", "not JSON"),
    ],
)
def test_a_refusal_says_what_was_wrong(message: bytes, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        wire.parse(message)
