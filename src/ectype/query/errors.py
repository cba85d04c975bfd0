"""What can be wrong with a query."""

from typing import final

from ectype.errors import Invalid


@final
class Unparsable(Invalid):
    """The text is no query, or asks for something that there is not. at: the character, counted from 0."""

    def __init__(self, message: str, text: str = "", at: int = 0) -> None:
        self.reason = message
        self.at = at
        at = min(at, len(text))
        line = text.count("\n", 0, at) + 1
        column = at - (text.rfind("\n", 0, at) + 1) + 1
        where = f"line {line}, character {column}" if "\n" in text else f"character {column}"
        near = text[at : at + 30].split("\n")[0]
        super().__init__(f"{where}: {message}" + (f", at {near!r}" if near else ""))


@final
class TooLong(Invalid):
    """The query was stopped because it took too long."""
