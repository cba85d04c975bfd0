"""A plant from components: several behaviours in one filter, the outputs of one as inputs of another.

    Plant = compose("Plant", "dtmi:demo:Plant;1", {"upper": Tank, "lower": Tank}, {"lower.inflow": "upper.outflow"})

Every declaration of a component appears in the plant as `component_name`; an input that a wire feeds does not, its
value is what the other component's `outputs` says at that instant, of several wires the sum. `plant.py` finds the
wires along the relationships of the graph.
The correlations between components are kept, which is the point: a sensor on one tells about the others.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import casadi as ca

from ectype.errors import Invalid
from ectype.estimate.behaviour import Behaviour, Filter, Mode, Sensor
from ectype.estimate.maths import Scalar


def compose(
    name: str,
    model: str,
    parts: Mapping[str, type[Behaviour]],
    wires: Mapping[str, str | Sequence[str]],
    *,
    filter: Filter = "ukf",
    substeps: int = 1,
) -> type[Behaviour]:
    """The plant as a Behaviour. wires: "component.input" -> "component.output", or several of them. Raises Invalid for
    a wire that leads nowhere, a component with `step`, and outputs that need each other at the same instant.
    """
    fed = {to: (sources,) if isinstance(sources, str) else tuple(sources) for to, sources in wires.items()}
    body: dict[str, Any] = {}
    sensors: dict[tuple[str, Sensor], Sensor] = {}
    for part, behaviour in parts.items():
        if "derivative" not in vars(behaviour):
            raise Invalid(f"{name}: {part} is a {behaviour.__name__}, which has step; a component needs derivative")
        layout = behaviour.layout
        for d in (*layout.states, *layout.tracked, *layout.constants, *layout.inputs, *layout.sensors):
            if f"{part}.{d.name}" not in fed:
                body[f"{part}_{d.name}"] = copied = d.within(part)
                if isinstance(d, Sensor) and isinstance(copied, Sensor):
                    sensors[part, d] = copied
    for to, sources in fed.items():
        part, _, what = to.partition(".")
        known = [u.name for u in parts[part].layout.inputs if not isinstance(u, Mode)] if part in parts else []
        if what not in known:
            raise Invalid(f"{name}: the wire to '{to}' leads nowhere; inputs of '{part}': {', '.join(known) or 'none'}")
        for source in sources:
            if source.partition(".")[0] not in parts:
                raise Invalid(f"{name}: the wire from '{source}' begins nowhere; components: {', '.join(parts)}")

    def bound(plant: Behaviour, t: Scalar) -> dict[str, Behaviour]:
        """The components bound to the plant's values; wired inputs are looked up when they are asked for."""
        made: dict[str, Behaviour] = {}
        busy: list[str] = []

        def output(source: str) -> Scalar:
            part, _, what = source.partition(".")
            if source in busy:
                raise Invalid(f"{name}: {' needs '.join([*busy, source])}; let one of them depend on states alone")
            busy.append(source)
            told = made[part].outputs(t)
            busy.pop()
            if what not in told:
                raise Invalid(f"{name}: '{part}' has no output '{what}'; its outputs: {', '.join(told) or 'none'}")
            return told[what]

        for part, behaviour in parts.items():
            one = behaviour()
            one.values_ = _Wired(plant.values_, part, fed, output)
            made[part] = one
        return made

    def by_state(plant: Behaviour, method: str, t: Scalar) -> dict[str, Scalar]:
        out: dict[str, Scalar] = {}
        for part, one in bound(plant, t).items():
            places = {hash(one.values_[s.name]): s.name for s in parts[part].layout.states}
            for key, value in getattr(one, method)(t).items():
                out[f"{part}_{key if isinstance(key, str) else places.get(hash(key), '?')}"] = value
        return out

    def by_sensor(plant: Behaviour, method: str, t: Scalar) -> dict[Sensor, Scalar]:
        all_parts = bound(plant, t).items()
        return {sensors[part, key]: value for part, one in all_parts for key, value in getattr(one, method)(t).items()}

    def gathered(plant: Behaviour, method: str, t: Scalar) -> dict[str, Any]:
        all_parts = bound(plant, t).items()
        return {f"{part}_{key}": value for part, one in all_parts for key, value in getattr(one, method)(t).items()}

    def method(how: Callable[[Behaviour, str, Scalar], Any], what: str) -> Callable[[Behaviour, Scalar], Any]:
        return lambda self, t: how(self, what, t)

    body |= {what: method(by_state, what) for what in ("derivative", "unrest")}
    body |= {what: method(by_sensor, what) for what in ("observe", "noise", "usable")}
    body |= {what: method(gathered, what) for what in ("outputs", "conserved", "health")}
    make: Any = type(Behaviour)
    plant: type[Behaviour] = make(name, (Behaviour,), body, model=model, filter=filter, substeps=substeps)
    _look(plant, fed, bound)
    return plant


def _look(plant: type[Behaviour], fed: Mapping[str, Sequence[str]], bound: Callable[..., dict[str, Behaviour]]) -> None:
    """Ask for each wire's value once, on symbols: also for those that nothing in the filter asks for."""
    layout = plant.layout
    declared = (*layout.states, *layout.tracked, *layout.constants, *layout.inputs)
    parts = bound(plant.bind({d.name: ca.SX.sym(d.name) for d in declared}), ca.SX.sym("t"))
    for to in fed:
        part, _, what = to.partition(".")
        try:
            parts[part].values_[what]
        except (TypeError, ValueError, AttributeError, RuntimeError) as error:
            told = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise Invalid(
                f"{plant.__name__}: what {' and '.join(fed[to])} gives cannot run on symbols: {told}; write outputs "
                "with the functions of estimate.maths"
            ) from error


class _Wired(dict[str, Any]):
    """A component's view of the plant's values."""

    def __init__(
        self,
        plant: Mapping[str, Scalar],
        part: str,
        wires: Mapping[str, Sequence[str]],
        output: Callable[[str], Scalar],
    ) -> None:
        super().__init__({k.removeprefix(f"{part}_"): v for k, v in plant.items() if k.startswith(f"{part}_")})
        self._part, self._wires, self._output = part, wires, output

    def __missing__(self, name: str) -> Scalar:
        sources = self._wires.get(f"{self._part}.{name}")
        if not sources:
            raise KeyError(name)
        first, *others = map(self._output, sources)
        return sum(others, first)
