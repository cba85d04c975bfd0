"""Tank, pump, two valves and a motor: what moves while all is well, and what a fault adds.

    flow      = flow at first * exp(-(fouling + swirl + shut) / 2)          head = resistance flow^2, head of the pump
    vibration = that at first * exp(worn + rattle + imbalance)              in logarithms, of pump and of motor
    pressure  = that at first + back                                        behind the pump: outlet shut up, inlet down
    current   = that at first * (1 + load + friction) + slope * (voltage - that at first)
    d motor / dt = heating + (rise at first - (motor - water)) / lag        d water / dt = warming

The water's inertia is gone in less than a second, so flow follows resistance at once; resistance counts both valves,
the pipes and the bend of the pump's curve. Three kinds of change are told apart by how they move: `fouling` and `worn`
walk slowly for hours, `swirl`, `rattle`, `load`, `heating` and `warming` come and go within minutes, and `shut`,
`imbalance`, `friction` and `back` are nothing at all while the loop is in order. How fast and how far each moves is a
constant of the twin, so one class is the loop in order and with each fault (`modes.py`).
"""

from typing import Any

from ectype.estimate.behaviour import Behaviour, Input, Parameter, Sensor, State
from ectype.estimate.maths import exp, sqrt


def _slow() -> State:
    return State("1", init=(0.0, 0.05), q="0.001 1/sqrt(s)")


def _brief() -> State:
    return State("1", init=(0.0, 0.02), q="0.001 1/sqrt(s)")


def _fault() -> State:
    return State("1", init=(0.0, 1e-6), q="0.001 1/sqrt(s)", low=-3, high=8)


