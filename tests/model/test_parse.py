"""Reading DTDL: what is right is read whole, what is wrong is named with its place and the way out."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.errors import Invalid, NotFound
from ectype.model import (
    JSON,
    Array,
    Command,
    Component,
    Enum,
    Field,
    InvalidModel,
    Map,
    Models,
    Object,
    Primitive,
    Property,
    Relationship,
    Telemetry,
    check_dtmi,
    faults,
    parse,
)
from tests.model.making import component, interface, prop, relationship, telemetry

DATA = Path(__file__).parents[2] / "../shared/data"
DEMO = Path(__file__).parents[2] / "src/ectype/demo/models"


def only(*contents: JSON, **more: JSON) -> Any:
    return parse([interface("A", *contents, **more)]).interface("dtmi:test:A;1")


def faults_of(*documents: JSON) -> list[str]:
    with pytest.raises(InvalidModel) as caught:
        parse(documents)
    assert caught.value.errors
    return [str(each) for each in caught.value.errors]


def test_every_kind_of_content_is_read() -> None:
    found = only(
        prop("speed", "double", writable=True, displayName="Speed", description={"en": "How fast", "fr": "Vitesse"}),
        {"@type": ["Telemetry", "Temperature"], "name": "heat", "schema": "double", "unit": "degreeCelsius"},
        relationship("feeds", "B", minMultiplicity=0, maxMultiplicity=2, properties=[prop("share")]),
        {"@type": "Command", "name": "stop", "request": {"name": "in", "schema": "duration"}},
        comment="of tests",
        displayName={"de": "Ding"},
        **{"@context": ["dtmi:dtdl:context;3", "dtmi:dtdl:extension:quantitativeTypes;1"]},
    )
    speed, heat, feeds, stop = (found.contents[name] for name in ("speed", "heat", "feeds", "stop"))
    assert isinstance(speed, Property)
    assert (speed.writable, speed.schema, speed.owner) == (True, Primitive("double"), found.id)
    assert (speed.display_name, speed.description["fr"]) == ({"en": "Speed"}, "Vitesse")
    assert isinstance(heat, Telemetry)
    assert (heat.types, heat.unit) == (("Temperature",), "degreeCelsius")
    assert isinstance(feeds, Relationship)
    assert (feeds.target, feeds.max_multiplicity, list(feeds.properties)) == ("dtmi:test:B;1", 2, ["share"])
    assert stop == Command(name="stop", owner=found.id, request=Field("in", Primitive("duration")))
    assert (found.comment, found.display_name, found.language) == ("of tests", {"de": "Ding"}, 3)


def test_schemas_nest_and_have_names() -> None:
    state = {
        "@id": "dtmi:test:State;1",
        "@type": "Enum",
        "valueSchema": "integer",
        "enumValues": [{"name": "on", "enumValue": 1}, {"name": "off", "enumValue": 0}],
    }
    fields: list[JSON] = [{"name": "lat", "schema": "double"}, {"name": "state", "schema": "dtmi:test:State;1"}]
    found = only(
        prop("state", "dtmi:test:State;1"),
        prop("places", {"@type": "Array", "elementSchema": {"@type": "Object", "fields": fields}}),
        prop(
            "tags",
            {
                "@type": "Map",
                "mapKey": {"name": "tag", "schema": "string"},
                "mapValue": {"name": "value", "schema": "boolean"},
            },
        ),
        prop("where", "point"),
        prop("plain", "dtmi:dtdl:instance:Schema:long;3"),
        schemas=[state],
    )
    enum = Enum("integer", {"on": 1, "off": 0})
    schemas = {name: content.schema for name, content in found.contents.items()}
    assert schemas["state"] == enum
    assert schemas["places"] == Array(Object((Field("lat", Primitive("double")), Field("state", enum))))
    assert schemas["tags"] == Map("tag", Field("value", Primitive("boolean")))
    assert (schemas["where"], schemas["plain"]) == (Primitive("point"), Primitive("long"))


def test_an_interface_inherits_over_several_levels() -> None:
    models = parse(
        [
            interface("C", prop("c"), extends="dtmi:test:B;1"),
            interface("A", prop("a")),
            interface("B", prop("b"), extends=["dtmi:test:A;1"]),
        ]
    )
    c = models.interface("dtmi:test:C;1")
    assert set(c.contents) == {"a", "b", "c"}
    assert set(c.own) == {"c"}
    assert c.contents["a"].owner == "dtmi:test:A;1"
    assert c.ancestors == ("dtmi:test:C;1", "dtmi:test:B;1", "dtmi:test:A;1")
    assert models.is_a(c.id, "dtmi:test:A;1")
    assert not models.is_a("dtmi:test:A;1", c.id)
    assert not models.is_a("dtmi:test:X;1", "dtmi:test:X;1")


def test_a_diamond_inherits_once() -> None:
    base = [interface("A", prop("a"))] + [interface(name, extends="dtmi:test:A;1") for name in "BC"]
    models = parse([*base, interface("D", extends=["dtmi:test:B;1", "dtmi:test:C;1"])])
    assert list(models.interface("dtmi:test:D;1").contents) == ["a"]


@given(st.permutations(range(6)))
def test_documents_come_in_any_order_and_leave_in_one_in_which_they_can_be_put(order: list[int]) -> None:
    chain = [interface(f"M{k}", prop(f"p{k}"), extends=f"dtmi:test:M{k - 1};1") for k in range(1, 6)]
    documents: list[JSON] = [interface("M0", prop("p0")), *chain]
    models = parse([documents[k] for k in order])
    again = Models()
    for document in models.to_documents():
        again = parse([document], again)
    assert again == models
    assert again.to_dict().keys() == {f"dtmi:test:M{k};1" for k in range(6)}


def test_a_component_brings_its_interface_inline_or_by_id() -> None:
    part = interface("Part", prop("p"))
    inline: JSON = {"@type": "Component", "name": "left", "schema": {k: v for k, v in part.items() if k != "@context"}}
    models = parse([interface("A", inline, component("right", "Part"))])
    whole = models.interface("dtmi:test:A;1")
    assert isinstance(whole.contents["left"], Component)
    assert models.interface("dtmi:test:Part;1").contents.keys() == {"p"}
    assert parse(models.to_documents()).interfaces.keys() == models.interfaces.keys()


WRONG: list[tuple[list[JSON], str]] = [
    ([{}], 'add "@context": "dtmi:dtdl:context;3"'),
    ([{"@type": "Interface"}], 'add "@context": "dtmi:dtdl:context;3"'),
    ([{"@context": "dtmi:dtdl:context;3", "@type": "Interface"}], "give it an identifier like"),
    ([interface("A", **{"@context": "dtmi:dtdl:context;9"})], "use version 2, 3 or 4 of DTDL"),
    ([{**interface("A"), "@id": "urn:a"}], "write one like dtmi:com:example:Turbine;1"),
    ([interface("A"), interface("A")], "is defined twice"),
    ([interface("A", prop("p", "dubble"))], "did you mean 'double'?"),
    ([interface("A", prop("p", "dtmi:test:S;1"))], "is defined nowhere"),
    ([interface("A", prop("p", None))], "schema 'null': leave it out, or give a value"),
    ([interface("A", prop("p", writeable=True))], "a Property has no such property; did you mean 'writable'?"),
    ([interface("A", prop("p", writable="yes"))], "must be true or false"),
    ([interface("A", prop("1p"))], "name '1p': use letters, digits and _"),
    ([interface("A", {"@type": "Property", "schema": "double"})], "a Property needs name"),
    ([interface("A", prop("p"), telemetry("p"))], "is used twice"),
    ([interface("A", {"@type": "Thing", "name": "p"})], "use Command or Component or Property"),
    ([interface("A", 7)], "contents '7': write an object"),
    ([interface("A", extends="dtmi:test:B;1")], "is defined nowhere"),
    ([interface("A", component("c", "B"))], "is defined nowhere"),
    ([interface("A", extends="dtmi:test:A;1")], "leads in a circle: dtmi:test:A;1 -> dtmi:test:A;1"),
    (
        [interface("A", extends="dtmi:test:B;1"), interface("B", component("c", "A"))],
        "has itself as a part: dtmi:test:A;1 -> dtmi:test:A;1",
    ),
    (
        [interface("A", prop("p")), interface("B", prop("p"), extends="dtmi:test:A;1")],
        "comes from dtmi:test:B;1 and dtmi:test:A;1",
    ),
    (
        [
            interface("A", prop("p")),
            interface("B", prop("p")),
            interface("C", extends=["dtmi:test:A;1", "dtmi:test:B;1"]),
        ],
        "comes from dtmi:test:A;1 and dtmi:test:B;1",
    ),
    ([interface("A", relationship("r", maxMultiplicity=-1))], "must be 1 or more"),
    ([interface("A", prop("p", displayName=7))], "write a text"),
    ([interface("A", description="x" * 600)], "600 characters are more than 512"),
    ([interface("A", prop("p", {"@type": "Array", "elementSchema": "int"}))], "elementSchema 'int': is neither"),
    ([interface("A", prop("p", {"@type": "Enum", "enumValues": []}))], "a Enum needs valueSchema"),
    (
        [
            interface(
                "A",
                prop("p", {"@type": "Enum", "valueSchema": "string", "enumValues": [{"name": "a", "enumValue": 1}]}),
            )
        ],
        "must be of string",
    ),
    (
        [
            {
                **interface("A", prop("p", {"@type": "Array", "elementSchema": "double"})),
                "@context": "dtmi:dtdl:context;2",
            }
        ],
        "v2 has no arrays in properties",
    ),
]


@pytest.mark.parametrize(("documents", "text"), WRONG)
def test_what_is_wrong_is_named_with_the_way_out(documents: list[JSON], text: str) -> None:
    assert any(text in fault for fault in faults_of(*documents)), faults_of(*documents)


def test_all_problems_are_told_at_once() -> None:
    found = faults_of(interface("A", prop("p", "dubble"), prop("q", writable=1)), interface("B", displayName=1))
    assert len(found) >= 3
    assert found[0].startswith("dtmi:test:A;1/p: schema 'dubble': ")


def test_a_schema_nested_without_end_is_refused() -> None:
    schema: JSON = "double"
    for _ in range(200):
        schema = {"@type": "Array", "elementSchema": schema}
    assert "nested too deep" in faults_of(interface("A", prop("p", schema)))[0]


def test_a_long_chain_of_extends_is_refused_not_followed_to_a_crash() -> None:
    chain: list[JSON] = [interface(f"M{k}", extends=f"dtmi:test:M{k + 1};1") for k in range(3000)]
    assert "goes 3000 deep; go at most 10" in faults_of(*chain, interface("M3000"))[0]


def test_an_unread_extension_may_bring_terms_of_its_own() -> None:
    red = {"@type": ["Property", "Coloured"], "name": "p", "schema": "double", "colour": "red"}
    document = interface("A", red)
    document["@context"] = ["dtmi:dtdl:context;3", "dtmi:acme:colours;1"]
    assert "p" in parse([document]).interface("dtmi:test:A;1").contents


def test_a_model_that_is_not_there_is_not_found() -> None:
    with pytest.raises(NotFound, match=r"did you mean 'dtmi:test:A;1'\?"):
        parse([interface("A")]).interface("dtmi:test:B;1")
    with pytest.raises(NotFound, match="there is none yet"):
        Models().interface("dtmi:test:B;1")


def test_a_known_model_cannot_be_given_again() -> None:
    known = parse([interface("A")])
    with pytest.raises(InvalidModel, match="give a changed model a higher version"):
        parse([interface("A", prop("p"))], known)
    assert "dtmi:test:A;1" in parse([interface("B", extends="dtmi:test:A;1")], known)


json_values: st.SearchStrategy[JSON] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = ["@id", "@type", "contents", "extends", "schemas", "displayName", "name", "schema", "target", "fields", "unit"]


@given(st.dictionaries(st.sampled_from(KEYS), json_values), json_values, st.sampled_from(KEYS))
def test_nonsense_is_invalid_and_nothing_else(changes: dict[str, JSON], value: JSON, key: str) -> None:
    content = prop("p")
    assert isinstance(content, dict)
    content[key] = value
    for document in (value, {**interface("A"), **changes}, interface("A", content), interface("A", value)):
        with suppress(Invalid):
            parse([document])


@pytest.mark.parametrize("text", ["dtmi:a;1", "dtmi:a:b_1:C;999999999", "dtmi:a;1.2", "dtmi:a"])
def test_identifiers(text: str) -> None:
    assert check_dtmi(text) == text


@pytest.mark.parametrize(
    "text", ["", "a;1", "dtmi:;1", "dtmi:a_;1", "dtmi:1a;1", "dtmi:a;0", "dtmi:a;01", "dtmi:a b;1"]
)
def test_no_identifiers(text: str) -> None:
    with pytest.raises(Invalid, match="write it like"):
        check_dtmi(text)


def test_the_demo_is_made_of_valid_models() -> None:
    documents = [json.loads(path.read_text()) for path in DEMO.glob("*.json")]
    assert len(parse(documents)) == len(documents) >= 3


def test_realestatecore_is_read_whole() -> None:
    path = DATA / "ontologies/realestatecore-dtdlv2/models.json"
    if not path.exists():
        pytest.skip("the shared data are not beside this repository")
    assert len(parse(json.loads(path.read_text()))) == 1364


def test_published_cases_of_values_agree() -> None:
    path = DATA / "dtdl-cases-open.jsonl"
    if not path.exists():
        pytest.skip("the shared data are not beside this repository")
    judged = 0
    for line in path.read_text().splitlines():
        case = json.loads(line)
        if case.get("core") and case["valid"]:
            judged += agrees_with_instances(case)
    assert judged > 400


def agrees_with_instances(case: dict[str, Any]) -> int:
    judged = 0
    for instance in case.get("instances", []):
        if "conforms" not in instance:
            continue
        try:
            value = json.loads(instance["submit"])
        except ValueError:
            continue
        if instance["submit"] == "-0":  # which of the two zeros it was is not kept by any JSON reader
            continue
        schema = schema_of(instance["subject"], case)
        if schema is not None:
            from_us = not list(faults(schema, value))
            assert from_us == instance["conforms"], (case["name"], instance)
            judged += 1
    return judged


def schema_of(subject: str, case: dict[str, Any]) -> Any:
    if subject.startswith("dtmi:dtdl:instance:Schema:"):
        return Primitive(subject.split(":")[-1].split(";")[0])
    for interface_ in parse(case["input"]):
        if subject in interface_.schemas:
            return interface_.schemas[subject]
    return None


def test_a_resolver_is_asked_for_what_is_missing_and_only_for_that() -> None:
    asked: list[list[str]] = []

    def answer(ids: list[str]) -> list[JSON]:
        asked.append(ids)
        return [interface("C", prop("c"))] if ids == ["dtmi:test:C;1"] else [interface("B", extends="dtmi:test:C;1")]

    known = parse([interface("K")])
    models = parse([interface("A", extends=["dtmi:test:B;1", "dtmi:test:K;1"])], known, resolver=answer)
    assert "c" in models.interface("dtmi:test:A;1").contents
    assert asked == [["dtmi:test:B;1"], ["dtmi:test:C;1"]]
    with pytest.raises(InvalidModel, match="is defined nowhere"):
        parse([interface("A", extends="dtmi:test:B;1")], resolver=lambda ids: [])


def test_values_of_a_schema_within_itself_are_checked_to_the_bottom() -> None:
    node: JSON = {"name": "children", "schema": {"@type": "Array", "elementSchema": "dtmi:test:Tree;1"}}
    tree: JSON = {"@id": "dtmi:test:Tree;1", "@type": "Object", "fields": [{"name": "v", "schema": "short"}, node]}
    document = interface("A", prop("tree", "dtmi:test:Tree;1"), schemas=[tree])
    document["@context"] = "dtmi:dtdl:context;4"
    schema = parse([document]).interface("dtmi:test:A;1").schemas["dtmi:test:Tree;1"]
    assert not list(faults(schema, {"v": 1, "children": [{"v": 2, "children": []}]}))
    (found,) = faults(schema, {"v": 1, "children": [{"v": 2, "children": [{"v": 40_000}]}]})
    assert found.path == "children[0].children[0].v"
