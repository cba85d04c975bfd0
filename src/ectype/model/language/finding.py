"""One thing that is wrong with a text of DTDL, and where."""

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
        return f"{self.element or 'document'}: {self.property + ': ' if self.property else ''}{self.text}"
