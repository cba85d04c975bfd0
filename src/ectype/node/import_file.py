"""Import files: NDJSON in sections, as the Azure Digital Twins import jobs document them. Pure but for reading.

    {"Section": "Header"}         {"fileVersion": "1.0.0", "author": "…", "organization": "…"}
    {"Section": "Models"}         a DTDL interface a line
    {"Section": "Twins"}          {"$dtId", "$metadata": {"$model"}, …} a line
    {"Section": "Relationships"}  {"$sourceId" (or "$dtId"), "$relationshipId", "$relationshipName", "$targetId", …}

A mark says how far a reader is; another reader goes on from there.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, final

import msgspec

from ectype.errors import Invalid, NotFound
from ectype.model.schema import JSON

SECTIONS = ("Header", "Models", "Twins", "Relationships")
ROWS = 1000
_LINE_LIMIT = 1 << 20
_decode = msgspec.json.Decoder().decode


@final
@dataclass(frozen=True, slots=True)
class Mark:
    """How far a file is read: the byte and the line that come next, and the section they are in.

    written: bytes of the output that belong to what came before; counts: what was put, and what could not be.
    """

    offset: int = 0
    line: int = 1
    section: str = ""
    written: int = 0
    twins: int = 0
    relationships: int = 0
    models: int = 0
    errors: int = 0

    def to_dict(self) -> dict[str, JSON]:
        """As an entry keeps it."""
        return {name: getattr(self, name) for name in self.__slots__}


def read_mark(value: JSON) -> Mark:
    """The mark that an entry keeps."""
    return msgspec.convert(value, Mark) if isinstance(value, dict) else Mark()


@final
@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one section. lines: where each stands; wrong: lines that are not JSON, and why; mark: after all."""

    section: str
    rows: list[dict[str, JSON]]
    lines: list[int]
    wrong: list[tuple[int, str]]
    mark: Mark


def open_file(path: Path) -> BinaryIO:
    """The input. Raises NotFound."""
    try:
        return path.open("rb")
    except OSError as error:
        raise NotFound(f"the input {path.name} cannot be read: {error.strerror}") from error


def batches(file: BinaryIO, mark: Mark) -> Iterator[Batch]:
    """What follows `mark`, in batches of one section each; models come all at once.

    Raises Invalid when the file is not an import file: everything before it has been given by then.
    """
    file.seek(mark.offset)
    section, offset, line = mark.section, mark.offset, mark.line
    rows: list[dict[str, JSON]] = []
    lines: list[int] = []
    wrong: list[tuple[int, str]] = []

    def batch() -> Batch:
        return Batch(section, rows, lines, wrong, replace(mark, offset=offset, line=line, section=section))

    while raw := file.readline(_LINE_LIMIT + 1):
        if len(raw) > _LINE_LIMIT:
            raise Invalid(f"line {line} is longer than {_LINE_LIMIT} bytes")
        value: JSON = None
        if raw.strip():
            try:
                value = _decode(raw)
            except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
                wrong.append((line, f"this line is not JSON: {error}"))
            else:
                if not isinstance(value, dict):
                    wrong.append((line, "this line is not a JSON object"))
        if isinstance(value, dict):
            if "Section" in value and len(value) == 1:
                if rows or wrong:
                    yield batch()
                    rows, lines, wrong = [], [], []
                section = _section(value["Section"], section, line)
            elif not section:
                raise Invalid(f'line {line}: an import file begins with {{"Section": "Header"}}')
            else:
                rows.append(value)
                lines.append(line)
        offset += len(raw)
        line += 1
        if len(rows) >= ROWS and section in ("Twins", "Relationships"):
            yield batch()
            rows, lines, wrong = [], [], []
    if not section:
        raise Invalid('the file is empty; an import file begins with {"Section": "Header"}')
    if rows or wrong:
        yield batch()


def _section(value: JSON, before: str, line: int) -> str:
    if value not in SECTIONS:
        raise Invalid(f"line {line}: there is no section {str(value)[:40]!r}; there is {', '.join(SECTIONS)}")
    name = str(value)
    if (not before and name != "Header") or (before and SECTIONS.index(name) <= SECTIONS.index(before)):
        raise Invalid(f"line {line}: sections come in the order {', '.join(SECTIONS)}")
    return name


def check_header(rows: list[dict[str, JSON]]) -> None:
    """Raise Invalid unless the header is one that this reader understands."""
    version = rows[0].get("fileVersion") if rows else None
    if version != "1.0.0":
        raise Invalid(f'the header says "fileVersion": {str(version)[:40]!r}; this program reads "1.0.0"')


def as_edge(row: dict[str, JSON]) -> dict[str, JSON]:
    """A row of a relationship with its source under the name that the graph has for it."""
    if "$sourceId" not in row and "$dtId" in row:
        row["$sourceId"] = row.pop("$dtId")
    return row
