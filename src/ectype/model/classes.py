"""Types written as Python classes, which emit the same DTDL.

    class Gearbox(Interface, id="dtmi:com:example:Gearbox;1"):
        oil: float = prop(quantity="Temperature", unit="degreeCelsius")

    class Turbine(Interface, id="dtmi:com:example:Turbine;1"):
        '''Turns wind into power.'''

        power: float = telemetry(quantity="Power", unit="kilowatt")
        limit: float = prop(writable=True)
        gearbox: Gearbox = component()
        feeds: list["Substation"] = relationship()

        @command
        def stop(self, after: timedelta) -> bool: ...

    parse(documents_of(Turbine))

A subclass extends; a class in another's annotation is a component or the target of a relationship. What has no value is
a property. The documents are in DTDL v4.
"""

import dataclasses
import decimal
import enum
import inspect
import types
import typing
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, ClassVar, TypeVar, final

from ectype.errors import Invalid
from ectype.model.dtmi import check_dtmi
from ectype.model.schema import GEOSPATIAL, JSON, PRIMITIVES

_CONTEXT = "dtmi:dtdl:context;4"
_QUANTITIES = "dtmi:dtdl:extension:quantitativeTypes;2"
_PLAIN: dict[Any, str] = {
    bool: "boolean",
    int: "long",
    float: "double",
    str: "string",
    bytes: "bytes",
    decimal.Decimal: "decimal",
    uuid.UUID: "uuid",
    datetime: "dateTime",
    date: "date",
    time: "time",
    timedelta: "duration",
}
_Method = TypeVar("_Method", bound=Callable[..., Any])


@final
@dataclass(frozen=True, slots=True)
class Declared:
    """What a class says of one content. more: its DTDL properties; quantity: its semantic type."""

    kind: str
    quantity: str
    more: dict[str, JSON]


class Interface:
    """The base of types. A subclass names its DTMI: `class Pump(Interface, id="dtmi:com:example:Pump;1")`.

    Raises Invalid for an id that is none.
    """

    dtmi: ClassVar[str] = ""
    display_name: ClassVar[str] = ""

    def __init_subclass__(cls, *, id: str = "", display_name: str = "", **more: Any) -> None:
        super().__init_subclass__(**more)
        if not id:
            raise Invalid(f'class {cls.__name__}: name its type, as in (Interface, id="dtmi:com:example:Pump;1")')
        cls.dtmi = check_dtmi(id)
        cls.display_name = display_name


def prop(
    *, quantity: str = "", unit: str = "", writable: bool = False, display_name: str = "", description: str = ""
) -> Any:
    """State that is kept. quantity and unit: of QuantitativeTypes, such as Temperature in degreeCelsius."""
    more = _more(unit=unit, displayName=display_name, description=description)
    return Declared("Property", quantity, more | ({"writable": True} if writable else {}))


def telemetry(*, quantity: str = "", unit: str = "", display_name: str = "", description: str = "") -> Any:
    """Measurements that stream by."""
    return Declared("Telemetry", quantity, _more(unit=unit, displayName=display_name, description=description))


def component(*, display_name: str = "", description: str = "") -> Any:
    """A part that is an Interface itself."""
    return Declared("Component", "", _more(displayName=display_name, description=description))


def relationship(*, most: int | None = None, display_name: str = "", description: str = "") -> Any:
    """Edges to twins of the annotated Interface (or a list of them; typing.Any: of any type). most: how many."""
    more = _more(displayName=display_name, description=description)
    return Declared("Relationship", "", more | ({"maxMultiplicity": most} if most is not None else {}))


def command(method: _Method) -> _Method:
    """Something the thing can be asked to do: its parameters are the request, what it returns is the response."""
    setattr(method, "__dtdl_command__", True)  # noqa: B010 - a mark on a function
    return method


def documents_of(*classes: type[Interface]) -> list[JSON]:
    """The DTDL of these types, and of all that they extend and contain, those first.

    Raises Invalid, with the class and the attribute, for what DTDL cannot say.
    """
    made: dict[str, JSON] = {}
    for each in classes:
        _emit(each, made)
    return list(made.values())


def _emit(cls: type[Interface], made: dict[str, JSON]) -> None:
    if cls.dtmi in made:
        return
    bases = [base for base in cls.__bases__ if issubclass(base, Interface) and base is not Interface]
    for base in bases:
        _emit(base, made)
    contents = list(_contents(cls, made))
    document: dict[str, JSON] = {"@context": _CONTEXT, "@id": cls.dtmi, "@type": "Interface"}
    if any(isinstance(each, dict) and isinstance(each["@type"], list) for each in contents):
        document["@context"] = [_CONTEXT, _QUANTITIES]
    words = inspect.cleandoc(cls.__doc__ or "").split("\n\n")[0].replace("\n", " ")
    document |= _more(displayName=cls.display_name, description=words)
    if bases:
        document["extends"] = [base.dtmi for base in bases]
    made[cls.dtmi] = {**document, "contents": contents}