class Loop(Behaviour, model="dtmi:ectype:examples:SkabLoop;1", filter="ekf"):
    """See the module's docstring."""

    fouling, swirl, shut = _slow(), _brief(), _fault()
    worn_pump, rattle_pump, imbalance_pump = _slow(), _brief(), _fault()
    worn_motor, rattle_motor, imbalance_motor = _slow(), _brief(), _fault()
    load, friction = _brief(), _fault()
    back = State("bar", init=(0.0, 1e-6), q="0.001 bar/sqrt(s)")
    motor = State("K", init=(350.0, 5.0), q="0.02 K/sqrt(s)")
    heating = State("K/s", init=(0.0, 0.01), q="0.002 K/s/sqrt(s)")
    water = State("K", init=(300.0, 5.0), q="0.002 K/sqrt(s)")
    warming = State("K/s", init=(0.0, 0.001), q="0.0001 K/s/sqrt(s)")

    # at first
    flow_0 = Parameter("l/min", fixed=100.0)
    pump_0 = Parameter("1", fixed=0.0)
    motor_0 = Parameter("1", fixed=0.0)
    current_0 = Parameter("A", fixed=1.0)
    slope = Parameter("A/V", fixed=0.0)
    voltage_0 = Parameter("V", fixed=230.0)
    pressure_0 = Parameter("bar", fixed=0.0)
    rise_0 = Parameter("K", fixed=50.0)
    lag = Parameter("s", fixed=1800.0)

    # how far what comes and goes goes, and for how long; how fast the rest walks
    swirl_far = Parameter("1", fixed=0.01)
    swirl_for = Parameter("s", fixed=60.0)
    pump_far = Parameter("1", fixed=0.01)
    pump_for = Parameter("s", fixed=60.0)
    motor_far = Parameter("1", fixed=0.01)
    motor_for = Parameter("s", fixed=60.0)
    load_far = Parameter("1", fixed=0.1)
    load_for = Parameter("s", fixed=20.0)
    heating_far = Parameter("K/s", fixed=0.01)
    heating_for = Parameter("s", fixed=60.0)
    warming_far = Parameter("K/s", fixed=0.001)
    warming_for = Parameter("s", fixed=60.0)
    fouling_walks = Parameter("1/s^0.5", fixed=1e-4)
    pump_walks = Parameter("1/s^0.5", fixed=1e-4)
    motor_walks = Parameter("1/s^0.5", fixed=1e-4)
    shut_walks = Parameter("1/s^0.5", fixed=0.0)
    imbalance_walks = Parameter("1/s^0.5", fixed=0.0)
    friction_walks = Parameter("1/s^0.5", fixed=0.0)
    back_walks = Parameter("bar/s^0.5", fixed=0.0)

    # what the sensors add
    flow_noise = Parameter("l/min", fixed=0.4)
    pump_noise = Parameter("1", fixed=0.01)
    motor_noise = Parameter("1", fixed=0.01)
    current_noise = Parameter("A", fixed=0.3)
    pressure_noise = Parameter("bar", fixed=0.26)
    motor_t_noise = Parameter("K", fixed=0.1)
    water_t_noise = Parameter("K", fixed=0.005)

    voltage = Input("V", max_age="10 s")
    flow = Sensor("l/min", sigma="1 l/min", gate=6)
    pump_vibration = Sensor("1", sigma="1 1", gate=6)
    motor_vibration = Sensor("1", sigma="1 1", gate=6)
    current = Sensor("A", sigma="1 A", gate=6)
    pressure = Sensor("bar", sigma="1 bar", gate=6)
    motor_temperature = Sensor("K", sigma="1 K", gate=6)
    water_temperature = Sensor("K", sigma="1 K", gate=6)

    def step(self, t: Any, dt: Any) -> dict[Any, Any]:
        """What comes and goes dies away, temperatures follow their heat, the rest stays."""
        pull = (self.rise_0 - (self.motor - self.water)) / self.lag
        return {
            self.fouling: self.fouling,
            self.swirl: self.swirl * exp(-dt / self.swirl_for),
            self.shut: self.shut,
            self.worn_pump: self.worn_pump,
            self.rattle_pump: self.rattle_pump * exp(-dt / self.pump_for),
            self.imbalance_pump: self.imbalance_pump,
            self.worn_motor: self.worn_motor,
            self.rattle_motor: self.rattle_motor * exp(-dt / self.motor_for),
            self.imbalance_motor: self.imbalance_motor,
            self.load: self.load * exp(-dt / self.load_for),
            self.friction: self.friction,
            self.back: self.back,
            self.motor: self.motor + dt * (self.heating + pull),
            self.heating: self.heating * exp(-dt / self.heating_for),
            self.water: self.water + dt * self.warming,
            self.warming: self.warming * exp(-dt / self.warming_for),
        }

    def unrest(self, t: Any) -> dict[Any, Any]:
        """So that what comes and goes is, in the long run, as far off as its constant says."""
        return {
            self.fouling: self.fouling_walks,
            self.swirl: self.swirl_far * sqrt(2 / self.swirl_for),
            self.shut: self.shut_walks,
            self.worn_pump: self.pump_walks,
            self.rattle_pump: self.pump_far * sqrt(2 / self.pump_for),
            self.imbalance_pump: self.imbalance_walks,
            self.worn_motor: self.motor_walks,
            self.rattle_motor: self.motor_far * sqrt(2 / self.motor_for),
            self.imbalance_motor: self.imbalance_walks,
            self.load: self.load_far * sqrt(2 / self.load_for),
            self.friction: self.friction_walks,
            self.back: self.back_walks,
            self.heating: self.heating_far * sqrt(2 / self.heating_for),
            self.warming: self.warming_far * sqrt(2 / self.warming_for),
        }

    def observe(self, t: Any) -> dict[Any, Any]:
        """Vibrations are read as logarithms of their RMS in g."""
        return {
            self.flow: self.flow_0 * exp(-(self.fouling + self.swirl + self.shut) / 2),
            self.pump_vibration: self.pump_0 + self.worn_pump + self.rattle_pump + self.imbalance_pump,
            self.motor_vibration: self.motor_0 + self.worn_motor + self.rattle_motor + self.imbalance_motor,
            self.current: self.current_0 * (1 + self.load + self.friction)
            + self.slope * (self.voltage - self.voltage_0),
            self.pressure: self.pressure_0 + self.back,
            self.motor_temperature: self.motor,
            self.water_temperature: self.water,
        }

    def noise(self, t: Any) -> dict[Any, Any]:
        """As this twin's first rows say."""
        return {
            self.flow: self.flow_noise,
            self.pump_vibration: self.pump_noise,
            self.motor_vibration: self.motor_noise,
            self.current: self.current_noise,
            self.pressure: self.pressure_noise,
            self.motor_temperature: self.motor_t_noise,
            self.water_temperature: self.water_t_noise,
        }
