"""What an FMU says of itself: modelDescription.xml of FMI 2.0 and 3.0, and buildDescription.xml of 3.0."""

import math
from typing import Literal
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from ectype.errors import Invalid
from ectype.fmi.program import Program, Variable
from ectype.units import unit

Version = Literal[2, 3]
_BASES = ("m", "kg", "s", "A", "K", "mol")
_CAUSALITY = {
    "time": ("independent", "continuous", None),
    "state": ("local", "continuous", "exact"),
    "parameter": ("parameter", "tunable", "exact"),
    "input": ("input", "continuous", None),
    "rate": ("local", "continuous", "calculated"),
    "sensor": ("output", "continuous", "calculated"),
    "output": ("output", "continuous", "calculated"),
}


def model_description(
    program: Program, version: Version, identifier: str, token: str, stop_s: float, step_s: float
) -> str:
    """modelDescription.xml. stop_s, step_s: the default experiment."""
    behaviour = program.behaviour
    first = (behaviour.__doc__ or "").strip().partition("\n")[0]
    root = Element(
        "fmiModelDescription",
        {
            "fmiVersion": f"{version}.0",
            "modelName": behaviour.__name__,
            "guid" if version == 2 else "instantiationToken": token,
            "description": first or behaviour.model,
            "generationTool": "Ectype",
            "variableNamingConvention": "structured",
        },
    )
    if version == 2:
        root.set("numberOfEventIndicators", "0")
    able = "FMUstate" if version == 2 else "FMUState"
    can = {"modelIdentifier": identifier, f"canGetAndSet{able}": "true", f"canSerialize{able}": "true"}
    kinds = [("ModelExchange", can)] if program.rates else []
    kinds.append(("CoSimulation", can | {"canHandleVariableCommunicationStepSize": "true"}))
    for kind, able_to in kinds:
        interface = SubElement(root, kind, able_to)
        if version == 2:
            SubElement(SubElement(interface, "SourceFiles"), "File", {"name": "fmi2.c"})
    _units(root, program)
    SubElement(root, "DefaultExperiment", {"startTime": "0", "stopTime": repr(stop_s), "stepSize": repr(step_s)})
    listed = SubElement(root, "ModelVariables")
    for place, variable in enumerate(program.variables):
        _variable(listed, place, variable, version)
    structure = SubElement(root, "ModelStructure")
    shown, rates = program.places("sensor", "output"), program.places("rate")
    for group, item, places in (
        ("Outputs", "Output", shown),
        ("Derivatives", "ContinuousStateDerivative", rates),
        ("InitialUnknowns", "InitialUnknown", sorted((*rates, *shown))),
    ):
        if places and version == 2:
            inner = SubElement(structure, group)
            for place in places:
                SubElement(inner, "Unknown", {"index": str(place + 1)})
        elif places:
            for place in places:
                SubElement(structure, item, {"valueReference": str(place)})
    return _written(root)


def build_description(identifier: str) -> str:
    """buildDescription.xml of FMI 3.0: which file to compile, for every platform."""
    root = Element("fmiBuildDescription", {"fmiVersion": "3.0"})
    build = SubElement(root, "BuildConfiguration", {"modelIdentifier": identifier})
    SubElement(SubElement(build, "SourceFileSet", {"language": "C99"}), "SourceFile", {"name": "fmi3.c"})
    return _written(root)


def _variable(listed: Element, place: int, variable: Variable, version: Version) -> None:
    causality, variability, initial = _CAUSALITY[variable.role]
    about = {"name": variable.name, "valueReference": str(place), "causality": causality, "variability": variability}
    if initial is not None:
        about["initial"] = initial
    if variable.told:
        about["description"] = variable.told
    numbers: dict[str, str] = {}
    if variable.unit:
        numbers["unit"] = variable.unit
    if variable.role == "rate":
        numbers["derivative"] = str(variable.of + 1 if version == 2 else variable.of)
    for name, bound in (("min", variable.low), ("max", variable.high)):
        if bound is not None and math.isfinite(bound):
            numbers[name] = repr(float(bound))
    if initial == "exact" or causality == "input":
        numbers["start"] = repr(float(variable.start))
    if version == 2:
        SubElement(SubElement(listed, "ScalarVariable", about), "Real", numbers)
    else:
        SubElement(listed, "Float64", about | numbers)


def _units(root: Element, program: Program) -> None:
    """Each unit with what it is in SI; where FMI cannot say that (half powers, money), its name alone."""
    named = SubElement(root, "UnitDefinitions")
    for text in sorted({v.unit for v in program.variables if v.unit}):
        one = SubElement(named, "Unit", {"name": text})
        try:
            known = unit(text)
        except Invalid:  # only what was written by hand in an imported file
            continue
        *si, money = known.dimension
        if money == 0 and all(power == int(power) for power in si):
            base = {name: str(int(power)) for name, power in zip(_BASES, si, strict=True) if power}
            if known.scale != 1.0:
                base["factor"] = repr(known.scale)
            if text == "degC":
                base["offset"] = "273.15"
            SubElement(one, "BaseUnit", base)


def _written(root: Element) -> str:
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"
