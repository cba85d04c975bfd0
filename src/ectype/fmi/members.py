"""Many instances of one FMU beside each other, for an ensemble: put where they are told, then moved together."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from typing import final

import numpy as np

from ectype.errors import Invalid, Misconfigured
from ectype.fmi.instance import Instance, ModelExchange, fmpy_or_how
from ectype.fmi.wire import Drive, Driven, Gather, Open


@final
class Members:
    """All of them, in one process. Each keeps its own hidden discrete state."""

    def __init__(self, ask: Gather) -> None:
        told = fmpy_or_how().read_model_description(ask.path, validate=False)
        if told.modelExchange is None:
            raise Misconfigured(
                f"{ask.path} offers co-simulation alone, which hides its states, and a filter corrects states; "
                "export it for model exchange"
            )
        if told.modelExchange.canBeInstantiatedOnlyOncePerProcess:
            raise Misconfigured(f"{ask.path} runs once in a process, and an ensemble needs {ask.members} of it")
        can_change = {v.name for v in told.modelVariables if v.causality == "input" or v.variability == "tunable"}
        for name in ask.tracked:
            if name not in can_change:
                there = ", ".join(sorted(can_change)[:20]) or "none"
                raise Misconfigured(
                    f"'{name}' cannot be tracked: only inputs and tunable parameters change while an FMU runs; "
                    f"it has: {there}"
                )
        open_one = Open(ask.path, ask.folder, "me", 0.0, ask.start, ask.watch, ask.tolerance)
        self._instances = [Instance(open_one) for _ in range(ask.members)]
        self._movers = [one.stepper for one in self._instances if isinstance(one.stepper, ModelExchange)]
        names = self._movers[0].states
        for name in ask.states:
            if name not in names:
                raise Misconfigured(f"'{name}' is no continuous state of the FMU; these are: {', '.join(names)}")
        self._places = [names.index(name) for name in ask.states]
        self._tracked = ask.tracked
        self._at_s = 0.0

    def now(self) -> Driven:
        """Where they stand."""
        rows = [
            [*(state[place] for place in self._places), *one.now().values.values()]
            for one, state in ((one, mover.state()) for one, mover in zip(self._instances, self._movers, strict=True))
        ]
        return Driven(self._at_s, np.array(rows, np.float64).tobytes())

    def drive(self, ask: Drive) -> Driven:
        """Where they stand then. Raises Invalid, naming the member, if one cannot be moved."""
        given = np.frombuffer(ask.values, np.float64).reshape(len(self._movers), -1)
        if ask.until_s < self._at_s:
            raise Misconfigured(f"a step from {self._at_s:g} s to {ask.until_s:g} s leads back")
        for k, (mover, row) in enumerate(zip(self._movers, given.tolist(), strict=True)):
            state = mover.state()
            for place, value in zip(self._places, row, strict=False):
                state[place] = value
            tracked = dict(zip(self._tracked, row[len(self._places) :], strict=True))
            try:
                mover.place(state, ask.inputs | tracked)
                mover.go({}, ask.until_s)
            except Exception as error:
                at = ", ".join(f"{name} {state[place]:g}" for name, place in self._names(mover))
                raise Invalid(f"member {k} ({at}): {error}") from error
        self._at_s = ask.until_s
        return self.now()

    def _names(self, mover: ModelExchange) -> list[tuple[str, int]]:
        return [(mover.states[place], place) for place in self._places]
