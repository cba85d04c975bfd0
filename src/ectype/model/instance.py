"""Does a twin, a relationship or a reading conform to its interface?"""

from collections.abc import Mapping

from ectype.errors import Invalid
from ectype.model.conform import Fault, faults, refuse
from ectype.model.interface import Component, Content, Interface, Property, Relationship, Telemetry
from ectype.model.models import Models, suggest
from ectype.model.schema import JSON, NUMERIC, Primitive


def check_properties(models: Models, dtmi: str, values: Mapping[str, JSON]) -> None:
    """Raise Invalid unless `values` (names without $) can be the properties and components of a twin of `dtmi`.

    Any may be absent. A component is an object of its own properties, and may hold `$metadata`.
    Raises NotFound if there is no such model.
    """
    refuse(models.checker(dtmi).check(values))


def check_relationship(relationship: Relationship, values: Mapping[str, JSON]) -> None:
    """Raise Invalid unless `values` can be the properties of an edge of that kind."""
    found: list[Fault] = []
    for name, value in values.items():
        declared = relationship.properties.get(name)
        if declared is None:
            hint = suggest(name, relationship.properties)
            found.append(Fault("", f"relationship {relationship.name!r} has no property {name[:80]!r}{hint}"))
        else:
            found.extend(faults(declared.schema, value, name))
    refuse(found)


def check_telemetry(models: Models, dtmi: str, name: str) -> Property | Telemetry:
    """The property or telemetry of `dtmi` that samples called `name` are of; `part.name` is a component's.

    Raises Invalid unless it is declared and its values are numbers or booleans, NotFound for an unknown model.
    """
    interface = models.interface(dtmi)
    *parts, last = name.split(".")
    for part in parts:
        component = interface.contents.get(part)
        if not isinstance(component, Component):
            raise Invalid(f"{interface.id} has no component {part[:80]!r}{suggest(part, _names(interface, Component))}")
        interface = models.interface(component.schema)
    content = interface.contents.get(last)
    if not isinstance(content, Property | Telemetry):
        hint = suggest(last, _names(interface, Property, Telemetry))
        raise Invalid(f"{interface.id} has no property or telemetry {last[:80]!r}{hint}")
    if not isinstance(content.schema, Primitive) or content.schema.name not in NUMERIC:
        raise Invalid(f"{interface.id} declares {last!r} with a schema whose values are not numbers")
    return content


def _names(interface: Interface, *kinds: type[Content]) -> list[str]:
    return [name for name, content in interface.contents.items() if isinstance(content, kinds)]
