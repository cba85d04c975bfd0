"""One filter update as one scalar graph: the behaviour's methods and its filter, traced by CasADi.

    predict over dt  ─►  for each sensor: read, gate, assimilate  ─►  clamp     (the mathematics: gaussian.py)

A reading counts if it is present, usable and its NIS = v^2 / S is at most gate^2. The filter is the behaviour's choice.

Order of the scalars (also in `Layout`): inputs are belief (x, then the lower triangle of P by rows), constants,
then the event: t, dt, inputs, readings, present flags (1 or 0). Outputs: belief, then per sensor: innovation v,
its variance S, NIS, and whether it was assimilated. v, NIS and the flag are 0 where the reading is absent.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import casadi as ca
import numpy as np

from ectype.errors import Invalid
from ectype.estimate import gaussian
from ectype.estimate.behaviour import Behaviour, Layout
from ectype.estimate.methods import methods_of
from ectype.estimate.scalars import Instruction, instructions_of, reciprocal
from ectype.values.block import Float64s

SX = Any


@dataclass(frozen=True, eq=False)
class Graph:
    """The update of one twin as straight-line scalar code, and what its inputs and outputs mean.

    `instructions` (scalars.py) are the code; `function` is the same graph for CasADi's own virtual machine; `digest`
    names the graph: equal digest, equal arithmetic. `needs[sensor]` lists the inputs that its predicted reading
    depends on.
    """

    behaviour: type[Behaviour]
    instructions: tuple[Instruction, ...]
    function: Any
    digest: str
    needs: Mapping[str, tuple[str, ...]]

    @property
    def layout(self) -> Layout:
        """What the behaviour declares."""
        return self.behaviour.layout

    @property
    def name(self) -> str:
        """The behaviour's."""
        return self.behaviour.__name__

    @property
    def constant_size(self) -> int:
        """Scalars of a twin that do not change."""
        return len(self.layout.constants)

    @property
    def size(self) -> int:
        """n: how long the filter's state vector is."""
        return len(self.layout.states) + len(self.layout.tracked)

    @property
    def belief_size(self) -> int:
        """Scalars in a belief: n and the lower triangle of the covariance."""
        return self.size + self.size * (self.size + 1) // 2

    @property
    def event_size(self) -> int:
        """Scalars in an event: t, dt, inputs, readings, present flags."""
        return 2 + len(self.layout.inputs) + 2 * len(self.layout.sensors)

    @property
    def output_size(self) -> int:
        """Scalars that an update returns: the belief, and four diagnostics a sensor."""
        return self.belief_size + 4 * len(self.layout.sensors)

    def variance_row(self, i: int) -> int:
        """Where in a belief the variance of the i-th state stands."""
        return self.size + i * (i + 1) // 2 + i

    def initial(self, twins: int) -> Float64s:
        """[belief_size, twins]: the declared priors, uncorrelated."""
        belief = np.zeros((self.belief_size, twins))
        priors = [s.init for s in self.layout.states]
        priors += [(p.prior.centre(), p.prior.spread()) for p in self.layout.tracked if p.prior]
        for i, (mean, std) in enumerate(priors):
            belief[i] = mean
            belief[self.variance_row(i)] = std**2
        return belief


MOST = 16  # the code grows with the cube


def clamp_of(layout: Layout) -> gaussian.Clamp:
    """Brings a state vector within the declared bounds."""
    bounds = [(d.low, d.high) for d in (*layout.states, *layout.tracked)]

    def clamp(x: Sequence[SX]) -> list[SX]:
        low = [v if lo == -math.inf else ca.fmax(v, lo) for v, (lo, _) in zip(x, bounds, strict=True)]
        return [v if hi == math.inf else ca.fmin(v, hi) for v, (_, hi) in zip(low, bounds, strict=True)]

    return clamp


def trace(behaviour: type[Behaviour]) -> Graph:
    """Trace `behaviour`'s filter update. Raises Invalid if a method does not return what it must."""
    layout = behaviour.layout
    m = methods_of(behaviour)
    n = len(m.x)
    x0 = [ca.SX.sym(name) for name in layout.belief_names]
    tri = [(i, j) for i in range(n) for j in range(i + 1)]
    before = {ij: ca.SX.sym(f"P{ij[0]}_{ij[1]}") for ij in tri}
    readings = [ca.SX.sym(s.name) for s in layout.sensors]
    present = [ca.SX.sym(f"{s.name}_present") for s in layout.sensors]
    symbols = [*x0, *(before[ij] for ij in tri), *m.constants, m.t, m.dt, *m.inputs, *readings, *present]
    clamp = clamp_of(layout)
    if behaviour.filter == "etkf":
        text = "is an ensemble, which has no graph of scalars; leave filter= out for what needs one"
        raise Invalid(f"{behaviour.__name__} chose filter='etkf': it {text}")
    if n > MOST:
        raise Invalid(f"{behaviour.__name__} has {n} states and tracked parameters; above {MOST} write filter='etkf'")
    exact = behaviour.filter == "ekf"
    predict = gaussian.predict_ekf if exact else gaussian.predict_ukf
    q = m.at(list(m.q), clamp(x0))
    x, cov, _ = predict(m, x0, gaussian.cholesky(before, n), q, clamp)
    lower = gaussian.cholesky(cov, n)
    diagnostics: list[SX] = []
    for k, (sensor, look) in enumerate(zip(layout.sensors, m.looks, strict=True)):
        expected, g, curved = gaussian.read(m, look, x, lower, clamp, exact)
        std, usable = m.at([look.std, look.usable], clamp(x))
        rest = std * std + curved
        s = rest + sum((gj * gj for gj in g), ca.SX(0))
        here = ca.logic_and(present[k] > 0, usable)
        v = ca.if_else(present[k] > 0, readings[k] - expected, 0)
        nis = v * v / s
        used = ca.logic_and(here, nis <= sensor.gate**2) if math.isfinite(sensor.gate) else here
        x, lower = gaussian.assimilate(x, lower, g, rest, v, used)
        diagnostics += [v, s, nis, used]
    x = clamp(x)
    after = gaussian.square(lower)

    outputs = [*x, *(after[ij] for ij in tri), *diagnostics]
    function = ca.Function("update", [ca.vertcat(*symbols)], [ca.vertcat(*outputs)], {"cse": True})
    function = reciprocal(function)
    instructions = instructions_of(function, behaviour.__name__)
    digest = hashlib.sha256(repr((behaviour.model, instructions)).encode()).hexdigest()
    needs = {sensor.name: look.needs for sensor, look in zip(layout.sensors, m.looks, strict=True)}
    return Graph(behaviour, instructions, function, digest, needs)
