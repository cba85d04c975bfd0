"""The world of an ensemble that is an FMU: one instance a member, in a process of its own.

    with open_world(Tanks, members=64) as world:
        ensemble = Ensemble(world, 64)
        after, out = ensemble.fold(ensemble.initial(1), world.constants, events, active)

The filter corrects the FMU's continuous states, which only model exchange shows; CVode integrates between events.
What an FMU keeps beside them (hidden discrete states) each member keeps for itself. It goes one way in time: for an
earlier event, open it again.
"""

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import final

import numpy as np

from ectype.errors import Invalid
from ectype.estimate.behaviour import Layout
from ectype.fmi.behaviour import FmuBehaviour
from ectype.fmi.imported import describe_fmu
from ectype.fmi.process import Process
from ectype.fmi.wire import Drive, Driven, Gather
from ectype.values.block import Float64s


@final
class FmuWorld:
    """See `estimate.world.World`; for one twin."""

    def __init__(self, behaviour: FmuBehaviour, process: Process) -> None:
        self._layout, self._process, self._name = behaviour.layout, process, behaviour.path.name
        beliefs = (*self._layout.states, *self._layout.tracked)
        self._q = np.array([d.q or 0.0 for d in beliefs])[:, None, None]
        self._bounds = np.array([[d.low, d.high] for d in beliefs])
        self._sigma = np.array([s.sigma for s in self._layout.sensors])[:, None, None]
        self._at_s = 0.0

    @property
    def layout(self) -> Layout:
        """See World."""
        return self._layout

    @property
    def constants(self) -> Float64s:
        """[constants, 1]: what the FMU was started with."""
        return np.array([[p.value] for p in self._layout.constants]).reshape(-1, 1)

    def move(self, x: Float64s, held: Float64s) -> tuple[Float64s, Float64s]:
        """See World. Raises Invalid if the FMU refuses a step, Unavailable if its process dies."""
        self._at_s += float(max(held[len(self._layout.constants) + 1, 0], 0.0))
        told = self._drive(x, held)
        after = x.copy()
        after[: len(self._layout.states)] = told[:, : len(self._layout.states)].T[..., None]
        return after, np.broadcast_to(self._q, x.shape)

    def look(self, x: Float64s, held: Float64s) -> Float64s:
        """See World."""
        told = self._drive(x, held)
        seen = np.ones((len(self._layout.sensors), 3, *x.shape[1:]))
        seen[:, 0] = told[:, len(self._layout.states) :].T[..., None]
        seen[:, 1] = self._sigma
        return seen

    def _drive(self, x: Float64s, held: Float64s) -> Float64s:
        if x.shape[2] != 1:
            raise Invalid(f"{self._name} follows one twin; open it once for each")
        inside = np.clip(x[:, :, 0], self._bounds[:, :1], self._bounds[:, 1:])
        first = len(self._layout.constants) + 2
        inputs = {u.name: float(v) for u, v in zip(self._layout.inputs, held[first:, 0], strict=True)}
        ask = Drive(np.ascontiguousarray(inside.T).tobytes(), inputs, self._at_s)
        told = self._process.ask(ask, f"after {self._at_s:g} s")
        if not isinstance(told, Driven):
            raise Invalid(f"{self._name} answered something else")
        return np.frombuffer(told.values, np.float64).reshape(x.shape[1], -1)


@contextmanager
def open_world(
    behaviour: FmuBehaviour, *, members: int = 64, tolerance: float = 1e-6, patience_s: float = 60.0
) -> Generator[FmuWorld]:
    """So many instances of the FMU, started with the behaviour's constant parameters.

    Raises NotFound, Invalid where behaviour and FMU do not fit, Misconfigured where it cannot be filtered
    (co-simulation alone, once a process, a parameter that does not change while it runs).
    """
    path = behaviour.path.resolve()
    behaviour.check(describe_fmu(path, patience_s=patience_s))
    layout = behaviour.layout
    with tempfile.TemporaryDirectory() as folder, Process(Path(path), patience_s) as process:
        gather = Gather(
            str(path),
            folder,
            members,
            [s.name for s in layout.states],
            [p.name for p in layout.tracked],
            {p.name: p.value for p in layout.constants},
            [s.name for s in layout.sensors],
            tolerance,
        )
        process.ask(gather, "when it was opened")
        yield FmuWorld(behaviour, process)
