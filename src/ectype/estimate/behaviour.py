"""How a kind of twin behaves: states, parameters, inputs and sensors, written for ONE twin on scalars.

    class Tank(Behaviour, model="dtmi:demo:Tank;1"):
        h = State("cm", init=(5, 1), q="0.03 cm/sqrt(s)", low=0)
        k = Parameter("cm^0.5/s", prior=LogNormal(0.05, 0.3), drift="1 %/sqrt(day)")
        pump = Input("V", max_age="20 s")
        level = Sensor("cm", sigma="0.05 cm", gate=5)

        def derivative(self, t):
            return {self.h: 0.04 * self.pump - self.k * sqrt(self.h)}

        def observe(self, t):
            return {self.level: self.h}

The engine runs these methods once, on symbols (`trace.py`). `observe` also runs on floats and arrays, bound to
values with `Tank.bind(...)`, which is how the same physics gives expected power.
Instead of `derivative` (integrated by RK4) a class may write `step(self, t, dt)`, which returns the new states.
The line of a declaration or method that is wrong is named when the class is made, with what to write instead.
A `Mode` is an input with names: `where(self.valve.is_("open"), a, b)`. `compose.py` makes a plant from components.
Optional: `noise(self, t)` (a sensor's standard deviation where it is not constant), `unrest(self, t)` (a state's
q where it is not constant, in its unit per sqrt(s)) and `usable(self, t)` (a
condition per sensor: where it is false, the reading is not assimilated), `conserved(self, t)` (checked against
`derivative` when the class is made), `outputs(self, t)` (what other components may take in) and `health(self, t)`
(derived numbers, computed on what `bind` gives).
`end_of_life="wear >= 0.8 within 90 day"`, beside `model=`, says where the twin's useful life ends (`end_of_life.py`).
What the twin's type calls otherwise is named with `property=`: `Sensor("m/s", sigma=…, property="windSpeed")`.
Units are checked where they are declared, and through what the methods return (`dimensions.py`).
"""

import copy
import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, final

from ectype.errors import Invalid
from ectype.estimate.end_of_life import EndOfLife
from ectype.estimate.maths import Scalar
from ectype.estimate.returned import check_methods
from ectype.units import quantity, unit

Filter = Literal["ukf", "ekf", "etkf"]


@final
@dataclass(frozen=True, slots=True)
class Normal:
    """Prior N(mean, std^2), in the parameter's unit."""

    mean: float
    std: float

    def centre(self) -> float:
        """The value to start from."""
        return self.mean

    def spread(self) -> float:
        """Its standard deviation."""
        return self.std


@final
@dataclass(frozen=True, slots=True)
class LogNormal:
    """Prior whose logarithm is N(log(median), sigma^2): positive, `sigma` is a relative error."""

    median: float
    sigma: float

    def centre(self) -> float:
        """The value to start from."""
        return self.median

    def spread(self) -> float:
        """Its standard deviation, to first order."""
        return self.median * self.sigma


class _Declared:
    """A descriptor: the declaration on the class, the bound value on an instance."""

    kind: ClassVar[str]
    name: str = ""
    owner: str = ""

    def __init__(self, unit_text: str, property_: str | None = None) -> None:
        self.unit, self._property = unit_text, property_
        caller = sys._getframe(2)  # pyright: ignore[reportPrivateUsage]  whoever wrote State(…), for messages
        self.line = f"{Path(caller.f_code.co_filename).name}, line {caller.f_lineno}"

    def __set_name__(self, owner: type, name: str) -> None:
        self.name, self.owner = name, owner.__name__

    @property
    def property(self) -> str:
        """What the twin's type calls it."""
        return self.name if self._property is None else self._property

    def within(self, part: str) -> Self:
        """The same, of a component: what the type calls otherwise begins with the component's name, too."""
        copied = copy.copy(self)
        copied._property = None if self._property is None else f"{part}_{self._property}"
        return copied

    def check(self, what: str) -> None:
        """Parse the declared texts; raises Invalid with the attribute's name."""

    def __get__(self, instance: "Behaviour | None", owner: type) -> Any:
        if instance is None or isinstance(self, Sensor):
            return self  # a sensor has no value inside a behaviour: it is a key of what `observe` returns
        try:
            return instance.values_[self.name]
        except KeyError:
            raise Invalid(f"{self.owner}.{self.name} has no value here; give it to bind()") from None


