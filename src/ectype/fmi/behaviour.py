"""An FMU of somebody else as a behaviour: which of its variables are states, sensors, inputs and parameters, and how
unsure each is. The equations stay in the FMU.

    Tanks = FmuBehaviour(
        "tanks.fmu",
        model="dtmi:demo:Tanks;1",
        states={"h1": State("cm", init=(5, 1), q="0.03 cm/sqrt(s)", low=0)},
        parameters={"k2": Parameter("cm^0.5/s", prior=LogNormal(0.04, 0.3), drift="1 %/sqrt(day)")},
        inputs={"pump": Input("V", max_age="20 s")},
        sensors={"level": Sensor("V", sigma="0.05 V", gate=5)},
    )

Names are those of the FMU's variables. A state is one of its continuous states (those that are not named here follow
from the rest), a sensor any variable, a parameter that drifts an input or a tunable parameter, any other parameter a
start value.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import final

from ectype.errors import Invalid
from ectype.estimate.behaviour import Input, Layout, Mode, Parameter, Sensor, State, layout_of
from ectype.fmi.wire import Described
from ectype.units import unit


@final
class FmuBehaviour:
    """path: of the FMU, beside the file that says this, where it is not absolute."""

    def __init__(
        self,
        path: str,
        *,
        model: str,
        states: Mapping[str, State],
        sensors: Mapping[str, Sensor],
        inputs: Mapping[str, Input] | None = None,
        parameters: Mapping[str, Parameter] | None = None,
    ) -> None:
        self.path = Path(sys._getframe(1).f_code.co_filename).parent / path  # pyright: ignore[reportPrivateUsage]
        self.model = model
        named = {**states, **(parameters or {}), **(inputs or {}), **sensors}
        if len(named) < sum(map(len, (states, parameters or {}, inputs or {}, sensors))):
            raise Invalid(f"{path}: a name stands for one thing; a state that is also measured needs an output's name")
        for name, declared in named.items():
            declared.name, declared.owner = name, path
        self._layout = layout_of(path, list(named.values()))

    @property
    def layout(self) -> Layout:
        """What it declares, in order."""
        return self._layout

    @property
    def event_size(self) -> int:
        """Scalars in an event: t, dt, inputs, readings, present flags."""
        return 2 + len(self._layout.inputs) + 2 * len(self._layout.sensors)

    @property
    def needs(self) -> Mapping[str, tuple[str, ...]]:
        """Nobody can see into an FMU, so each sensor needs every input."""
        return {sensor.name: tuple(u.name for u in self._layout.inputs) for sensor in self._layout.sensors}

    def check(self, told: Described) -> None:
        """Hold it against what the FMU says of itself. Raises Invalid for a name it has not or another unit."""
        known = {v.name: v for v in told.variables}
        layout = self._layout
        for d in (*layout.states, *layout.tracked, *layout.constants, *layout.inputs, *layout.sensors):
            found = known.get(d.name)
            if found is None:
                like = ", ".join(v for v in known if v.rpartition(".")[2] == d.name.rpartition(".")[2])
                hint = f"did you mean {like}?" if like else "`ectype fmu show` lists what it has"
                raise Invalid(f"{d.line}: {self.path.name} has no variable '{d.name}'; {hint}")
            if isinstance(d, Input) and found.causality != "input":
                raise Invalid(f"{d.line}: '{d.name}' is no input of {self.path.name} but its {found.causality}")
            _check_unit(d, found.unit, self.path.name)


def _check_unit(d: State | Parameter | Input | Mode | Sensor, theirs: str, where: str) -> None:
    try:
        there = unit(theirs) if theirs else None
    except Invalid:  # their word for it is not one of ours: nothing can be said
        return
    here = unit(d.unit)
    if there is not None and (there.dimension != here.dimension or abs(there.scale / here.scale - 1) > 1e-9):
        raise Invalid(f"{d.line}: '{d.name}' is in {theirs} in {where}, and in {d.unit} here; write \"{theirs}\"")
