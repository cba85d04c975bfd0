"""What may exist: types written in DTDL, and whether a value, a twin or a reading conforms to its type.

Pure and usable alone: JSON in, frozen dataclasses out. The language is DTDL v2, v3 and v4
(https://azure.github.io/opendigitaltwins-dtdl/).
"""

from ectype.model.conform import Fault, check_value, faults
from ectype.model.dtmi import check_dtmi
from ectype.model.instance import check_properties, check_relationship, check_telemetry
from ectype.model.interface import Command, Component, Content, Interface, Property, Relationship, Telemetry
from ectype.model.language import Finding
from ectype.model.models import Models
from ectype.model.parse import InvalidModel, parse
from ectype.model.schema import JSON, Array, Enum, Field, Map, Object, Primitive, Recursive, Schema

__all__ = [
    "JSON",
    "Array",
    "Command",
    "Component",
    "Content",
    "Enum",
    "Fault",
    "Field",
    "Finding",
    "Interface",
    "InvalidModel",
    "Map",
    "Models",
    "Object",
    "Primitive",
    "Property",
    "Recursive",
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
