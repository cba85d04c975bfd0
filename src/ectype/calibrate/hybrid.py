"""Physics and a little that is learned: what the equations lack is fitted together with their parameters.

    dx_s/dt = physics_s(x, u) + r_s,    r_s = b_s tanh(sum_j w_sj phi_j / b_s),    phi_j = exp(-|v - c_j|^2 / 2 l^2)

v are the chosen states and inputs, scaled to where the twin has been; the centres c_j are spread over those places,
each as far from the others as can be. So |r_s| <= b_s everywhere, and where the twin has never been it fades out,

    |r_s| <= sum_j |w_sj| * exp(-d^2 / 2 l^2),    d the distance to the nearest centre,

and the physics is alone. The weights have the prior N(0, a_s^2), a_s the size of what may be missing, and are
calibrated with the parameters, in one posterior; where the equations suffice they stay near 0. What comes out is a
behaviour like any other, and its `health` tells at every moment what share is learned and how far it is supported.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, final

import casadi as ca
import numpy as np

from ectype.calibrate.calibration import Calibration, calibrate
from ectype.calibrate.coordinates import WEIGHT
from ectype.calibrate.likelihood import Likelihood
from ectype.calibrate.live import tracking
from ectype.calibrate.remade import remade
from ectype.errors import Invalid, Misconfigured
from ectype.estimate.behaviour import Behaviour, Input, Normal, Parameter
from ectype.estimate.maths import Scalar, exp, maximum, tanh
from ectype.estimate.methods import methods_of
from ectype.estimate.simulate import simulate
from ectype.units import quantity
from ectype.values.block import Float64s
from ectype.values.canonical import JSON

_MOST = 3.0  # b_s in sizes a_s


@final
@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """The r of the module's docstring: of [d] names, centres [m, d] in scaled values (v - shift) / scale, width l, and
    for each state its size a_s per second.
    """

    of: tuple[str, ...]
    shift: Float64s
    scale: Float64s
    centres: Float64s
    width: float
    sizes: Mapping[str, float]

    def document(self) -> dict[str, JSON]:
        """As plain JSON: with the values of the parameters, all that `taught` needs."""
        arrays = {"shift": self.shift.tolist(), "scale": self.scale.tolist(), "centres": self.centres.tolist()}
        return {"of": list(self.of), "width": self.width, "sizes": dict(self.sizes), **arrays}

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """What `document` gave. Raises Invalid for anything else."""
        try:
            of, sizes = tuple(map(str, document["of"])), {str(k): float(v) for k, v in document["sizes"].items()}
            shift, scale, centres = (np.array(document[n], np.float64) for n in ("shift", "scale", "centres"))
            if centres.ndim != 2 or {centres.shape[1], len(shift), len(scale)} != {len(of)}:
                raise Invalid(f"centres of {centres.shape} do not go with {len(of)} names")
            return cls(of, shift, scale, centres, float(document["width"]), sizes)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Invalid(
                f"this is nothing that was learned: {error!r}; take it from ectype calibrate --out"
            ) from error

    def weights(self, state: str) -> list[str]:
        """The names of its parameters."""
        return [f"{WEIGHT}{state}_{j}" for j in range(len(self.centres))]

    def features(self, values: Mapping[str, Scalar]) -> list[Scalar]:
        """phi of those values; symbols, floats or arrays."""
        v = [(values[n] - a) / b for n, a, b in zip(self.of, self.shift.tolist(), self.scale.tolist(), strict=True)]
        out: list[Scalar] = []
        for centre in self.centres.tolist():
            far = sum(((x - c) ** 2 for x, c in zip(v, centre, strict=True)), 0.0)
            out.append(exp(far * (-0.5 / self.width**2)))
        return out

    def support(self, values: Mapping[str, Scalar]) -> Scalar:
        """1 at a place where it was trained, towards 0 away from all of them: the largest phi."""
        phi = self.features(values)
        out = phi[0]
        for other in phi[1:]:
            out = maximum(out, other)
        return out

    def residual(self, values: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """r per state and second; `values` holds the weights too."""
        phi = self.features(values)
        out: dict[str, Scalar] = {}
        for state, size in self.sizes.items():
            raw = sum((values[w] * p for w, p in zip(self.weights(state), phi, strict=True)), 0.0)
            out[state] = _MOST * size * tanh(raw / (_MOST * size))
        return out


@final
@dataclass(frozen=True, slots=True, eq=False)
class Hybrid:
    """behaviour: everything fixed at its most likely value, to run; calibration: parameters and weights in one
    posterior; physics: the calibration without anything learned. slopes: per state, rms of what is learned over the sum
    of both rms; outputs: per sensor, how far it moves a simulated record, over that record's standard deviation.
    """

    behaviour: type[Behaviour]
    calibration: Calibration
    physics: Calibration
    learned: Learned
    slopes: Mapping[str, float]
    outputs: Mapping[str, float]

    @property
    def gain(self) -> float:
        """By how much learning raised the log-likelihood of the readings it was trained on."""
        return self.calibration.log_likelihood - self.physics.log_likelihood

    def document(self) -> dict[str, JSON]:
        """What was learned and its shares, as plain JSON; its weights are among the calibration's parameters."""
        shares: dict[str, JSON] = {"slopes": dict(self.slopes), "outputs": dict(self.outputs)}
        return {**self.learned.document(), **shares, "gain": self.gain, "sentence": self.sentence}

    @property
    def sentence(self) -> str:
        """For people."""
        slopes = ", ".join(f"{share:.1%} of d{name}/dt" for name, share in self.slopes.items())
        outputs = ", ".join(f"{share:.1%} of {name}" for name, share in self.outputs.items())
        return f"Learned on top of the physics: {slopes}; it moves {outputs}. Log-likelihood {self.gain:+.1f}."


