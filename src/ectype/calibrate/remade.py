"""A behaviour made from another: the same physics, other parameters, more sensors, something added to its slopes.

What comes out is a behaviour like any other: every filter, back end, certificate and calibration takes it.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import copy
from collections.abc import Callable, Mapping
from typing import Any

from ectype.estimate.behaviour import Behaviour, Input, Mode, Parameter, Sensor, State
from ectype.estimate.maths import Scalar

Slopes = Callable[[Behaviour, Scalar], Mapping[str, Scalar]]


def remade(
    behaviour: type[Behaviour],
    name: str,
    *,
    parameters: Mapping[str, Parameter] | None = None,
    sensors: Mapping[str, tuple[Sensor, Callable[[Behaviour, Scalar], Scalar]]] | None = None,
    slopes: Slopes | None = None,
    health: Slopes | None = None,
    noises: Mapping[str, float] | None = None,
) -> type[Behaviour]:
    """`behaviour` under another class name and the same model. parameters: those of its names are replaced, others
    added. sensors: added, each with what it reads. slopes: added to the derivative of the states it names (per second;
    to what `step` returns, times dt); what was conserved then no longer is, and is not
    claimed. health: added to what it tells. noises: factors on q of states and tracked parameters and on sigma of
    sensors, by name.
    """
    louder = noises or {}
    body: dict[str, Any] = {}
    same: dict[Sensor, Sensor] = {}
    for key, declared in vars(behaviour).items():
        if isinstance(declared, State | Parameter | Input | Mode | Sensor):
            body[key] = copied = copy.copy(declared)
            _louder(copied, louder.get(key, 1.0))
            if isinstance(declared, Sensor) and isinstance(copied, Sensor):
                same[declared] = copied
    body |= {key: copy.copy(p) for key, p in (parameters or {}).items()}
    extra = {copy.copy(s): read for s, read in (sensors or {}).values()}
    body |= dict(zip(sensors or {}, extra, strict=True))

    def inner(self: Behaviour) -> Any:
        one = behaviour()
        one.values_ = self.values_
        return one

    def plus(self: Behaviour, moved: Mapping[Any, Scalar], t: Scalar, by: Scalar) -> dict[str, Scalar]:
        places = {hash(self.values_[s.name]): s.name for s in behaviour.layout.states}
        out = {k if isinstance(k, str) else places.get(hash(k), "?"): v for k, v in moved.items()}
        for state, slope in (slopes(self, t) if slopes else {}).items():
            out[state] = out[state] + by * slope
        return out

    def derivative(self: Behaviour, t: Scalar) -> Any:
        return plus(self, inner(self).derivative(t), t, 1.0)

    def step(self: Behaviour, t: Scalar, dt: Scalar) -> Any:
        return plus(self, inner(self).step(t, dt), t, dt)

    def observe(self: Behaviour, t: Scalar) -> Any:
        out = {same[k]: v for k, v in inner(self).observe(t).items()}
        return out | {s: read(inner(self), t) for s, read in extra.items()}

    def by_sensor(method: str, factors: Mapping[str, float]) -> Callable[[Behaviour, Scalar], Any]:
        def told(self: Behaviour, t: Scalar) -> Any:
            given = getattr(inner(self), method)(t).items()
            return {same[k]: factors[k.name] * v if k.name in factors else v for k, v in given}

        return told

    def unrest(self: Behaviour, t: Scalar) -> Any:
        places = {hash(self.values_[d.name]): d.name for d in (*behaviour.layout.states, *behaviour.layout.tracked)}
        given = inner(self).unrest(t).items()
        return {k: louder.get(places.get(hash(k), k if isinstance(k, str) else "?"), 1.0) * v for k, v in given}

    def as_it_was(method: str) -> Callable[[Behaviour, Scalar], Any]:
        def told(self: Behaviour, t: Scalar) -> Any:
            return getattr(inner(self), method)(t)

        return told

    if "step" in vars(behaviour):
        body["step"] = step
    else:
        body["derivative"] = derivative
    body |= {"observe": observe, "noise": by_sensor("noise", louder), "usable": by_sensor("usable", {})}
    if louder:
        body["unrest"] = unrest

    def told(self: Behaviour, t: Scalar) -> Any:
        return {**inner(self).health(t), **(health(self, t) if health else {})}

    kept = ("unrest", "outputs") if slopes else ("unrest", "outputs", "conserved")
    body |= {method: as_it_was(method) for method in kept if method not in body} | {"health": told}
    make: Any = type(Behaviour)
    settings: dict[str, Any] = {
        "filter": behaviour.filter,
        "substeps": behaviour.substeps,
        "end_of_life": behaviour.end_of_life,
    }
    return make(name, (Behaviour,), body, model=behaviour.model, **settings)


def _louder(declared: State | Parameter | Input | Mode | Sensor, factor: float) -> None:
    if factor == 1.0:
        return
    if isinstance(declared, State):
        declared.q_text = f"{declared.q * factor!r} ({declared.unit})/sqrt(s)"
    elif isinstance(declared, Sensor):
        declared.sigma_text = f"{declared.sigma * factor!r} {declared.unit}"
    elif isinstance(declared, Parameter) and declared.q is not None:
        declared.drift_text = f"{declared.q * factor!r} ({declared.unit})/sqrt(s)"
