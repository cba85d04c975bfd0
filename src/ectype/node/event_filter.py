"""The filter language of event routes: which events go where.

    type = 'Microsoft.DigitalTwins.Twin.Update' AND STARTS_WITH(subject, 'room-') AND $body.patch[0].value > 20

Names are attributes of the CloudEvent, or a path into its data after `$body`; values are texts, numbers, true, false
and null; operators = != < <= > >=, AND OR NOT, parentheses, STARTS_WITH ENDS_WITH CONTAINS, and IS_DEFINED. What is
not there equals nothing and is not more or less than anything.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, cast, final

from ectype.errors import Invalid

Event = Mapping[str, Any]
Test = Callable[[Event], bool]

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\]|\\.|'')*')|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"
    r"|(?P<name>\$body(?:\.[^\s.\[\]()=!<>,']+|\[\d+\])*|[A-Za-z_][A-Za-z0-9_]*)|(?P<sign><=|>=|!=|[=<>(),]))"
)
_PART = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_MOST = 4096
_ABSENT = object()
_FUNCTIONS: dict[str, Callable[[str, str], bool]] = {
    "STARTS_WITH": str.startswith,
    "ENDS_WITH": str.endswith,
    "CONTAINS": lambda text, part: part in text,
}


def compile_filter(text: str) -> Test:
    """The test that a filter is. Raises Invalid, which says at which character it is not one."""
    if len(text) > _MOST:
        raise Invalid(f"a filter has at most {_MOST} characters")
    return _Parser(text).whole()


@final
class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[tuple[str, str, int]] = []
        self._next = 0
        self._depth = 0
        at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None:
                start = at + len(text[at:]) - len(text[at:].lstrip())
                raise Invalid(f"character {start + 1}: {text[start : start + 20]!r} means nothing in a filter")
            kind = found.lastgroup or ""
            self._tokens.append((kind, found[kind], found.start(kind)))
            at = found.end()

    def whole(self) -> Test:
        test = self._either()
        if self._next < len(self._tokens):
            raise self._wrong("AND, OR or the end")
        return test

    def _peek(self) -> str:
        return self._tokens[self._next][1].upper() if self._next < len(self._tokens) else ""

    def _take(self, *words: str) -> bool:
        if self._peek() in words and self._tokens[self._next][0] != "text":
            self._next += 1
            return True
        return False

    def _wrong(self, wanted: str) -> Invalid:
        if self._next >= len(self._tokens):
            return Invalid(f"the filter ends where {wanted} should be")
        _, token, at = self._tokens[self._next]
        return Invalid(f"character {at + 1}: {wanted} should be here, not {token[:20]!r}")

    def _either(self) -> Test:
        tests = [self._both()]
        while self._take("OR"):
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda event: any(test(event) for test in tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self._take("AND"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda event: all(test(event) for test in tests)

    def _one(self) -> Test:
        self._depth += 1
        if self._depth > 100:
            raise Invalid("the filter is nested more than 100 levels deep")
        try:
            return self._test()
        finally:
            self._depth -= 1

    def _test(self) -> Test:
        if self._take("NOT"):
            test = self._one()
            return lambda event: not test(event)
        if self._take("("):
            test = self._either()
            if not self._take(")"):
                raise self._wrong(")")
            return test
        for constant in ("TRUE", "FALSE"):
            if self._take(constant):
                return lambda _, so=constant == "TRUE": so
        for function in (*_FUNCTIONS, "IS_DEFINED"):
            if self._take(function):
                return self._call(function)
        read = self._path()
        for sign in ("<=", ">=", "!=", "=", "<", ">"):
            if self._take(sign):
                return _compare(read, sign, self._value())
        raise self._wrong("a comparison")

    def _call(self, function: str) -> Test:
        if not self._take("("):
            raise self._wrong("(")
        read = self._path()
        if function == "IS_DEFINED":
            if not self._take(")"):
                raise self._wrong(")")
            return lambda event: read(event) is not _ABSENT
        if not self._take(","):
            raise self._wrong(",")
        value = self._value()
        if not isinstance(value, str):
            raise Invalid(f"{function} looks for a text")
        if not self._take(")"):
            raise self._wrong(")")
        test = _FUNCTIONS[function]

        def call(event: Event) -> bool:
            found = read(event)
            return isinstance(found, str) and test(found, value)

        return call

    def _path(self) -> Callable[[Event], object]:
        if self._next >= len(self._tokens) or self._tokens[self._next][0] != "name":
            raise self._wrong("a name")
        name = self._tokens[self._next][1]
        self._next += 1
        if not name.startswith("$body"):
            attribute = "datacontenttype" if name == "contentType" else name
            return lambda event: event.get(attribute, _ABSENT)
        parts = [_unescape(key) if key else int(index) for key, index in _PART.findall(name)]

        def read(event: Event) -> object:
            found: object = event.get("data", _ABSENT)
            for part in parts:
                if isinstance(found, dict) and isinstance(part, str):
                    found = cast(dict[str, object], found).get(part, _ABSENT)
                elif isinstance(found, list) and isinstance(part, int):
                    items = cast(list[object], found)
                    found = items[part] if part < len(items) else _ABSENT
                else:
                    return _ABSENT
            return found

        return read

    def _value(self) -> object:
        if self._next >= len(self._tokens):
            raise self._wrong("a value")
        kind, token, _ = self._tokens[self._next]
        if kind == "text":
            self._next += 1
            return token[1:-1].replace("''", "'").replace("\\'", "'").replace("\\\\", "\\")
        if kind == "number":
            self._next += 1
            return float(token)
        for word, value in (("TRUE", True), ("FALSE", False), ("NULL", None)):
            if self._take(word):
                return value
        raise self._wrong("a value")


def _unescape(name: str) -> str:
    return re.sub("%([0-9A-Fa-f]{2})", lambda found: chr(int(found[1], 16)), name)


def _compare(read: Callable[[Event], object], sign: str, value: object) -> Test:
    def test(event: Event) -> bool:
        found: Any = read(event)
        if found is _ABSENT:
            return False
        alike = _kind(found) == _kind(value)
        if sign == "=":
            return alike and found == value
        if sign == "!=":
            return not (alike and found == value)
        if not alike or isinstance(value, bool | None):
            return False
        other = cast(Any, value)
        return bool(
            found < other
            if sign == "<"
            else found <= other
            if sign == "<="
            else found > other
            if sign == ">"
            else found >= other
        )

    return test


def _kind(value: object) -> str:
    if value is None or isinstance(value, bool):
        return type(value).__name__
    return "number" if isinstance(value, int | float) else type(value).__name__