def hybrid(
    physics: Calibration,
    on: Mapping[str, str],
    of: Sequence[str],
    *,
    centres: int = 12,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> Hybrid:
    """Learn what `physics` lacks, from the records that it was calibrated on. on: state -> the size of what may be
    missing, as "0.02 cm/s"; of: the states and inputs that it depends on. Raises Misconfigured for other names.
    """
    behaviour = physics.behaviour
    layout = behaviour.layout
    states = {s.name: s for s in layout.states}
    inputs = [u.name for u in layout.inputs if isinstance(u, Input)]
    for name in [*[s for s in on if s not in states], *[n for n in of if n not in (*states, *inputs)]]:
        raise Misconfigured(f"{behaviour.__name__} has no '{name}'; on: {', '.join(states)}; of: those, or {inputs}")
    if not on or not of or centres < 1:
        raise Misconfigured("something is learned on one state or more, of one state or input or more, at one centre")
    sizes = {s: quantity(text, f"({states[s].unit})/s", f"what is learned on {s}") for s, text in on.items()}
    learned = _spread(physics, tuple(of), sizes, centres)
    weights = {
        name: Parameter(f"({states[s].unit})/s", prior=Normal(0.0, size))
        for s, size in sizes.items()
        for name in learned.weights(s)
    }
    made = taught(behaviour, learned, weights)
    noises = physics.coordinates.noises
    start = physics.values
    found = calibrate(made, physics.records, noises=noises, start=start, shooting=False, told=told)
    run = tracking(found, {})
    return Hybrid(run, found, physics, learned, _slopes(found, learned), _outputs(found, learned))


def taught(behaviour: type[Behaviour], learned: Learned, parameters: Mapping[str, Parameter]) -> type[Behaviour]:
    """`behaviour` with what was learned. parameters: the weights, and whichever of its own are to be others: with
    `Parameter(unit, fixed=value)` of a calibration's document, the twin that was calibrated.
    """

    def slopes(one: Behaviour, t: Scalar) -> Mapping[str, Scalar]:
        return learned.residual(one.values_)

    def health(one: Behaviour, t: Scalar) -> Mapping[str, Scalar]:
        told = {f"learned_{s}": r for s, r in learned.residual(one.values_).items()}
        return told | {"learned_support": learned.support(one.values_)}

    return remade(behaviour, behaviour.__name__, parameters=parameters, slopes=slopes, health=health)


def _spread(physics: Calibration, of: tuple[str, ...], sizes: Mapping[str, float], centres: int) -> Learned:
    """Centres by farthest-point choice among where the filter saw the twin; a width that lets neighbours overlap."""
    places = _places(physics)
    points = np.stack([places[name] for name in of], axis=1)
    shift, scale = points.mean(0), np.maximum(points.std(0), 1e-9)
    points = (points - shift) / scale
    chosen = [int(np.argmin((points**2).sum(1)))]
    away = ((points - points[chosen[0]]) ** 2).sum(1)
    while len(chosen) < min(centres, len(points)) and away.max() > 1e-6:
        chosen.append(int(np.argmax(away)))
        away = np.minimum(away, ((points - points[chosen[-1]]) ** 2).sum(1))
    at = points[chosen]
    apart = np.sqrt(((at[:, None] - at[None]) ** 2).sum(2)) + np.diag(np.full(len(at), np.inf))
    width = float(np.median(apart.min(1))) if len(at) > 1 else 1.0
    return Learned(of, shift, scale, at, width, dict(sizes))


def _places(found: Calibration) -> dict[str, Float64s]:
    """Where the filter saw the twin, one place an event: states, tracked parameters and inputs by name."""
    layout = found.behaviour.layout
    means = np.concatenate(Likelihood(found.coordinates, found.records)(found.z).means)
    rows = np.concatenate(found.records)
    out = {name: means[:, i] for i, name in enumerate(layout.belief_names)}
    return out | {u.name: rows[:, 2 + i] for i, u in enumerate(layout.inputs)}


def _slopes(found: Calibration, learned: Learned) -> dict[str, float]:
    layout, m = found.behaviour.layout, methods_of(found.behaviour)
    places = _places(found)
    values = {**places, **found.values}
    rows = np.concatenate(found.records)
    x = np.stack([places[name] for name in layout.belief_names])
    each = np.repeat(found.constants[:, None], len(rows), 1)
    given = np.concatenate([x, each, rows[:, : 2 + len(layout.inputs)].T])
    move: Any = ca.Function("move", [ca.vertcat(*m.x, *m.constants, m.t, m.dt, *m.inputs)], [ca.vertcat(*m.moved)])
    dt = rows[:, 1]
    timed = dt > 0
    total = (np.asarray(move(ca.DM(given))) - x)[:, timed] / dt[timed]
    out: dict[str, float] = {}
    for state, r in learned.residual(values).items():
        own = np.asarray(r)[timed]
        rest = total[layout.belief_names.index(state)] - own
        a, b = float(np.sqrt((own**2).mean())), float(np.sqrt((rest**2).mean()))
        out[state] = a / (a + b) if a > 0 else 0.0
    return out


def _outputs(found: Calibration, learned: Learned) -> dict[str, float]:
    layout = found.behaviour.layout
    without = {w: 0.0 for s in learned.sizes for w in learned.weights(s)}
    record = max(found.records, key=len)
    first = [s.init[0] for s in layout.states] + [p.prior.centre() for p in layout.tracked if p.prior]
    rng = np.random.default_rng(0)
    runs: list[Float64s] = []
    for values in (found.values, found.values | without):
        constants = np.array([values.get(p.name, p.value) for p in layout.constants])[:, None]
        start = np.array(first, np.float64)[:, None]
        world = simulate(found.behaviour, start, constants, record[:, :, None], rng, noise=0.0, unrest=0.0)
        runs.append(world.events[:, 2 + len(layout.inputs) : 2 + len(layout.inputs) + len(layout.sensors), 0])
    moved = np.sqrt(((runs[0] - runs[1]) ** 2).mean(0))
    return {s.name: float(moved[i] / max(float(runs[0][:, i].std()), 1e-300)) for i, s in enumerate(layout.sensors)}
