"""Python classes say what DTDL says: what they emit is valid, and reads back as what was written."""

import enum
import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest

from ectype.cli.main import dispatch
from ectype.errors import Invalid
from ectype.model import (
    Array,
    Command,
    Component,
    Enum,
    Field,
    Map,
    Object,
    Primitive,
    Property,
    Relationship,
    Telemetry,
)
from ectype.model.classes import Interface, command, component, documents_of, prop, relationship, telemetry
from ectype.model.parse import parse


class Mode(enum.Enum):
    OFF = 0
    ON = 1


@dataclass
class Place:
    lat: float
    lon: float


class Thing(Interface, id="dtmi:test:py:Thing;1"):
    serial: str


class Gearbox(Interface, id="dtmi:test:py:Gearbox;1"):
    oil: float = prop(quantity="Temperature", unit="degreeCelsius")


class Turbine(Thing, id="dtmi:test:py:Turbine;2", display_name="Wind turbine"):
    """Turns wind into power.

    And this is for programmers.
    """

    power: float = telemetry(quantity="Power", unit="kilowatt", display_name="Power")
    limit: float | None = prop(writable=True)
    count: Annotated[int, "integer"]
    mode: Mode
    place: Place
    codes: list[int]
    tags: dict[str, bool]
    gearbox: Gearbox = component()
    feeds: list[Thing] = relationship(most=2)
    near: Any = relationship()

    @command
    def stop(self, after: timedelta) -> bool:
        """Bring it to rest."""
        raise NotImplementedError


def test_a_class_reads_back_as_the_type_that_it_is() -> None:
    models = parse(documents_of(Turbine))
    turbine = models.interface("dtmi:test:py:Turbine;2")
    assert turbine.extends == ("dtmi:test:py:Thing;1",)
    assert (turbine.display_name, turbine.description) == ({"en": "Wind turbine"}, {"en": "Turns wind into power."})
    assert set(turbine.contents) == {*Turbine.__annotations__, "serial", "stop"}
    power, limit, gearbox = (turbine.contents[name] for name in ("power", "limit", "gearbox"))
    assert isinstance(power, Telemetry)
    assert (power.types, power.unit, power.schema) == (("Power",), "kilowatt", Primitive("double"))
    assert isinstance(limit, Property)
    assert limit.writable
    assert isinstance(gearbox, Component)
    assert gearbox.schema == "dtmi:test:py:Gearbox;1"
    schemas = {name: c.schema for name, c in turbine.contents.items() if isinstance(c, Property)}
    assert schemas["count"] == Primitive("integer")
    assert schemas["mode"] == Enum("integer", {"OFF": 0, "ON": 1})
    assert schemas["place"] == Object((Field("lat", Primitive("double")), Field("lon", Primitive("double"))))
    assert schemas["codes"] == Array(Primitive("long"))
    assert schemas["tags"] == Map("key", Field("value", Primitive("boolean")))
    feeds, near, stop = (turbine.contents[name] for name in ("feeds", "near", "stop"))
    assert isinstance(feeds, Relationship)
    assert (feeds.target, feeds.max_multiplicity) == ("dtmi:test:py:Thing;1", 2)
    assert isinstance(near, Relationship)
    assert near.target is None
    assert isinstance(stop, Command)
    assert (stop.request, stop.response) == (
        Field("after", Primitive("duration")),
        Field("response", Primitive("boolean")),
    )


def test_what_dtdl_cannot_say_is_named_with_the_attribute() -> None:
    class Odd(Interface, id="dtmi:test:py:Odd;1"):
        z: complex

    with pytest.raises(Invalid, match=r"Odd\.z: DTDL has no schema for <class 'complex'>"):
        documents_of(Odd)
    with pytest.raises(Invalid, match="name its type"):
        type("Nameless", (Interface,), {})
    with pytest.raises(Invalid, match="write it like"):

        class Wrong(Interface, id="urn:wrong"):  # pyright: ignore[reportUnusedClass]
            pass

    class Half(Interface, id="dtmi:test:py:Half;1"):
        part: float = component()

    with pytest.raises(Invalid, match=r"Half\.part: annotate it with the Interface"):
        documents_of(Half)


def test_the_command_emits_what_model_check_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["model", "emit", "tests.model.test_classes:Turbine", "--out", str(tmp_path)]) == 0
    assert dispatch(["model", "check", "--strict", str(tmp_path)]) == 0
    assert "3 files are valid DTDL" in capsys.readouterr().out


def test_a_type_is_drawn_with_what_it_inherits_and_contains(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "all.json").write_text(json.dumps(documents_of(Turbine)))
    assert dispatch(["model", "show", "dtmi:test:py:Turbine;2", "--from", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    for line in (
        "dtmi:test:py:Turbine;2 extends dtmi:test:py:Thing;1  # Wind turbine",
        "├─ stop(after: duration) → boolean · Command",
        "│  └─ oil: double [degreeCelsius] Temperature · Property",
        "serial: string · Property  (from dtmi:test:py:Thing;1)",
        "power: double [kilowatt] Power · Telemetry",
        "mode: OFF | ON · Property",
        "feeds → dtmi:test:py:Thing;1 0..2 · Relationship",
        "place: {lat: double, lon: double} · Property",
    ):
        assert line in shown
    assert dispatch(["model", "show", "--from", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("dtmi:test:py") == 4
