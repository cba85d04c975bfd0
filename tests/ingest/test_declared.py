"""Where the values of a type's twins come from, as the type itself says."""

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.ingest.bindings import Bindings, Rule
from ectype.ingest.declared import rules_of
from ectype.ingest.decode import Decoder
from ectype.model.parse import parse
from ectype.sources.base import Message

V3 = "dtmi:dtdl:context;3"


def interface(*comments: str, name: str = "Pump", **more: object):
    contents = [
        {"@type": "Telemetry", "name": f"x{k}", "schema": "double", "comment": comment}
        for k, comment in enumerate(comments)
    ]
    document = {"@id": f"dtmi:test:{name};1", "@type": "Interface", "@context": V3, "contents": contents, **more}
    return parse([document]).interface(f"dtmi:test:{name};1")


def test_properties_of_one_topic_are_one_rule_and_others_their_own():
    told = interface(
        "mqtt: topic=plant/{line}/{m}/state, twin={line}-{m}, pointer=/a/0, time=/ts, time_unit=ms",
        "bar; mqtt: topic=plant/{line}/{m}/state, twin={line}-{m}, pointer=/b, time=/ts, time_unit=ms; quality: low=0",
        "mqtt: topic=level/{twin}",
        "",
    )
    assert rules_of(told) == [
        Rule("plant/{line}/{m}/state", "{line}-{m}", {"x0": "/a/0", "x1": "/b"}, "/ts", "ms"),
        Rule("level/{twin}", "{twin}", {"x2": ""}),
    ]


@pytest.mark.parametrize(
    ("comment", "hint"),
    [
        ("mqtt: plant/{twin}", "topic=plant/{twin}/state"),
        ("mqtt: topic=plant/{twin}, points=/a", "there is no 'points'"),
        ("mqtt: pointer=/a", "it says no topic"),
        ("mqtt: topic=plant/{twin}, pointer=a", "no JSON pointer"),
        ("mqtt: topic=plant/state", "which the topic does not"),
        ("mqtt: topic=plant/{twin}, time_unit=hours", "time_unit"),
        ("mqtt:", "it says no topic"),
    ],
)
def test_what_cannot_be_meant_is_told_and_binds_nothing(comment, hint, caplog):
    with caplog.at_level(logging.WARNING):
        assert rules_of(interface(comment, "mqtt: topic=level/{twin}")) == [Rule("level/{twin}", "{twin}", {"x1": ""})]
    assert hint in caplog.text
    assert "dtmi:test:Pump;1" in caplog.text


def test_two_times_of_one_topic_are_told_and_the_first_counts(caplog):
    told = interface("mqtt: topic=a/{twin}, pointer=/a", "mqtt: topic=a/{twin}, pointer=/b, time=/t")
    assert rules_of(told) == [Rule("a/{twin}", "{twin}", {"x0": "/a"})]
    assert "two times" in caplog.text


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_the_mqtt_extension_of_dtdl_says_it_for_a_whole_interface(version, caplog):
    more = {
        "@type": ["Interface", "Mqtt"],
        "@context": [V3, f"dtmi:dtdl:extension:mqtt;{version}"],
        "payloadFormat": "Json/ecma/404",
        "telemetryTopic": "site/{ex:area}/{senderId}/{modelId}",
    }
    assert rules_of(interface("", "", **more)) == [
        Rule("site/+/{twin}/dtmi:test:Pump;1", "{twin}", {"x0": "/x0", "x1": "/x1"})
    ]
    one_each = rules_of(interface("", "", **{**more, "telemetryTopic": "site/{senderId}/{telemetryName}"}))
    assert [(rule.topic, rule.values) for rule in one_each] == [
        ("site/{twin}/x0", {"x0": "/x0"}),
        ("site/{twin}/x1", {"x1": "/x1"}),
    ]
    assert rules_of(interface("", **{**more, "payloadFormat": "Avro/1.11.0"})) == []
    assert "Avro" in caplog.text
    assert rules_of(interface("", **{**more, "telemetryTopic": "site/telemetry"})) == []
    assert "{senderId}" in caplog.text


def test_what_is_inherited_binds_twins_of_the_heir():
    base = {
        "@id": "dtmi:test:Base;1",
        "@type": "Interface",
        "@context": V3,
        "contents": [{"@type": "Telemetry", "name": "x", "schema": "double", "comment": "mqtt: topic=b/{twin}"}],
    }
    heir = {"@id": "dtmi:test:Heir;1", "@type": "Interface", "@context": V3, "extends": "dtmi:test:Base;1"}
    assert rules_of(parse([base, heir]).interface("dtmi:test:Heir;1")) == [Rule("b/{twin}", "{twin}", {"x": ""})]


def decode(bindings: Bindings, topic: str, payload: object, decoder: Decoder | None = None):
    decoder = decoder or Decoder(lambda twin, name: None, bindings)
    decoded = decoder.decode([[Message(topic, json.dumps(payload).encode(), 7, "c")]])
    return [(name, value) for name, _, value, _ in decoded.block.rows()]


def test_the_file_counts_first_and_a_type_speaks_for_its_own_twins_alone():
    bindings = Bindings([Rule("plant/one/{m}", "{m}", {"x": "/file"})])
    models = {"p1": "dtmi:test:Pump;1", "q1": "dtmi:test:Other;1"}
    bindings.declare(
        [
            ("dtmi:test:Pump;1", Rule("plant/{area}/{twin}", "{twin}", {"x": "/pump"})),
            ("dtmi:test:Other;1", Rule("plant/{area}/{twin}", "{twin}", {"x": "/other"})),
        ],
        models.get,
    )
    payload = {"file": 1, "pump": 2, "other": 3}
    assert decode(bindings, "plant/one/p1", payload) == [("p1.x", 1.0)]
    assert decode(bindings, "plant/two/p1", payload) == [("p1.x", 2.0)]
    assert decode(bindings, "plant/two/q1", payload) == [("q1.x", 3.0)]
    assert decode(bindings, "plant/two/r1", payload) == [("r1.file", 1.0), ("r1.pump", 2.0), ("r1.other", 3.0)]


def test_what_a_topic_means_changes_with_types_and_twins_without_a_restart():
    bindings, models = Bindings([]), {}
    decoder = Decoder(lambda twin, name: None, bindings)
    for _ in range(3):  # by now the decoder knows the shape of what comes
        assert decode(bindings, "plant/p1", {"a": 1, "b": 2}, decoder) == [("p1.a", 1.0), ("p1.b", 2.0)]
    rule = Rule("plant/{twin}", "{twin}", {"x": "/b"})
    bindings.declare([("dtmi:test:Pump;1", rule)], models.get)
    assert decode(bindings, "plant/p1", {"a": 1, "b": 2}, decoder) == [("p1.a", 1.0), ("p1.b", 2.0)]
    models["p1"] = "dtmi:test:Pump;1"
    bindings.forget()
    assert decode(bindings, "plant/p1", {"a": 1, "b": 2}, decoder) == [("p1.x", 2.0)]
    bindings.declare([], models.get)
    assert decode(bindings, "plant/p1", {"a": 1, "b": 2}, decoder) == [("p1.a", 1.0), ("p1.b", 2.0)]


@given(st.text(max_size=60))
def test_no_comment_can_stop_a_node(text):
    for rule in rules_of(interface(f"mqtt: topic=a/{{twin}}, {text}"[:500], f"mqtt:{text}"[:500])):
        rule.pattern()