def _contents(cls: type[Interface], made: dict[str, JSON]) -> Iterator[JSON]:
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except NameError as error:
        raise Invalid(f"class {cls.__name__}: {error}; define it in the module, or import it") from error
    for name in cls.__annotations__:
        if typing.get_origin(hints[name]) is ClassVar:
            continue
        declared = cls.__dict__.get(name, Declared("Property", "", {}))
        if not isinstance(declared, Declared):
            raise Invalid(
                f"{cls.__name__}.{name}: give it prop(), telemetry(), component() or relationship(), or no value"
            )
        types_: JSON = [declared.kind, declared.quantity] if declared.quantity else declared.kind
        content: dict[str, JSON] = {"@type": types_, "name": name}
        where = f"{cls.__name__}.{name}"
        if declared.kind in ("Component", "Relationship"):
            content |= _other(hints[name], declared.kind, where, made)
        else:
            content["schema"] = schema_of(hints[name], where)
        yield content | declared.more
    for name, method in vars(cls).items():
        if getattr(method, "__dtdl_command__", False):
            yield _command(name, method, f"{cls.__name__}.{name}")


def _other(hint: Any, kind: str, where: str, made: dict[str, JSON]) -> dict[str, JSON]:
    """The schema of a component, or the target of a relationship."""
    inner = _without_none(hint)
    if kind == "Relationship" and typing.get_origin(inner) is list:
        (inner,) = typing.get_args(inner)
    if kind == "Relationship" and inner in (Any, Interface):
        return {}
    if not (inspect.isclass(inner) and issubclass(inner, Interface) and inner is not Interface):
        raise Invalid(f"{where}: annotate it with the Interface that it is, not {hint!r}")
    if kind == "Component":
        _emit(inner, made)
        return {"schema": inner.dtmi}
    return {"target": inner.dtmi}


def _command(name: str, method: Callable[..., Any], where: str) -> JSON:
    hints = typing.get_type_hints(method, include_extras=True)
    asked = {key: hint for key, hint in hints.items() if key != "return"}
    content: dict[str, JSON] = {"@type": "Command", "name": name}
    if len(asked) == 1:
        ((key, hint),) = asked.items()
        content["request"] = {"name": key, "schema": schema_of(hint, where)}
    elif asked:
        content["request"] = {"name": "request", "schema": _fields(asked, where)}
    if hints.get("return", type(None)) is not type(None):
        content["response"] = {"name": "response", "schema": schema_of(hints["return"], where)}
    return content | _more(description=inspect.cleandoc(method.__doc__ or "").split("\n\n")[0])


def schema_of(hint: Any, where: str = "") -> JSON:
    """The schema of a Python type: bool, int (as long), float, str, datetime, Enum, list, dict, a dataclass, …

    `Annotated[int, "integer"]` names a schema of DTDL itself. Raises Invalid for what has none.
    """
    if typing.get_origin(hint) is Annotated:
        named = [each for each in hint.__metadata__ if each in PRIMITIVES or each in GEOSPATIAL]
        return named[0] if named else schema_of(typing.get_args(hint)[0], where)
    hint = _without_none(hint)
    if hint in _PLAIN:
        return _PLAIN[hint]
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is list:
        return {"@type": "Array", "elementSchema": schema_of(args[0], where)}
    if origin is dict and args[0] is str:
        value: JSON = {"name": "value", "schema": schema_of(args[1], where)}
        return {"@type": "Map", "mapKey": {"name": "key", "schema": "string"}, "mapValue": value}
    if inspect.isclass(hint) and issubclass(hint, enum.Enum):
        return _enum(hint, where)
    if inspect.isclass(hint) and dataclasses.is_dataclass(hint):
        return _fields(typing.get_type_hints(hint, include_extras=True), where)
    raise Invalid(f"{where}: DTDL has no schema for {hint!r}; write {', '.join(each.__name__ for each in _PLAIN)}, …")


def _fields(hints: dict[str, Any], where: str) -> JSON:
    return {
        "@type": "Object",
        "fields": [{"name": name, "schema": schema_of(hint, f"{where}.{name}")} for name, hint in hints.items()],
    }


def _enum(hint: type[enum.Enum], where: str) -> JSON:
    values = {name: member.value for name, member in hint.__members__.items()}
    whole = all(isinstance(value, int) and not isinstance(value, bool) for value in values.values())
    if not whole and not all(isinstance(value, str) for value in values.values()):
        raise Invalid(f"{where}: the values of {hint.__name__} must be all texts or all whole numbers")
    return {
        "@type": "Enum",
        "valueSchema": "integer" if whole else "string",
        "enumValues": [{"name": name, "enumValue": value} for name, value in values.items()],
    }


def _without_none(hint: Any) -> Any:
    """`T` of `T | None`: what a twin has may be absent in any case."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        left = [each for each in typing.get_args(hint) if each is not type(None)]
        return left[0] if len(left) == 1 else hint
    return hint


def _more(**values: str) -> dict[str, JSON]:
    return {key: value for key, value in values.items() if value}
