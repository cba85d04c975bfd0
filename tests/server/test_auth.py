import asyncio
import hmac
from typing import Any

import httpx
import pytest

from ectype.errors import Refused
from ectype.server.auth import Credentials, one_token, open_view
from ectype.server.errors import Unauthorized
from tests.server.fake import FakeView, Socket, app_of, ask, closing, message_of, views_of

TOKEN = "correct-horse-battery-staple"


def open_link(path: str, base: str = "http://127.0.0.1:8787") -> httpx.Response:
    return ask(app_of(FakeView(), TOKEN), path, base=base)


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": "Basic eDp5"}, {"authorization": "Bearer"}]
)
def test_without_the_token_there_is_nothing_to_read(headers: dict[str, str]) -> None:
    view = FakeView()
    response = ask(app_of(view, TOKEN), "/api/space", headers=headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'Bearer realm="ectype"'
    assert TOKEN not in response.text
    assert view.asked == []


def test_the_token_in_the_header_opens_everything() -> None:
    headers = {"authorization": f"Bearer {TOKEN}"}
    assert ask(app_of(FakeView(), TOKEN), "/api/space", headers=headers).status_code == 200


def test_a_token_no_header_can_hold_is_refused_without_fuss() -> None:
    headers = {"authorization": "Bearer töken".encode("latin-1")}
    assert ask(app_of(FakeView(), TOKEN), "/api/space", headers=headers).status_code == 401


def test_a_link_with_the_token_leaves_it_in_a_cookie_and_not_in_the_address() -> None:
    response = open_link(f"/?token={TOKEN}&at=5")
    assert (response.status_code, response.headers["location"]) == (303, "/?at=5")
    cookie = response.headers["set-cookie"]
    assert cookie.startswith(f"ectype-8787={TOKEN};")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie
    headers = {"cookie": f"other=1; ectype-8787={TOKEN}"}
    assert ask(app_of(FakeView(), TOKEN), "/api/space", headers=headers).status_code == 200
    headers = {"cookie": f"ectype-9999={TOKEN}"}
    assert ask(app_of(FakeView(), TOKEN), "/api/space", headers=headers).status_code == 401


def test_over_tls_the_cookie_never_leaves_it() -> None:
    response = open_link(f"/?token={TOKEN}", "https://localhost")
    assert response.headers["set-cookie"].startswith(f"ectype={TOKEN};")
    assert "Secure" in response.headers["set-cookie"]


def test_a_link_with_a_wrong_token_sets_nothing() -> None:
    response = open_link("/?token=guess")
    assert response.status_code == 401
    assert "set-cookie" not in response.headers
    assert "this node wants its token" in message_of(response)


@pytest.mark.parametrize("path", ["//evil.example", "/%2Fevil.example", "/%5Cevil.example", "///evil.example/x"])
def test_the_redirect_never_leads_elsewhere(path: str) -> None:
    location = open_link(f"http://127.0.0.1:8787{path}?token={TOKEN}").headers["location"]
    assert location.startswith("/")
    assert location[1] not in "/\\"


def test_the_page_itself_is_no_secret() -> None:
    assert open_link("/").status_code == 200


@pytest.mark.parametrize("path", ["/api/feed", "/api/rooms/note-R80711"])
def test_a_socket_without_the_token_is_closed_with_1008(path: str) -> None:
    closed = closing(app_of(FakeView(), TOKEN), path)
    assert closed.code == 1008
    assert "token" in closed.reason


def test_the_cookie_opens_sockets() -> None:
    async def play() -> None:
        async with Socket(app_of(FakeView(), TOKEN), "/api/feed", {"cookie": f"ectype-8787={TOKEN}"}) as socket:
            assert (await socket.hear_json())["size"] == 17

    asyncio.run(play())


def test_tokens_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []
    honest = hmac.compare_digest

    def compare(a: Any, b: Any) -> bool:
        compared.append((a, b))
        return honest(a, b)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    with pytest.raises(Unauthorized):
        views_of(FakeView(), TOKEN)(Credentials("correct", None))
    assert compared == [(b"correct", TOKEN.encode())]


def test_whoever_gives_out_views_may_refuse_in_its_own_words() -> None:
    def views(credentials: Credentials) -> Any:
        raise Refused(f"{credentials.peer} is not welcome")

    with pytest.raises(Unauthorized, match=r"10\.0\.0\.1 is not welcome"):
        open_view(views, Credentials(None, "10.0.0.1"))
    assert one_token(FakeView(), None)(Credentials(None, None))  # type: ignore[arg-type]
