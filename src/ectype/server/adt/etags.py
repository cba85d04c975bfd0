"""Preconditions: `If-Match` an ETag that was read, or `If-None-Match: *` for what must not be there yet."""

import re

from ectype.server.adt.call import Call
from ectype.server.adt.errors import AdtError

_ETAG = re.compile(r'W/"[0-9]{1,18}(?:\.[0-9]{1,9})?"')
_NO_ETAG = 'W/"-"'


def if_match(call: Call) -> str | None:
    """The ETag that must still be so. None for none, or `*`: that something is there is checked anyway."""
    found = call.header("if-match")
    if found in (None, "", "*"):
        return None
    if len(found or "") > 1000:
        raise AdtError(400, "InvalidArgument", "If-Match is not an ETag of this service")
    given = found or ""
    weak = given if given.startswith("W/") else f"W/{given}"
    return weak if _ETAG.fullmatch(weak) else _NO_ETAG  # an ETag of somebody else's is no ETag of this twin


def if_none(call: Call) -> bool:
    """Must there be nothing yet?"""
    found = call.header("if-none-match")
    if found in (None, ""):
        return False
    if found != "*":
        raise AdtError(400, "InvalidArgument", "If-None-Match can only be *")
    return True
