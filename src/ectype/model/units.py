"""The quantities of DTDL and the units each can be told in: v2 by itself, v3 and v4 by QuantitativeTypes."""

from collections.abc import Mapping

_SIZES = ("", "kibi", "mebi", "gibi", "tebi", "exbi", "zebi", "yobi")
_BITS = " ".join(f"{size}{part}" for part in ("bit", "byte") for size in _SIZES)
_RATES = " ".join(f"{each}PerSecond" for each in _BITS.split())
_POWER = "watt microwatt milliwatt kilowatt megawatt gigawatt horsepower kilowattHourPerYear"
_LENGTH = "metre centimetre millimetre micrometre nanometre kilometre foot inch mile nauticalMile astronomicalUnit"
_ANGLE = "radian degreeOfArc minuteOfArc secondOfArc turn"
_FORCE = "newton pound ounce ton"
_DENSITY = "kilogramPerCubicMetre gramPerCubicMetre"

UNITS: Mapping[str, frozenset[str]] = {
    name: frozenset(units.split())
    for name, units in {
        "Acceleration": "metrePerSecondSquared centimetrePerSecondSquared gForce",
        "Angle": _ANGLE,
        "AngularAcceleration": "radianPerSecondSquared",
        "AngularVelocity": "radianPerSecond degreePerSecond revolutionPerSecond revolutionPerMinute",
        "Area": "squareMetre squareCentimetre squareMillimetre squareKilometre hectare squareFoot squareInch acre",
        "Capacitance": "farad millifarad microfarad nanofarad picofarad",
        "Current": "ampere microampere milliampere",
        "DataRate": _RATES,
        "DataSize": _BITS,
        "Density": _DENSITY,
        "Distance": _LENGTH,
        "ElectricCharge": "coulomb",
        "Energy": "joule kilojoule megajoule gigajoule electronvolt megaelectronvolt kilowattHour",
        "Force": _FORCE,
        "Frequency": "hertz kilohertz megahertz gigahertz",
        "Humidity": _DENSITY,
        "Illuminance": "lux footcandle",
        "Inductance": "henry millihenry microhenry",
        "Latitude": _ANGLE,
        "Length": _LENGTH,
        "Longitude": _ANGLE,
        "Luminance": "candelaPerSquareMetre",
        "Luminosity": _POWER,
        "LuminousFlux": "lumen",
        "LuminousIntensity": "candela",
        "MagneticFlux": "weber maxwell",
        "MagneticInduction": "tesla",
        "Mass": "kilogram gram milligram microgram tonne slug",
        "MassFlowRate": "gramPerSecond kilogramPerSecond gramPerHour kilogramPerHour",
        "Power": _POWER,
        "Pressure": "pascal kilopascal bar millibar millimetresOfMercury poundPerSquareInch inchesOfMercury "
        "inchesOfWater",
        "RelativeHumidity": "unity percent",
        "Resistance": "ohm milliohm kiloohm megaohm",
        "SoundPressure": "decibel bel",
        "Temperature": "kelvin degreeCelsius degreeFahrenheit",
        "Thrust": _FORCE,
        "TimeSpan": "second millisecond microsecond nanosecond minute hour day year",
        "Torque": "newtonMetre",
        "Velocity": "metrePerSecond centimetrePerSecond kilometrePerSecond metrePerHour kilometrePerHour milePerHour "
        "milePerSecond knot",
        "Voltage": "volt millivolt microvolt kilovolt megavolt",
        "Volume": "cubicMetre cubicCentimetre litre millilitre cubicFoot cubicInch fluidOunce gallon",
        "VolumeFlowRate": "litrePerSecond millilitrePerSecond litrePerHour millilitrePerHour",
    }.items()
}

_VOLT_AMPERE = ("millivoltAmpere", "voltAmpere", "kilovoltAmpere", "megavoltAmpere", "gigavoltAmpere")
_SHARES = frozenset(
    ["unity", "percent", "partsPerMillion", "partsPerBillion", "partsPerTrillion", "partsPerQuadrillion"]
)
_MORE = {
    "ChargeUnit": "ampereHour milliampereHour",
    "CurrentUnit": "kiloampere",
    "DensityUnit": "microgramPerCubicMetre milligramPerCubicMetre",
    "EnergyUnit": "britishThermalUnit gigawattHour kiloBritishThermalUnit megawattHour milliwattHour terawattHour "
    "wattHour",
    "FrequencyUnit": "millihertz",
    "MagneticInductionUnit": "gauss",
    "MassUnit": "massPound",
    "MassFlowRateUnit": "massPoundPerHour",
    "PowerUnit": "britishThermalUnitPerHour gigajoulePerHour joulePerHour joulePerSecond "
    "kiloBritishThermalUnitPerHour kilojoulePerHour kilojoulePerSecond megajoulePerHour tonOfRefrigeration",
    "PressureUnit": "decapascal hectopascal",
    "VolumeFlowRateUnit": "cubicFootPerMinute cubicMetrePerHour cubicMetrePerMinute cubicMetrePerSecond "
    "gallonPerHour gallonPerMinute litrePerMinute millilitrePerMinute",
}

ALIASES: Mapping[str, str] = {
    "Concentration": "Unitless",
    "Distance": "LengthUnit",
    "ElectricCharge": "ChargeUnit",
    "EnergyRate": "PowerUnit",
    "Humidity": "DensityUnit",
    "Latitude": "AngleUnit",
    "Longitude": "AngleUnit",
    "Luminosity": "PowerUnit",
    "RelativeDensity": "Unitless",
    "RelativeHumidity": "Unitless",
    "Thrust": "ForceUnit",
    "TimeSpan": "TimeUnit",
}
"""The class of units of a quantity whose class is not named after it."""

LATER: Mapping[str, frozenset[str]] = {
    name: units | frozenset(_MORE.get(ALIASES.get(name, f"{name}Unit"), "").split()) for name, units in UNITS.items()
} | {
    "ApparentEnergy": frozenset(f"{each}Hour" for each in _VOLT_AMPERE[1:]),
    "ApparentPower": frozenset(_VOLT_AMPERE),
    "Concentration": _SHARES,
    "EnergyRate": UNITS["Power"] | frozenset(_MORE["PowerUnit"].split()),
    "IonizingRadiationDose": frozenset(["gray", "microgray", "milligray", "sievert", "microsievert", "millisievert"]),
    "Irradiance": frozenset(["wattPerSquareMetre"]),
    "Radioactivity": frozenset(["becquerel", "kilobecquerel", "megabecquerel", "gigabecquerel"]),
    "ReactiveEnergy": frozenset(f"{each}ReactiveHour" for each in _VOLT_AMPERE[1:]),
    "ReactivePower": frozenset(f"{each}Reactive" for each in _VOLT_AMPERE),
    "RelativeDensity": _SHARES,
    "RelativeHumidity": _SHARES,
}
"""The quantities of QuantitativeTypes v1 and v2 and their units."""
