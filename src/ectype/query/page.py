"""Pages: where the next one begins, as a text that anybody may hold.

A token says after which row to go on (the keys that rows are ordered by), how many rows are still to come under TOP,
and the query itself. Rows that are there all the while are neither missed nor repeated, whatever is written between.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import TypeAlias, final

import msgspec

from ectype.errors import Invalid

Key: TypeAlias = str | int | float | bytes | None


@final
@dataclass(frozen=True, slots=True)
class Mark:
    """text: the query; at: the size of the log that it asks about, None for now; after: the keys of the last row."""

    text: str
    at: int | None
    after: tuple[Key, ...]
    left: int | None

    def token(self) -> str:
        """The same as a text."""
        keys = [{"b": each.decode("latin-1")} if isinstance(each, bytes) else each for each in self.after]
        return urlsafe_b64encode(msgspec.json.encode([1, self.text, self.at, keys, self.left])).decode()


def read_token(token: str) -> Mark:
    """What a token says. Raises Invalid if it is none."""
    try:
        version, text, at, keys, left = msgspec.json.decode(
            urlsafe_b64decode(token.encode()), type=tuple[int, str, int | None, list[_Key], int | None]
        )
        if version != 1:
            raise Invalid("the continuation token is of another version; ask the query again")
        after = tuple(each["b"].encode("latin-1") if isinstance(each, dict) else each for each in keys)
    except (msgspec.MsgspecError, binascii.Error, UnicodeError, KeyError, ValueError) as error:
        raise Invalid("this is no continuation token of a query; take it as a page gave it") from error
    if any(isinstance(each, int) and not -(2**63) <= each < 2**63 for each in [*after, at, left]):
        raise Invalid("this is no continuation token of a query; take it as a page gave it")
    return Mark(text, at, after, left)


_Key: TypeAlias = str | int | float | dict[str, str] | None
