"""Pages of lists: how large, and where the next one begins. A token is opaque to callers, and checked on return."""

import base64
import binascii
from urllib.parse import urlencode

import msgspec

from ectype.server.adt.call import Answer, Call
from ectype.server.adt.errors import AdtError

_encode = msgspec.json.Encoder().encode
_MOST = 1000


def page_size(call: Call, default: int = 100, most: int = _MOST) -> int:
    """What the header `max-items-per-page` asks for, cut to what is possible."""
    asked = call.header("max-items-per-page")
    if asked is None:
        return default
    if not asked.isascii() or not asked.isdigit() or len(asked) > 9 or int(asked) < 1:
        raise AdtError(400, "InvalidArgument", "max-items-per-page is a whole number from 1 on")
    return min(int(asked), most)


def token(*parts: str) -> str:
    """A continuation token that holds these."""
    return base64.urlsafe_b64encode(_encode(parts)).decode().rstrip("=")


def read_token(text: str, count: int) -> list[str]:
    """What a token holds. Raises AdtError for one that is not ours."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
        parts = msgspec.json.decode(raw, type=list[str])
        if len(parts) == count:
            return parts
    except (binascii.Error, msgspec.MsgspecError, UnicodeError, ValueError):
        pass
    raise AdtError(400, "BadRequest", "this continuation token is not one that this service gave out")


def after(call: Call) -> str | None:
    """The key after which the asked page begins."""
    found = call.query("continuationToken")
    return None if found is None else read_token(found, 1)[0]


def listing(call: Call, items: list[object], next_key: str | None) -> Answer:
    """A page of a list, with the link to the next."""
    body: dict[str, object] = {"value": items}
    if next_key is not None:
        pairs = [(name, value) for name, value in call.pairs() if name != "continuationToken"]
        query = urlencode([*pairs, ("continuationToken", token(next_key))])
        body["nextLink"] = f"{call.base}{call.path}?{query}"
    return Answer.of(body)
