"""Who follows whom: which behaviour follows a twin, and which twins are followed as one.

A twin is followed by the behaviour of its own type, or of the nearest type that it extends. Where an input says that it
comes `along` a relationship, twins that are related so make a plant (`estimate/plant.py`). What does not fit, or cannot
be a plant, is told in a sentence and does not touch the others.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from ectype.errors import Invalid
from ectype.estimate.behaviour import Behaviour, Input
from ectype.estimate.models.wind_turbine import WindTurbine
from ectype.estimate.plant import Kind as Plants
from ectype.estimate.plant import plants_of
from ectype.node.behaviours import Found, Wrong, misfits, sentence
from ectype.node.pipe import Kind, TwinRecord

_LINE = 200  # what is kept of whose code runs (`estimator_live.Live`)


def fitting(
    found: Sequence[Found], twins: Iterable[TwinRecord], kinds: Mapping[str, Kind], wrong: list[Wrong]
) -> dict[str, type[Behaviour]]:
    """Twin -> its behaviour, of those whose type it fits. What does not fit goes into `wrong`."""
    by_model = {f.behaviour.model: f for f in found}
    theirs: dict[tuple[str, str], list[str]] = {}
    for twin in twins:
        kind = kinds.get(twin.model)
        for model in kind.ancestors if kind else [twin.model]:
            if model == WindTurbine.model:
                break
            if model in by_model:
                theirs.setdefault((model, twin.model), []).append(twin.id)
                break
    follows: dict[str, type[Behaviour]] = {}
    for (model, own), ids in sorted(theirs.items()):
        by, kind = by_model[model], kinds.get(own)
        fatal, lacking = ([], []) if kind is None else misfits(by.behaviour, kind.units)
        wrong += [Wrong(by.where, f"{own}: {text}") for text in [*fatal, *lacking]]
        follows |= {} if fatal else dict.fromkeys(ids, by.behaviour)
    return follows


def assigned(
    found: Sequence[Found],
    follows: Mapping[str, type[Behaviour]],
    links: Iterable[tuple[str, str, str]],
    wrong: list[Wrong],
    skip: Mapping[str, str] = MappingProxyType({}),
    running: Callable[[str], None] | None = None,
) -> tuple[Plants, ...]:
    """Every twin of `follows`, in exactly one plant or alone. Why some make no plant goes into `wrong`.

    Runs the behaviours' code to form plants, but not that of `skip`, which says why; tells `running` before whose.
    """
    paths = along(follows.values())
    where = {f.behaviour: f.where for f in found}
    forming = together(where[b] for b in set(follows.values()) if along([b]))
    if forming in skip:
        wrong.append(Wrong(forming, f"its twins make no plants: {skip[forming]}"))
    if not paths or forming in skip:
        alone: dict[type[Behaviour], list[str]] = {}
        for twin, behaviour in sorted(follows.items()):
            alone.setdefault(behaviour, []).append(twin)
        return tuple(Plants.alone(behaviour, each) for behaviour, each in alone.items())
    if running is not None:
        running(forming)

    def apart(behaviours: Sequence[type[Behaviour]], why: Exception) -> None:
        text = str(why) if isinstance(why, Invalid) else f"its twins make no plant: {sentence(why)}"
        wrong.append(Wrong(together(where[b] for b in behaviours), text))

    return plants_of(follows, [link for link in links if link[1] in paths], apart)


def along(behaviours: Iterable[type[Behaviour]]) -> set[str]:
    """The relationships that inputs of these behaviours come along."""
    inputs = [u for b in behaviours for u in b.layout.inputs if isinstance(u, Input) and u.along is not None]
    return {(u.along or "").partition(".")[0].removeprefix("^") for u in inputs}


def together(places: Iterable[str]) -> str:
    """Where a plant came from: the places of its components' behaviours, in a line that is not too long."""
    return " + ".join(sorted(set(places)))[:_LINE].strip()
