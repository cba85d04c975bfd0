"""Plants along the relationships of the graph: twins whose inputs are outputs of others are estimated as one.

    class Tank(Behaviour, model="dtmi:demo:Tank;1"):
        inflow = Input("m^3/s", max_age="1 min", along="^feeds.outflow")
        …

With `upper --feeds--> lower` in the graph, lower's inflow is upper's outflow, as it is believed at each instant: a
sensor on one tells about the other. Plants of one structure are one kind, so a thousand equal lines are one fleet:
what its twins are called does not count, only how they stand to each other.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self, final

from ectype.errors import Invalid
from ectype.estimate.behaviour import Behaviour, Filter
from ectype.estimate.compose import compose
from ectype.estimate.trace import MOST
from ectype.estimate.wiring import Apart, Inside, Link, digest, groups_of, inside_of, ordered, some, wires_of

MANY = 64  # states and tracked parameters of a plant: an ensemble of so many takes a tenth of a second an event
_CAREFUL: tuple[Filter, ...] = ("etkf", "ukf", "ekf")  # a plant has the first of these that a component asks for


@final
@dataclass(frozen=True, slots=True)
class Part:
    """A component of a plant. name: what its declarations begin with there; "" for a twin that stands alone."""

    name: str = ""
    place: int = 0

    def own(self, name: str) -> str | None:
        """What a declaration of the plant is called in the component; None if it belongs to another."""
        if not self.name:
            return name
        return name.removeprefix(f"{self.name}_") if name.startswith(f"{self.name}_") else None

    def inside(self, name: str) -> str:
        """What the component's own is called in the plant."""
        return f"{self.name}_{name}" if self.name else name

    def beside(self, name: str) -> str:
        """A name for what there is one of for each component."""
        return f"{name} of {self.name}" if self.name else name


@final
@dataclass(frozen=True, slots=True)
class Kind:
    """Plants of one structure. parts: a name for each component, "" for a twin that stands alone; members: the
    behaviour of each; plants: the twins of each, in the order of the parts. key: of no other kind among those found
    together, and the same for as long as the structure is.
    """

    behaviour: type[Behaviour]
    parts: tuple[str, ...]
    plants: tuple[tuple[str, ...], ...]
    members: tuple[type[Behaviour], ...]
    key: str

    @classmethod
    def alone(cls, behaviour: type[Behaviour], twins: Iterable[str]) -> Self:
        """Twins that are followed one by one."""
        return cls(behaviour, ("",), tuple((twin,) for twin in twins), (behaviour,), behaviour.model)

    @property
    def components(self) -> tuple[Part, ...]:
        """The parts, with their places."""
        return tuple(Part(name, place) for place, name in enumerate(self.parts))

    def whose(self, name: str) -> tuple[int, str]:
        """Which part a declaration of the behaviour belongs to, and what it is called there."""
        return whose(self.components, name)


def whose(parts: Iterable[Part], name: str) -> tuple[int, str]:
    """Which part a declaration of a plant belongs to, and what it is called there. Raises Invalid if it is nobody's."""
    for part in parts:
        if (own := part.own(name)) is not None:
            return part.place, own
    raise Invalid(f"'{name}' belongs to none of {', '.join(part.name for part in parts)}")


def plants_of(
    twins: Mapping[str, type[Behaviour]], links: Iterable[Link], apart: Apart | None = None
) -> tuple[Kind, ...]:
    """Every twin in exactly one plant, alone or with those that it is wired to, whatever the order of twins and links.

    Where an output that is asked for does not exist, outputs need each other at the same instant, or a source is not
    among the twins, `apart` is told, and those are followed one by one, their inputs measured as any other; without it
    that raises Invalid, naming the twins.
    """
    refuse = _refuse if apart is None else apart
    wires = wires_of(twins, sorted(set(links)), refuse)
    shapes: dict[tuple[tuple[type[Behaviour], ...], Inside], list[tuple[str, ...]]] = {}
    for group in groups_of(sorted(twins), wires):
        plant = ordered(group, twins, wires)
        shapes.setdefault((tuple(twins[t] for t in plant), inside_of(plant, wires)), []).append(plant)
    kinds: list[Kind] = []
    alone: dict[type[Behaviour], list[str]] = {}
    for (behaviours, inside), plants in shapes.items():
        if len(behaviours) == 1 and not inside:
            alone.setdefault(behaviours[0], []).extend(twin for (twin,) in plants)
            continue
        try:
            kinds.append(_kind(behaviours, inside, plants))
        except Exception as error:  # noqa: BLE001  a component is somebody's code, which may raise anything
            refuse(tuple(dict.fromkeys(behaviours)), error)
            for behaviour, *each in zip(behaviours, *plants, strict=True):
                alone.setdefault(behaviour, []).extend(each)
    return (*kinds, *(Kind.alone(behaviour, sorted(each)) for behaviour, each in alone.items()))


def _refuse(behaviours: Sequence[type[Behaviour]], why: Exception) -> None:
    raise why


def _kind(behaviours: Sequence[type[Behaviour]], inside: Inside, plants: Sequence[tuple[str, ...]]) -> Kind:
    first = plants[0]
    more = f", as do {len(plants) - 1} more like them" if len(plants) > 1 else ""
    size = sum(len(b.layout.belief_names) for b in behaviours)
    if size > MANY:
        raise Invalid(
            f"{some(first)} make no plant together{more}: they have {size} states and tracked parameters, and an "
            f"ensemble has {MANY} at the most"
        )
    parts = tuple(f"{b.__name__.lower().replace('_', '')}{place}" for place, b in enumerate(behaviours))
    filters: set[Filter] = {b.filter for b in behaviours}
    try:
        plant = compose(
            "Plant",
            "+".join(dict.fromkeys(b.model for b in behaviours)),
            dict(zip(parts, behaviours, strict=True)),
            {f"{parts[to]}.{name}": [f"{parts[p]}.{out}" for p, out in sources] for to, name, sources in inside},
            filter=next(f for f in _CAREFUL if f in filters or (f == "etkf" and size > MOST)),
            substeps=max(b.substeps for b in behaviours),
        )
    except Invalid as error:
        whose = ", ".join(f"{part} is {twin}" for part, twin in zip(parts, first, strict=True))
        raise Invalid(f"{', '.join(first)} make no plant together{more}: {error} ({whose})") from error
    key = f"{plant.model}#{digest([b.model for b in behaviours], inside)[:16]}"
    return Kind(plant, parts, tuple(sorted(plants)), tuple(behaviours), key)
