"""What a caller of the Azure Digital Twins API is told: its codes, in its form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import msgspec

from ectype.errors import Conflict, EctypeError, Invalid, NotFound, Refused, Unavailable
from ectype.node.graph_view import BadPatch, InvalidModel, PreconditionFailed
from ectype.server.errors import TooLarge, Unauthorized, outcome

_encode = msgspec.json.Encoder().encode


@final
class AdtError(EctypeError):
    """An answer other than the one hoped for, named as Azure Digital Twins names it."""

    def __init__(self, status: int, code: str, message: str, details: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.details = tuple(details)


@final
class NotAList(EctypeError):
    """A JSON Patch that is no list: the one error that is told as RFC 7807 has it."""


@final
@dataclass(frozen=True, slots=True)
class Codes:
    """What the errors of an operation are called."""

    invalid: str = "InvalidArgument"
    missing: str = "NotFound"
    conflict: tuple[int, str] = (409, "Conflict")


@final
@dataclass(frozen=True, slots=True)
class Told:
    """An error as bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def tell(error: Exception, codes: Codes) -> Told:
    """The answer to `error` in an operation with these codes."""
    match error:
        case AdtError():
            return _told(error.status, error.code, str(error), error.details)
        case NotAList():
            return _problem(str(error))
        case PreconditionFailed():
            return _told(412, "PreconditionFailed", str(error), (), _actual(error))
        case InvalidModel():
            details = [("DTDLParserError", str(each)) for each in error.errors[:50]]
            return _told(400, "DTDLParserError", str(error), details)
        case BadPatch():
            return _told(400, "JsonPatchInvalid", str(error))
        case NotFound():
            return _told(404, codes.missing, str(error))
        case Conflict():
            return _told(*codes.conflict, str(error))
        case TooLarge():
            return _told(413, "LimitExceeded", str(error))
        case Unauthorized():
            return _told(401, "AuthenticationFailed", str(error), (), {"www-authenticate": "Bearer"})
        case Refused():
            return _told(403, "AuthorizationFailed", str(error))
        case Unavailable():
            return _told(503, "ServiceUnavailable", str(error), (), {"retry-after": "1"})
        case Invalid():
            details = (
                [(codes.invalid, part) for part in str(error).split("; ")]
                if codes.invalid == "ValidationFailed"
                else []
            )
            return _told(400, codes.invalid, str(error), details)
        case _:
            unforeseen = outcome(error)
            return _told(unforeseen.status, unforeseen.code, unforeseen.message)


def _actual(error: Conflict) -> dict[str, str]:
    return {} if error.actual is None else {"etag": f'W/"{error.actual}"'}


def _told(
    status: int, code: str, message: str, details: Sequence[tuple[str, str]] = (), headers: Mapping[str, str] = {}
) -> Told:
    told: dict[str, object] = {"code": code, "message": message[:4000]}
    if details:
        told["details"] = [{"code": each, "message": text[:1000]} for each, text in details]
    head = {"content-type": "application/json; charset=utf-8", "x-ms-error-code": code, **headers}
    return Told(status, head, _encode({"error": told}))


def _problem(message: str) -> Told:
    body = {
        "type": "https://tools.ietf.org/html/rfc7231#section-6.5.1",
        "title": "One or more validation errors occurred.",
        "status": 400,
        "errors": {"": [message]},
    }
    return Told(400, {"content-type": "application/problem+json; charset=utf-8"}, _encode(body))
