"""What a caller is told when something goes wrong: one table from our errors to HTTP and WebSocket codes."""

import logging
import secrets
from dataclasses import dataclass
from typing import final

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from ectype.errors import Conflict, Damaged, EctypeError, Invalid, NotFound, ProofFailed, Refused, Unavailable

_logger = logging.getLogger("ectype.server")
_MOST_REASON_BYTES = 123  # RFC 6455 5.5: a control frame has at most 125 bytes, two are the code


@final
class Unauthorized(Refused):
    """Nobody is known by the credentials that came, if any did."""


@final
class TooLarge(Invalid):
    """A body beyond the bound."""


@final
@dataclass(frozen=True, slots=True)
class Outcome:
    """An error as callers see it: HTTP status, WebSocket close code, a name for programs, words for people."""

    status: int
    close: int
    code: str
    message: str


# The first class that fits counts. 4xxx are the application's own WebSocket codes: 4000 + status.
_TABLE: tuple[tuple[type[EctypeError], int, int, str], ...] = (
    (Unauthorized, 401, 1008, "Unauthorized"),
    (Refused, 403, 1008, "Refused"),
    (NotFound, 404, 4404, "NotFound"),
    (Conflict, 409, 4409, "Conflict"),
    (TooLarge, 413, 1009, "TooLarge"),
    (Damaged, 500, 1011, "Damaged"),
    (Invalid, 400, 4400, "Invalid"),
    (ProofFailed, 400, 4400, "ProofFailed"),
    (Unavailable, 503, 1013, "Unavailable"),
)
_BY_STATUS = {403: "Refused", 404: "NotFound", 405: "MethodNotAllowed"}


def outcome(error: Exception) -> Outcome:
    """What to tell about `error`. One that nobody foresaw is logged, with the reference that the caller gets."""
    for kind, status, close, code in _TABLE:
        if isinstance(error, kind):
            return Outcome(status, close, code, str(error))
    if isinstance(error, EctypeError):
        _logger.error("a request failed: %s", error)
        return Outcome(500, 1011, type(error).__name__, str(error))
    reference = secrets.token_hex(4)
    _logger.error("a request failed, reference %s", reference, exc_info=error)
    message = f"the node failed at this; its own log tells why under reference {reference}"
    return Outcome(500, 1011, "Internal", message)


def error_response(error: Exception, *, had_if_match: bool = False) -> Response:
    """The HTTP answer to `error`. A Conflict with a precondition of the caller's is 412, else 409."""
    told = outcome(error)
    status = 412 if told.status == 409 and had_if_match else told.status
    headers = {"cache-control": "no-store"}
    if status == 401:
        headers["www-authenticate"] = 'Bearer realm="ectype"'
    if isinstance(error, Conflict) and error.actual is not None:
        headers["etag"] = f'W/"{error.actual}"'
    if status == 503:
        headers["retry-after"] = "1"
    return Response(error_body(told.code, told.message), status, headers, "application/json")


def error_body(code: str, message: str) -> bytes:
    """The JSON that every error answer has."""
    return msgspec.json.encode({"error": {"code": code, "message": message}})


def http_exception(scope: Scope, error: HTTPException) -> Response:
    """The answer to what Starlette's router finds wrong itself: no such route, wrong method."""
    path, method = scope["path"][:200], scope["method"]
    message = {
        404: f"there is nothing at {path}; docs/http.md lists what there is",
        405: f"{path} does not take {method}; it takes {(error.headers or {}).get('Allow', 'something else')}",
    }.get(error.status_code, error.detail)
    headers = {**(error.headers or {}), "cache-control": "no-store"}
    code = _BY_STATUS.get(error.status_code, "Invalid")
    return Response(error_body(code, message), error.status_code, headers, "application/json")


def close_reason(text: str) -> str:
    """`text` cut to what fits a WebSocket close frame."""
    return text.encode()[:_MOST_REASON_BYTES].decode(errors="ignore")
