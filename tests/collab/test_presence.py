import pytest

from ectype.collab.presence import Presences
from ectype.collab.wire import GONE, Presence
from ectype.errors import Invalid


def test_only_a_newer_state_is_news() -> None:
    room = Presences()
    first = Presence(7, 3, '{"x":1}')
    assert room.hear("ada", [first]) == (first,)
    assert room.hear("bob", [first]) == ()
    assert room.hear("bob", [Presence(7, 2, '{"x":0}')]) == ()
    assert room.all() == (first,)


def test_leaving_at_the_same_clock_is_news_once() -> None:
    room = Presences()
    room.hear("ada", [Presence(7, 3, "{}")])
    assert room.hear("ada", [Presence(7, 3, GONE)]) == (Presence(7, 3, GONE),)
    assert room.hear("ada", [Presence(7, 3, GONE)]) == ()
    assert room.all() == ()


def test_a_lost_connection_takes_its_clients_along_and_no_others() -> None:
    room = Presences()
    room.hear("ada", [Presence(1, 0, "{}"), Presence(2, 5, "{}")])
    room.hear("bob", [Presence(3, 0, "{}")])
    assert room.leave("ada") == (Presence(1, 0, GONE), Presence(2, 5, GONE))
    assert room.all() == (Presence(3, 0, "{}"),)
    assert room.leave("ada") == ()


def test_a_client_that_came_back_outlives_its_old_connection() -> None:
    room = Presences()
    room.hear("old", [Presence(1, 4, "{}")])
    room.hear("new", [Presence(1, 5, "{}")])
    assert room.leave("old") == ()
    assert room.all() == (Presence(1, 5, "{}"),)


def test_one_connection_cannot_fill_the_room() -> None:
    with pytest.raises(Invalid, match="more than 64 clients"):
        Presences().hear("ada", [Presence(n, 0, "{}") for n in range(65)])
    with pytest.raises(Invalid, match="at most 16384"):
        Presences().hear("ada", [Presence(1, 0, '"' + "x" * 20_000 + '"')])


def test_a_page_that_reconnects_is_back_at_once_with_a_clock_the_others_accept() -> None:
    room = Presences()
    room.hear("ada", [Presence(9, 0, "{}")])
    room.hear("old", [Presence(1, 4, "{}")])
    room.leave("old")
    assert room.hear("new", [Presence(1, 4, "{}")]) == (Presence(1, 5, "{}"),)
    assert room.hear("new", [Presence(1, 5, "{}")]) == ()


def test_a_late_echo_of_somebody_who_left_does_not_bring_him_back() -> None:
    room = Presences()
    room.hear("bob", [Presence(2, 0, "{}")])
    room.hear("ada", [Presence(1, 4, "{}")])
    room.leave("ada")
    assert room.hear("bob", [Presence(1, 4, "{}")]) == ()
    assert room.hear("bob", [Presence(1, 4, GONE)]) == ()
    assert room.all() == (Presence(2, 0, "{}"),)


def test_only_so_many_departures_are_remembered() -> None:
    room = Presences()
    for client in range(3000):
        room.hear(client, [Presence(client, 0, "{}")])
        room.leave(client)
    assert len(room._departed) == 1024
