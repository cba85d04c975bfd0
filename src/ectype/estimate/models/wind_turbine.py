"""A pitch-regulated wind turbine: rotor-effective wind, how well it performs, and how far it yaws off the wind.

Power below rated follows the cube of the wind, the air's density, the turbine's performance and a cosine law of
the yaw error; at rated it saturates. All four therefore act through one effective wind speed:

    P = curve(v_eff),   v_eff = v * (rho/rho_0 * performance * cos(e)^n(v))^(1/3)
    e = vane - yaw_misalignment - g(v)
    rho = p(h) / (287.05 T),  p(h) the standard atmosphere's pressure at hub height   (humidity is left out)

curve, g (what the nacelle does to the flow at its vane, by wind speed) and n are of the type: calibrated on months
that no demo or test replays (`wind_turbine.json` holds them with their provenance). v is in the units of the nacelle
anemometer of a turbine that runs. Power informs the filter only in normal operation at fine pitch: a stopped,
derated or rated turbine says nothing about its performance.
"""

import json
import math
from functools import lru_cache
from importlib.resources import files
from typing import Any

from ectype.estimate.behaviour import Behaviour, Input, Normal, Parameter, Sensor, State
from ectype.estimate.maths import Scalar, cos, exp, log, maximum, minimum, ramp, smooth_curve, where, wrap_deg

FINE_PITCH_DEG = 1.0
STOPPED_PITCH_DEG = 40.0
STOPPED_KW = 1.0
_TIP_SPEED_RATIO = 7.7
_ROTOR_RADIUS_M = 41.0
_RHO_0 = 1.225
_RAD = math.pi / 180.0


@lru_cache(maxsize=1)
def constants() -> dict[str, Any]:
    """The calibrated constants, as `tools/calibrate_wind_turbine.py` wrote them."""
    return json.loads(files("ectype.estimate.models").joinpath("wind_turbine.json").read_text())


def air_density(temperature_degc: Scalar, height_m: Scalar) -> Scalar:
    """Dry air in the standard atmosphere's pressure at that height above the sea, kg/m3."""
    pressure = 101325.0 * exp(5.25588 * log(1.0 - 2.25577e-5 * height_m))
    return pressure / (287.05 * (temperature_degc + 273.15))


def yaw_factor(v: Scalar, vane_deg: Scalar, misalignment_deg: Scalar) -> Scalar:
    """The share of power left at that vane angle: cos(e)^n(v)."""
    c = constants()
    error = vane_deg - misalignment_deg - ramp(v, c["bins"], c["vane_profile"])
    error = minimum(maximum(error, -40.0), 40.0)
    return exp(ramp(v, c["bins"], c["exponent"]) * log(cos(error * _RAD)))


def effective_wind(v: Scalar, rho: Scalar, performance: Scalar, factor: Scalar) -> Scalar:
    """v_eff of the module's docstring."""
    return v * exp(log(maximum(rho / _RHO_0 * performance * factor, 1e-3)) / 3.0)


def power_curve(v_eff: Scalar) -> Scalar:
    """kW at that effective wind speed, between 0 and rated."""
    curve = constants()["curve"]
    return smooth_curve(v_eff, curve["knots"], curve["slopes"])


def expected_power(
    wind_speed: Scalar, vane: Scalar, rho: Scalar, performance: Scalar, misalignment: Scalar, pitch: Scalar
) -> Scalar:
    """kW this turbine would make in the wind its anemometer shows, given what is believed about it.

    While it is feathered its vane says nothing about how it would yaw, so no yaw loss is charged then.
    """
    factor = where(wrap_deg(pitch) > STOPPED_PITCH_DEG, 1.0, yaw_factor(wind_speed, vane, misalignment))
    return power_curve(effective_wind(wind_speed, rho, performance, factor))


def expected_band(expected: Scalar) -> tuple[Scalar, Scalar]:
    """The 5 % and 95 % quantiles of power around that expectation, for a turbine in normal operation."""
    band = constants()["band"]
    low = expected + ramp(expected, band["expected"], band["p05"])
    return low, expected + ramp(expected, band["expected"], band["p95"])


def rotor_speed(wind: Scalar, power: Scalar, pitch: Scalar) -> Scalar:
    """rpm, modelled (the records have none): constant tip-speed ratio between the MM82's 8.5 and 17.1 rpm while it
    makes power, slow idling below cut-in, 0 when feathered or when it draws power in a calm.
    """
    control = minimum(maximum(_TIP_SPEED_RATIO * wind * 60.0 / (2 * math.pi * _ROTOR_RADIUS_M), 8.5), 17.1)
    idle = minimum(maximum(wind - 1.0, 0.0), 2.0)
    stopped = (power < STOPPED_KW) & (wrap_deg(pitch) > STOPPED_PITCH_DEG)
    return where(stopped, 0.0, where(power < STOPPED_KW, idle, control))


class WindTurbine(Behaviour, model="dtmi:ectype:WindTurbine;1"):
    """See the module's docstring. Sensors in the order in which they are assimilated."""

    rotor_wind_speed = State("m/s", init=(7.0, 4.0), q="0.035 m/s/sqrt(s)", low=0.0, high=45.0)
    performance = Parameter("1", prior=Normal(1.0, 0.05), drift="0.3 %/sqrt(day)", low=0.3, high=1.6)
    yaw_misalignment = Parameter("deg", prior=Normal(0.0, 4.0), drift="0.05 deg/sqrt(day)", low=-20.0, high=20.0)
    height = Parameter("m", fixed=491.0)

    vane = Input("deg", max_age="15 min")
    pitch = Input("deg", max_age="15 min")
    temperature = Input("degC", max_age="6 h", default=10.0)

    wind_speed = Sensor("m/s", sigma="0.4 m/s", gate=5)
    power = Sensor("kW", sigma="25 kW", gate=5)

    def step(self, t: Scalar, dt: Scalar) -> dict[Any, Scalar]:
        """The wind is a random walk over one tick; what it does over hours is the forecast's business."""
        return {self.rotor_wind_speed: self.rotor_wind_speed}

    def observe(self, t: Scalar) -> dict[Any, Scalar]:
        """The anemometer reads v; power follows the curve."""
        v = self.rotor_wind_speed
        rho = air_density(self.temperature, self.height)
        factor = yaw_factor(v, self.vane, self.yaw_misalignment)
        return {
            self.wind_speed: v,
            self.power: power_curve(effective_wind(v, rho, self.performance, factor)),
        }

    def noise(self, t: Scalar) -> dict[Any, Scalar]:
        """Anemometer scatter grows with the wind (turbulence); so does that of power."""
        c = constants()["noise"]
        v = self.rotor_wind_speed
        return {
            self.wind_speed: c["wind_speed"][0] + c["wind_speed"][1] * v,
            self.power: c["power"][0] + c["power"][1] * power_curve(v),
        }

    def unrest(self, t: Scalar) -> dict[Any, Scalar]:
        """Strong wind changes more."""
        base, slope = constants()["noise"]["unrest"]
        return {self.rotor_wind_speed: base + slope * self.rotor_wind_speed}

    def usable(self, t: Scalar) -> dict[Any, Scalar]:
        """Power counts at fine pitch only."""
        return {self.power: wrap_deg(self.pitch) <= FINE_PITCH_DEG}
