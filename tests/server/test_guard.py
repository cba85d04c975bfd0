from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.server.app import create_app
from ectype.server.guard import CONTENT_SECURITY_POLICY, Guard
from tests.server.fake import FakeView, app_of, ask, closing, message_of, views_of

PATCH = b'[{"op":"replace","path":"/name","value":"A"}]'


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "localhost@evil.example", "127.0.0.1:0", "[::2]:8787", "a b"]
)
def test_a_host_that_is_not_ours_is_refused(host: str) -> None:
    view = FakeView()
    response = ask(app_of(view), "/api/space", headers={"host": host})
    assert response.status_code == 403
    assert "answers to the host 127.0.0.1, ::1, localhost" in message_of(response)
    assert view.asked == []


@pytest.mark.parametrize("host", ["127.0.0.1", "LOCALHOST:9", "[::1]:8787"])
def test_our_hosts_are_served_on_any_port(host: str) -> None:
    assert ask(app_of(FakeView()), "/api/space", headers={"host": host}).status_code == 200


def test_a_certificate_for_a_star_names_one_label_more() -> None:
    app = create_app(views_of(FakeView()), allowed_hosts=["*.farm.example"], static=None)
    assert ask(app, "/api/space", headers={"host": "twin.farm.example"}).status_code == 200
    assert ask(app, "/api/space", headers={"host": "a.twin.farm.example"}).status_code == 403
    assert ask(app, "/api/space", headers={"host": "farm.example"}).status_code == 403


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://127.0.0.1:9999", "http://localhost:8787", "null", "", "file://", "x"]
)
def test_a_foreign_page_changes_nothing(origin: str) -> None:
    view = FakeView()
    response = ask(app_of(view), "/api/twins/R80711", "PATCH", content=PATCH, headers={"origin": origin})
    assert response.status_code == 403
    assert "may not do this" in message_of(response)
    assert view.asked == []


def test_a_foreign_page_of_a_browser_that_hides_its_origin_changes_nothing() -> None:
    headers = {"sec-fetch-site": "cross-site"}
    assert ask(app_of(FakeView()), "/api/twins/R80711", "PATCH", content=PATCH, headers=headers).status_code == 403


@pytest.mark.parametrize(
    "headers", [{}, {"origin": "http://127.0.0.1:8787"}, {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}]
)
def test_programs_and_our_own_page_may(headers: dict[str, str]) -> None:
    assert ask(app_of(FakeView()), "/api/twins/R80711", "PATCH", content=PATCH, headers=headers).status_code == 204


@pytest.mark.parametrize("path", ["/api/feed", "/api/rooms/note-R80711"])
@pytest.mark.parametrize("headers", [{"origin": "http://evil.example"}, {"host": "evil.example"}])
def test_a_foreign_page_opens_no_socket(path: str, headers: dict[str, str]) -> None:
    view = FakeView()
    assert closing(app_of(view), path, headers).code == 403
    assert view.asked == []


@pytest.mark.parametrize("path", ["/", "/api/space", "/api/nope", "/nope.js"])
def test_every_answer_carries_the_safety_headers(path: str) -> None:
    headers = ask(app_of(FakeView()), path).headers
    assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert "'unsafe-inline'" not in CONTENT_SECURITY_POLICY.split("style-src")[0]
    assert "http" not in CONTENT_SECURITY_POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["x-frame-options"] == "DENY"


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_no_header_bytes_break_the_guard(host: bytes, origin: bytes) -> None:
    reached: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope)

    guard = Guard(app, ["localhost"])
    scope = {"type": "http", "method": "POST", "headers": [(b"host", host), (b"origin", origin)]}
    objection = guard._objection(scope)
    same = host.lower().startswith(b"localhost") and origin.lower().endswith(b"//" + host.lower())
    assert objection is not None or same


def test_what_is_neither_http_nor_websocket_passes() -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    coroutine = Guard(app, [])({"type": "lifespan"}, None, None)  # type: ignore[arg-type]
    with pytest.raises(StopIteration):
        coroutine.send(None)
    assert seen == ["lifespan"]
