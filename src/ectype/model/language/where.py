"""From a JSON pointer (RFC 6901) to the line and column in the text."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ectype.model.language.finding import Finding

_SPACE = re.compile(r"[\s,:]*")
_DECODER = json.JSONDecoder()


def located(found: Iterable[Finding], texts: Sequence[str]) -> list[Finding]:
    """The findings, each with line and column where its place is in `texts`."""
    made: list[Finding] = []
    for each in found:
        if not 0 < each.source <= len(texts):
            made.append(each)
            continue
        text = texts[each.source - 1]
        offset = _offset(text, each.pointer)
        line = text.count("\n", 0, offset) + 1
        made.append(replace(each, line=line, column=offset - text.rfind("\n", 0, offset)))
    return made


def _offset(text: str, pointer: str) -> int:
    """Where the value that `pointer` leads to begins; the last value on the way if there is none, or no JSON."""
    here = _skip(text, 0)
    for step in pointer.split("/")[1:]:
        inner = _step(text, here, step.replace("~1", "/").replace("~0", "~"))
        if inner is None:
            break
        here = inner
    return here


def _step(text: str, start: int, step: str) -> int | None:
    """Where the value of a key, or of an index, of the object or list at `start` begins."""
    try:
        here = _skip(text, start + 1)
        count = 0
        while text[here] not in "]}":
            key = str(count)
            if text[start] == "{":
                key, here = _DECODER.raw_decode(text, here)
                here = _skip(text, here)
            if key == step:
                return here
            _, here = _DECODER.raw_decode(text, here)
            here = _skip(text, here)
            count += 1
    except (ValueError, IndexError, RecursionError):
        return None
    return None


def _skip(text: str, start: int) -> int:
    found = _SPACE.match(text, start)
    return found.end() if found else start
