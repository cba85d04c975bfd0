"""One thing that is wrong with a text of DTDL, and where."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """id: `dtmi:dtdl:parsingError:…`; element: path of names; text: what to do.

    pointer: place in the text (RFC 6901), whose number (from 1) is `source`; line and column count from 1.
    tenable: would be right if an extension that nobody here knows said so.
    """

    id: str
    element: str
    property: str
    value: str
    text: str
    pointer: str = ""
    source: int = 0
    line: int = 0
    column: int = 0
    tenable: bool = False

    def __str__(self) -> str:
        what = " ".join(part for part in (self.property, repr(self.value) if self.value else "") if part)
        return f"{self.element or 'document'}: {what + ': ' if what else ''}{self.text}"


def told_once(found: Iterable[Finding]) -> list[Finding]:
    """For people: of several findings about one property of one element, the first."""
    kept: dict[tuple[str, str, str, int], Finding] = {}
    for each in found:
        kept.setdefault((each.element, each.property, each.pointer, each.source), each)
    return list(kept.values())
