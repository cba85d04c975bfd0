"""What may exist: types written in DTDL, and whether a value, a twin or a reading conforms to its type.

Pure and usable alone: JSON in, frozen dataclasses out. The language is DTDL v2 and v3
(https://azure.github.io/opendigitaltwins-dtdl/).
"""

from ectype.model.conform import Fault, check_value, faults
from ectype.model.dtmi import check_dtmi
from ectype.model.instance import check_properties, check_relationship, check_telemetry
from ectype.model.interface import Command, Component, Content, Interface, Property, Relationship, Telemetry
from ectype.model.models import Models
from ectype.model.parse import InvalidModel, Problem, parse
from ectype.model.schema import JSON, Array, Enum, Field, Map, Object, Primitive, Schema

__all__ = [
    "JSON",
    "Array",
    "Command",
    "Component",
    "Content",
    "Enum",
    "Fault",
    "Field",
    "Interface",
    "InvalidModel",
    "Map",
    "Models",
    "Object",
    "Primitive",
    "Problem",
    "Property",
    "Relationship",
    "Schema",
    "Telemetry",
    "check_dtmi",
    "check_properties",
    "check_relationship",
    "check_telemetry",
    "check_value",
    "faults",
    "parse",
]