@final
class State(_Declared):
    """Something that changes and is not seen directly. init: (mean, std); q: noise per square root of time;
    low, high: bounds of what `derivative`, `step` and `observe` are ever given, and of the mean.
    """

    kind = "state"

    def __init__(
        self,
        unit: str,
        *,
        init: tuple[float, float],
        q: str,
        low: float = -math.inf,
        high: float = math.inf,
        property: str | None = None,
    ) -> None:
        super().__init__(unit, property)
        self.init, self.q_text, self.low, self.high = init, q, low, high
        self.q = 0.0

    def check(self, what: str) -> None:
        """q must be in the unit per square root of a time; init's std must be positive."""
        self.q = quantity(self.q_text, f"({self.unit})/sqrt(s)", f"{what} q")
        if not (self.init[1] > 0 and self.low < self.high and self.q >= 0):
            raise Invalid(f"{what}: init needs a positive std, low < high and q >= 0")


@final
class Parameter(_Declared):
    """A property of one twin: `fixed`, or with a `prior`; with `drift` it is tracked live as a random walk
    (drift in the unit, or in % of the prior's centre, per square root of a time).
    """

    kind = "parameter"

    def __init__(
        self,
        unit: str,
        *,
        fixed: float | None = None,
        prior: Normal | LogNormal | None = None,
        drift: str | None = None,
        low: float = -math.inf,
        high: float = math.inf,
        property: str | None = None,
    ) -> None:
        super().__init__(unit, property)
        self.fixed, self.prior, self.drift_text = fixed, prior, drift
        self.low = 0.0 if isinstance(prior, LogNormal) and low == -math.inf else low
        self.high = high
        self.q: float | None = None

    @property
    def value(self) -> float:
        """What a twin gets that says nothing else."""
        return self.fixed if self.fixed is not None else self.prior.centre() if self.prior else math.nan

    def check(self, what: str) -> None:
        """Exactly one of fixed and prior; drift needs a prior."""
        if (self.fixed is None) == (self.prior is None):
            raise Invalid(f"{what}: give either fixed=… or prior=…")
        if self.drift_text is None:
            return
        if self.prior is None:
            raise Invalid(f"{what}: what drifts needs a prior to start from; write prior=Normal(mean, std)")
        if "%" in self.drift_text:
            share = quantity(self.drift_text, "1/sqrt(s)", f"{what} drift")
            self.q = share * abs(self.prior.centre())
        else:
            self.q = quantity(self.drift_text, f"({self.unit})/sqrt(s)", f"{what} drift")


@final
class Input(_Declared):
    """Something measured that drives or explains the twin and is taken as it is. Held until the next reading,
    at most `max_age`; then `default`, or, without one, the sensors that need it are not assimilated.
    along: where in the graph it comes from, if it is an output of other twins and not measured (`plant.py`):
    "isFedBy.outflow" is the outflow of those that this twin's isFedBy leads to, "^feeds.outflow" of those whose feeds
    leads here (`^` as in SPARQL's paths); of several it is the sum.
    """

    kind = "input"

    def __init__(
        self,
        unit: str,
        *,
        max_age: str,
        hold: str = "zoh",
        default: float | None = None,
        along: str | None = None,
        property: str | None = None,
    ) -> None:
        super().__init__(unit, property)
        self.max_age_text, self.hold, self.default, self.along = max_age, hold, default, along
        self.max_age_s = 0.0

    def check(self, what: str) -> None:
        """max_age is a time; hold is zoh; along names a relationship and an output."""
        if self.along is not None and not re.fullmatch(r"\^?\w+\.\w+", self.along):
            raise Invalid(f"{what}: along='{self.along}' is no path; write 'isFedBy.outflow' or '^feeds.outflow'")
        self.max_age_s = quantity(self.max_age_text, "s", f"{what} max_age")
        if self.hold != "zoh":
            raise Invalid(f"{what}: hold='{self.hold}' is not known; write hold='zoh' (keep the last value)")


