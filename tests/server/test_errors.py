import logging

import pytest

from ectype.errors import (
    Conflict,
    Damaged,
    Invalid,
    Misconfigured,
    NotFound,
    ProofFailed,
    Refused,
    Unavailable,
)
from ectype.server.errors import close_reason
from tests.server.fake import FakeView, app_of, ask, closing, message_of

ERRORS = [
    (Invalid("bad"), 400, 4400, "Invalid"),
    (ProofFailed("bad"), 400, 4400, "ProofFailed"),
    (Refused("bad"), 403, 1008, "Refused"),
    (NotFound("bad"), 404, 4404, "NotFound"),
    (Conflict("bad", 3), 409, 4409, "Conflict"),
    (Damaged("bad"), 500, 1011, "Damaged"),
    (Misconfigured("bad"), 500, 1011, "Misconfigured"),
    (Unavailable("bad"), 503, 1013, "Unavailable"),
]


@pytest.mark.parametrize(("error", "status", "close", "code"), ERRORS)
def test_each_error_has_its_status_and_its_close_code(error: Exception, status: int, close: int, code: str) -> None:
    view = FakeView()
    view.raises = error
    response = ask(app_of(view), "/api/twins")
    assert response.status_code == status
    assert response.json() == {"error": {"code": code, "message": "bad"}}
    closed = closing(app_of(view), "/api/feed")
    assert (closed.code, closed.reason) == (close, "bad")


def test_come_back_later_says_when() -> None:
    view = FakeView()
    view.raises = Unavailable("the disk is away")
    assert ask(app_of(view), "/api/space").headers["retry-after"] == "1"


def test_what_nobody_foresaw_is_logged_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    view = FakeView()
    view.raises = ZeroDivisionError("secret /home/ada/key.pem")
    with caplog.at_level(logging.ERROR, "ectype.server"):
        response = ask(app_of(view), "/api/twins")
    assert response.status_code == 500
    assert "secret" not in response.text
    assert "Traceback" not in response.text
    reference = message_of(response).rsplit(" ", 1)[1]
    assert reference in caplog.text
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nope", "/api/log", "/api/twins/a/b", "/api/history/x"])
def test_nothing_is_there_says_so_as_json(path: str) -> None:
    response = ask(app_of(FakeView()), path)
    assert response.status_code == 404
    assert f"nothing at {path}" in message_of(response)


def test_a_close_reason_fits_its_frame_and_stays_text() -> None:
    assert close_reason("short") == "short"
    assert len(close_reason("ü" * 100).encode()) <= 123
    assert set(close_reason("ü" * 100)) == {"ü"}
