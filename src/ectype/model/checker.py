"""A checker made once for an interface: what conforms passes in microseconds, what does not is explained.

The fast way asks yes or no of each value, with one function per property made beforehand.
Only when one says no is the value walked again for its faults.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias, final

from ectype.model.conform import Fault, faults
from ectype.model.interface import Component, Content, Interface, Property, Relationship, Telemetry
from ectype.model.schema import JSON, Enum, Primitive, Schema
from ectype.model.suggest import suggest

Test: TypeAlias = Callable[[JSON], bool]

_PUT: dict[type[Content], str] = {
    Telemetry: "telemetry: publish it as a measurement",
    Relationship: "a relationship: put it as one",
}


@final
class Checker:
    """Does a twin conform to one interface? Made by `Models.checker`."""

    def __init__(self, interfaces: Mapping[str, Interface], interface: Interface) -> None:
        self._interfaces = interfaces
        self._interface = interface
        self._tests = {
            name: _test(content.schema) for name, content in interface.contents.items() if isinstance(content, Property)
        }

    def check(self, values: Mapping[str, JSON]) -> list[Fault]:
        """Everything wrong with `values` as the properties and components of a twin; empty if they conform."""
        tests = self._tests
        for name, value in values.items():
            test = tests.get(name)
            if test is None or not test(value):
                return list(interface_faults(self._interfaces, self._interface, values))
        return []


def interface_faults(
    interfaces: Mapping[str, Interface], interface: Interface, values: Mapping[str, JSON], path: str = ""
) -> Iterator[Fault]:
    """Everything about `values` (names without $) that keeps them from being a twin of `interface`."""
    for name, value in values.items():
        where = f"{path}{name[:80]}"
        match interface.contents.get(name):
            case Property(schema=schema):
                yield from faults(schema, value, where)
            case Component(schema=dtmi):
                if isinstance(value, dict):
                    plain = {key: part for key, part in value.items() if key != "$metadata"}
                    yield from interface_faults(interfaces, interfaces[dtmi], plain, f"{where}.")
                else:
                    yield Fault(where, f"a component is an object of properties of {dtmi}")
            case None:
                known = [key for key, part in interface.contents.items() if isinstance(part, Property | Component)]
                yield Fault("", f"{interface.id} has no property {where!r}{suggest(name, known)}")
            case other:
                yield Fault("", f"{where!r} is {_PUT.get(type(other), 'a command: it has no value')}")


def _test(schema: Schema) -> Test:
    """`faults` of this schema as a yes or no; the commonest schemas without a call to it."""
    match schema:
        case Primitive("double"):
            return lambda value: (type(value) is float and math.isfinite(value)) or not any(faults(schema, value))
        case Primitive("boolean"):
            return lambda value: value is True or value is False
        case Primitive("integer"):
            return lambda value: type(value) is int and -0x8000_0000 <= value <= 0x7FFF_FFFF
        case Primitive("string"):
            return lambda value: (type(value) is str and value.isascii()) or not any(faults(schema, value))
        case Enum(_, values):
            known = frozenset(values.values())
            return lambda value: type(value) in (int, str) and value in known
        case _:
            return lambda value: not any(faults(schema, value))
