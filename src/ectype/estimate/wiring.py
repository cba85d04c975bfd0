"""Who is wired to whom along the relationships, and in which order: what plants are found by.

Input("m^3/s", max_age="1 min", along="^feeds.outflow")      ^ as in SPARQL's paths: against the relationship
"""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeAlias

from ectype.errors import Invalid
from ectype.estimate.behaviour import Behaviour, Input

Link: TypeAlias = tuple[str, str, str]
"""Source twin, relationship, target twin."""
Apart: TypeAlias = Callable[[Sequence[type[Behaviour]], Exception], None]
"""Is told of which behaviours twins are followed one by one though they are related, and why."""
Wires: TypeAlias = Mapping[str, Mapping[str, tuple[tuple[str, str], ...]]]
"""Twin -> input -> (twin, output) of each that feeds it."""
Inside: TypeAlias = tuple[tuple[int, str, tuple[tuple[int, str], ...]], ...]
"""The same of one plant, by place."""
_SHOWN = 3
_ORDERED = 64  # twins; more make no plant


def wires_of(twins: Mapping[str, type[Behaviour]], links: Sequence[Link], refuse: Apart) -> Wires:
    """An input whose path leads nowhere is measured as ever. So is one that lacks one of its sources among the twins:
    the sum of the others would be wrong, and nobody would see it.
    """
    leads: dict[tuple[str, str], list[str]] = {}
    for source, name, target in links:
        leads.setdefault((source, name), []).append(target)
        leads.setdefault((target, f"^{name}"), []).append(source)
    found: dict[str, dict[str, tuple[tuple[str, str], ...]]] = {}
    without: dict[tuple[type[Behaviour], str], list[str]] = {}
    for twin in sorted(twins):
        for declared in twins[twin].layout.inputs:
            if not isinstance(declared, Input) or declared.along is None:
                continue
            path, _, output = declared.along.partition(".")
            others = sorted(leads.get((twin, path), ()))
            if lacking := [other for other in others if other not in twins]:
                without.setdefault((twins[twin], declared.name), []).append(f"{twin} (from {lacking[0]})")
            elif others:
                found.setdefault(twin, {})[declared.name] = tuple((other, output) for other in others)
    for (behaviour, name), told in without.items():
        text = (
            f"{behaviour.__name__}.{name} is read as a measured input where no behaviour follows its source: "
            f"{some(told)}; add a behaviour for the source's type, or take the relationship away"
        )
        refuse((behaviour,), Invalid(text))
    return found


def groups_of(twins: Sequence[str], wires: Wires) -> list[tuple[str, ...]]:
    """Twins that are wired together, each group in order, by its first twin."""
    head = {twin: twin for twin in twins}

    def find(twin: str) -> str:
        while head[twin] != twin:
            head[twin] = head[head[twin]]
            twin = head[twin]
        return twin

    for twin, inputs in wires.items():
        for other in {other for sources in inputs.values() for other, _ in sources}:
            a, b = sorted((find(twin), find(other)))
            head[b] = a
    together: dict[str, list[str]] = {}
    for twin in twins:
        together.setdefault(find(twin), []).append(twin)
    return [tuple(group) for group in together.values()]


def ordered(group: Sequence[str], twins: Mapping[str, type[Behaviour]], wires: Wires) -> tuple[str, ...]:
    """The twins of a group so that groups of one structure are alike place by place: who is fed by nobody first, then
    whom those feed; among them by how they stand to the others. Of twins that stand alike the first by name is chosen,
    and the rest by how they stand to it.
    """
    if not 1 < len(group) <= _ORDERED:
        return tuple(group)
    fed = {twin: [(name, *each) for name, sources in wires.get(twin, {}).items() for each in sources] for twin in group}
    feeds: dict[str, list[tuple[str, str, str]]] = {twin: [] for twin in group}
    for twin, sources in fed.items():
        for name, other, output in sources:
            feeds[other].append((name, twin, output))
    level = dict.fromkeys(group, 0)
    for _ in group:
        for twin in group:
            above = [level[other] for _, other, _ in fed[twin] if other != twin]
            level[twin] = min(max(above, default=-1) + 1, len(group))
    look = {twin: f"{level[twin]:02} {twins[twin].model}" for twin in group}
    placed: list[str] = []
    while len(placed) < len(group):
        apart = 0
        while (now := len(set(look.values()))) > apart:  # Weisfeiler and Lehman's refinement
            apart = now
            look = {
                twin: f"{level[twin]:02} "
                + digest(look[twin], *(sorted((n, out, look[o]) for n, o, out in way[twin]) for way in (fed, feeds)))
                for twin in group
            }
        left = sorted((look[twin], twin) for twin in group if twin not in placed)
        if len(set(look.values())) == len(group):
            return (*placed, *(twin for _, twin in left))
        placed.append(left[0][1])
        look[placed[-1]] = f"{level[placed[-1]]:02} placed {len(placed)}"
    return tuple(placed)


def inside_of(group: Sequence[str], wires: Wires) -> Inside:
    """A group's wires by place."""
    places = {twin: place for place, twin in enumerate(group)}
    return tuple(
        (place, name, tuple(sorted((places[other], output) for other, output in sources)))
        for twin, place in places.items()
        for name, sources in sorted(wires.get(twin, {}).items())
    )


def some(names: Collection[str]) -> str:
    """The first few of them, and how many more there are."""
    shown = ", ".join(list(names)[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"


def digest(*structure: object) -> str:
    """Equal for equal structures, in any process."""
    return hashlib.sha256(repr(structure).encode()).hexdigest()
