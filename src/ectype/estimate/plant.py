"""Plants along the relationships of the graph: twins whose inputs are outputs of others are estimated as one.

    class Tank(Behaviour, model="dtmi:demo:Tank;1"):
        inflow = Input("m^3/s", max_age="1 min", along="^feeds.outflow")
        …

With `upper --feeds--> lower` in the graph, lower's inflow is upper's outflow, as it is believed at each instant: a
sensor on one tells about the other. Plants of one structure are one kind, so a thousand equal lines are one fleet.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from ectype.errors import Invalid
from ectype.estimate.behaviour import Behaviour, Input
from ectype.estimate.compose import compose

Link = tuple[str, str, str]  # source twin, relationship, target twin


@final
@dataclass(frozen=True, slots=True)
class Kind:
    """Plants of one structure. parts: a name for each component, "" for a twin that stands alone; plants: the twins of
    each, in the order of the parts.
    """

    behaviour: type[Behaviour]
    parts: tuple[str, ...]
    plants: tuple[tuple[str, ...], ...]

    def whose(self, name: str) -> tuple[int, str]:
        """Which part a declaration of the behaviour belongs to, and what it is called there."""
        for place, part in enumerate(self.parts):
            if not part:
                return place, name
            if name.startswith(f"{part}_"):
                return place, name.removeprefix(f"{part}_")
        raise Invalid(f"{self.behaviour.__name__} has nothing called '{name}'")


def plants_of(twins: Mapping[str, type[Behaviour]], links: Iterable[Link]) -> tuple[Kind, ...]:
    """Every twin in exactly one plant, alone or with those that it is wired to, whatever the order of twins and links.

    Raises Invalid, naming the twins, where an output that is asked for does not exist or outputs need each other at the
    same instant.
    """
    wires = _wires(twins, sorted(set(links)))
    shapes: dict[tuple[object, ...], list[tuple[str, ...]]] = {}
    for group in _groups(sorted(twins), wires):
        places = {twin: place for place, twin in enumerate(group)}
        inside = tuple(
            (places[twin], name, tuple((places[other], output) for other, output in sources))
            for (twin, name), sources in wires.items()
            if twin in places
        )
        shapes.setdefault((tuple(twins[t] for t in group), inside), []).append(group)
    return tuple(_kind([twins[t] for t in plants[0]], wires, plants) for plants in shapes.values())


def _wires(
    twins: Mapping[str, type[Behaviour]], links: Sequence[Link]
) -> dict[tuple[str, str], tuple[tuple[str, str], ...]]:
    """(twin, input) -> (twin, output) of those that feed it. An input whose path leads nowhere is measured as ever."""
    leads: dict[tuple[str, str], list[str]] = {}
    for source, name, target in links:
        leads.setdefault((source, name), []).append(target)
        leads.setdefault((target, f"^{name}"), []).append(source)
    found: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {}
    for twin in sorted(twins):
        for declared in twins[twin].layout.inputs:
            if not isinstance(declared, Input) or declared.along is None:
                continue
            path, _, output = declared.along.partition(".")
            others = [other for other in leads.get((twin, path), ()) if other in twins]
            if others:
                found[twin, declared.name] = tuple((other, output) for other in sorted(others))
    return found


def _groups(
    twins: Sequence[str], wires: Mapping[tuple[str, str], tuple[tuple[str, str], ...]]
) -> list[tuple[str, ...]]:
    """Twins that are wired together, each group in order, by its first twin."""
    head = {twin: twin for twin in twins}

    def find(twin: str) -> str:
        while head[twin] != twin:
            head[twin] = head[head[twin]]
            twin = head[twin]
        return twin

    for (twin, _), sources in wires.items():
        for other, _ in sources:
            a, b = sorted((find(twin), find(other)))
            head[b] = a
    together: dict[str, list[str]] = {}
    for twin in twins:
        together.setdefault(find(twin), []).append(twin)
    return [tuple(group) for group in together.values()]


def _kind(
    behaviours: Sequence[type[Behaviour]],
    wires: Mapping[tuple[str, str], tuple[tuple[str, str], ...]],
    plants: Sequence[tuple[str, ...]],
) -> Kind:
    first = plants[0]
    inside = {at: sources for at, sources in wires.items() if at[0] in first}
    if len(behaviours) == 1 and not inside:
        return Kind(behaviours[0], ("",), tuple(plants))
    parts = tuple(f"{b.__name__.lower()}{place}" for place, b in enumerate(behaviours))
    named = dict(zip(first, parts, strict=True))
    try:
        plant = compose(
            "Plant",
            "+".join(dict.fromkeys(b.model for b in behaviours)),
            dict(zip(parts, behaviours, strict=True)),
            {f"{named[t]}.{name}": [f"{named[o]}.{out}" for o, out in found] for (t, name), found in inside.items()},
        )
    except Invalid as error:
        whose = ", ".join(f"{part} is {twin}" for twin, part in named.items())
        raise Invalid(f"{', '.join(first)} make no plant together: {error} ({whose})") from error
    return Kind(plant, parts, tuple(plants))