@final
class Mode(_Declared):
    """Which of some named ways the twin is in, as its messages say: 0, 1, … in the order of the names. Inside a method
    `self.valve.is_("open")` is a condition for `where`. Held like an input.
    """

    kind = "input"

    def __init__(self, *names: str, max_age: str, default: str | None = None, property: str | None = None) -> None:
        super().__init__("1", property)
        self.names, self.max_age_text, self.default_name = names, max_age, default
        self.default: float | None = None
        self.max_age_s = 0.0

    def check(self, what: str) -> None:
        """Two names or more, each once; the default is one of them."""
        if len(self.names) < 2 or len(set(self.names)) < len(self.names):
            raise Invalid(f"{what}: a mode has two names or more, each once; write Mode('off', 'on', max_age='1 h')")
        if self.default_name is not None and self.default_name not in self.names:
            raise Invalid(f"{what}: default='{self.default_name}' is not one of {', '.join(self.names)}")
        self.default = None if self.default_name is None else float(self.names.index(self.default_name))
        self.max_age_s = quantity(self.max_age_text, "s", f"{what} max_age")

    def __get__(self, instance: "Behaviour | None", owner: type) -> Any:
        value = super().__get__(instance, owner)
        return value if instance is None else InMode(self.names, f"{self.owner}.{self.name}", value)


@final
@dataclass(frozen=True, slots=True)
class InMode:
    """A mode's value inside a method."""

    names: tuple[str, ...]
    what: str
    value: Scalar

    def is_(self, name: str) -> Scalar:
        """Whether it is that one. Raises Invalid if there is no such name."""
        if name not in self.names:
            raise Invalid(f"{self.what} has no '{name}'; it is one of {', '.join(self.names)}")
        return self.value == float(self.names.index(name))


@final
class Sensor(_Declared):
    """Something measured and compared with `observe`. sigma: its standard deviation; a reading more than
    `gate` predicted standard deviations away is not assimilated (its NIS is still reported). delay: how old what it
    tells is: a reading stamped t speaks of the states at t - delay.
    """

    kind = "sensor"

    def __init__(
        self,
        unit: str,
        *,
        sigma: str,
        gate: float = math.inf,
        delay: str | None = None,
        property: str | None = None,
    ) -> None:
        super().__init__(unit, property)
        self.sigma_text, self.gate, self.delay_text = sigma, gate, delay
        self.sigma = self.delay_s = 0.0

    def check(self, what: str) -> None:
        """sigma is in the sensor's dimension and positive; delay is a time, and not negative."""
        self.sigma = quantity(self.sigma_text, self.unit, f"{what} sigma")
        if not (self.sigma > 0 and self.gate > 0):
            raise Invalid(f"{what}: sigma and gate must be positive")
        if self.delay_text is not None:
            self.delay_s = quantity(self.delay_text, "s", f"{what} delay")
        if not self.delay_s >= 0:
            raise Invalid(f"{what}: delay='{self.delay_text}' speaks of the future; write a time of zero or more")


@final
@dataclass(frozen=True, slots=True)
class Layout:
    """What a behaviour declares, in order. `tracked` are the drifting parameters; the filter's state vector is
    states then tracked, its parameter vector is `constants`.
    """

    states: tuple[State, ...]
    tracked: tuple[Parameter, ...]
    constants: tuple[Parameter, ...]
    inputs: tuple["Input | Mode", ...]
    sensors: tuple[Sensor, ...]

    @property
    def belief_names(self) -> tuple[str, ...]:
        """Names along the filter's state vector."""
        return tuple(d.name for d in (*self.states, *self.tracked))


def layout_of(owner: str, declared: Sequence[_Declared]) -> Layout:
    """The declarations of `owner`, checked. Raises Invalid, naming line and attribute, for one that is wrong."""
    for d in declared:  # here, not in __set_name__: Python 3.11 would wrap the error
        what = f"{owner}.{d.name}"
        try:
            unit(d.unit)
            d.check(what)
        except Invalid as error:
            told = str(error) if str(error).startswith(what) else f"{what}: {error}"
            raise Invalid(f"{d.line}: {told}") from error
    parameters = [d for d in declared if isinstance(d, Parameter)]
    layout = Layout(
        states=tuple(d for d in declared if isinstance(d, State)),
        tracked=tuple(d for d in parameters if d.q is not None),
        constants=tuple(d for d in parameters if d.q is None),
        inputs=tuple(d for d in declared if isinstance(d, Input | Mode)),
        sensors=tuple(d for d in declared if isinstance(d, Sensor)),
    )
    if not layout.states or not layout.sensors:
        raise Invalid(f"{owner}: a behaviour has at least one State and one Sensor")
    return layout


class Behaviour:
    """Base of all behaviours: see the module's docstring. Subclasses are final: they are never subclassed."""

    model: ClassVar[str]
    filter: ClassVar[Filter]
    substeps: ClassVar[int]
    end_of_life: ClassVar[EndOfLife | None]
    layout: ClassVar[Layout]
    values_: Mapping[str, Scalar]

    def __init_subclass__(
        cls, *, model: str, filter: Filter = "ukf", substeps: int = 1, end_of_life: str | EndOfLife | None = None
    ) -> None:
        super().__init_subclass__()
        cls.model, cls.filter, cls.substeps = model, filter, substeps
        cls.layout = layout_of(cls.__name__, [d for d in vars(cls).values() if isinstance(d, _Declared)])
        moves = ("derivative" in vars(cls), "step" in vars(cls))
        if sum(moves) != 1 or "observe" not in vars(cls):
            raise Invalid(f"{cls.__name__}: write derivative(self, t) or step(self, t, dt), and observe(self, t)")
        if substeps < 1 or (substeps > 1 and moves[1]):
            raise Invalid(f"{cls.__name__}: substeps is a number of Runge-Kutta steps, at least 1; step has none")
        check_methods(cls)
        if isinstance(end_of_life, str):
            names = [d.name for d in (*cls.layout.states, *cls.layout.tracked, *cls.layout.sensors)]
            end_of_life = EndOfLife.of(end_of_life, cls.__name__, names, "health" in vars(cls))
        cls.end_of_life = end_of_life

    @final
    @classmethod
    def bind(cls, values: Mapping[str, Scalar]) -> Self:
        """This behaviour with its names bound: `observe` and the rest then compute on those values.
        Parameters not given take their declared value.
        """
        bound = cls()
        bound.values_ = {p.name: p.value for p in (*cls.layout.constants, *cls.layout.tracked)} | dict(values)
        return bound

    def derivative(self, t: Scalar) -> Mapping[Scalar, Scalar]:
        """d(state)/dt per second for every state, at time t (s)."""
        raise NotImplementedError

    def step(self, t: Scalar, dt: Scalar) -> Mapping[Scalar, Scalar]:
        """Every state dt seconds after t."""
        raise NotImplementedError

    def observe(self, t: Scalar) -> Mapping[Scalar, Scalar]:
        """What every sensor would read."""
        raise NotImplementedError

    def noise(self, t: Scalar) -> Mapping[Scalar, Scalar]:
        """Standard deviations of sensors whose noise is not the declared constant."""
        return {}

    def unrest(self, t: Scalar) -> Mapping[Scalar, Scalar]:
        """Process noise q of states whose q is not the declared constant; evaluated at the mean."""
        return {}

    def outputs(self, t: Scalar) -> Mapping[str, Scalar]:
        """What other components may take in, by name."""
        return {}

    def conserved(self, t: Scalar) -> Mapping[str, tuple[Scalar, Scalar]]:
        """Name -> (amount, net inflow per second): the rate of the amount must be the inflow, at every state."""
        return {}

    def health(self, t: Scalar) -> Mapping[str, Scalar]:
        """Derived numbers and conditions for people, not for the filter."""
        return {}

    def usable(self, t: Scalar) -> Mapping[Scalar, Scalar]:
        """Condition per sensor under which its reading says something about the states."""
        return {}
