"""The graph as a fold: a function of the log, whatever is in the log and whatever happened to its file."""

import shutil
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectype.errors import Conflict, EctypeError, Invalid, NotFound, Unavailable
from ectype.graph.check import check_write, read_json
from ectype.graph.facts import instant
from ectype.graph.fold import Graph
from ectype.log.fold import catch_up
from ectype.model import JSON
from tests.graph.making import (
    FARM,
    OFFSHORE,
    TURBINE,
    alarm,
    apply_all,
    entry,
    everything,
    farm,
    file_in,
    patch,
    put_edge,
    put_twin,
    put_types,
    raw_entry,
)
from tests.series.making import Steps

Write = tuple[str, str, JSON]
ids = st.sampled_from(["t1", "t2", "farm", "t'3"])
edge_ids = st.sampled_from(["e1", "e2"])
writes: st.SearchStrategy[Write] = st.one_of(
    st.builds(put_twin, ids, st.sampled_from([TURBINE, OFFSHORE, FARM, "dtmi:test:No;1"])),
    st.builds(lambda name, power: put_twin(name, power=power), ids, st.integers(0, 3)),
    st.builds(lambda name, power: patch(name, {"op": "add", "path": "/power", "value": power}), ids, st.integers(0, 3)),
    st.builds(lambda name: patch(name, {"op": "remove", "path": "/power"}), ids),
    st.builds(lambda name: ("twin.delete", f"twin:{name}", {}), ids),
    st.builds(put_edge, ids, edge_ids, st.sampled_from(["neighbours", "contains", "knows"]), ids),
    st.builds(lambda name, edge: ("relationship.delete", f"relationship:{name}/{edge}", None), ids, edge_ids),
    st.builds(alarm, ids, st.just("still"), st.integers(0, 5), st.none() | st.integers(0, 9)),
    st.sampled_from([("measured", "block:x", 7), ("twin.put", "twin:t1", 7)]),
)


class Plain:
    """The same rules over dictionaries: twins and edges."""

    def __init__(self) -> None:
        self.twins: dict[str, tuple[str, dict[str, JSON]]] = {}
        self.edges: dict[tuple[str, str], tuple[str, str]] = {}

    def fits(self, source: str, name: str, target: str) -> bool:
        declared = {TURBINE: {"neighbours"}, OFFSHORE: {"neighbours"}, FARM: {"contains", "knows"}}
        of, to = self.twins[source][0], self.twins[target][0]
        return name in declared[of] and (name == "knows" or to in (TURBINE, OFFSHORE))

    def take(self, kind: str, subject: str, body: JSON) -> None:
        name = subject.partition(":")[2]
        if kind == "twin.put" and isinstance(body, dict):
            self.put(name, str(body["$metadata"]["$model"]), {k: v for k, v in body.items() if k[0] != "$"})  # type: ignore
        elif kind == "twin.patch" and isinstance(body, list) and name in self.twins:
            model, properties = self.twins[name]
            operation = body[0]
            assert isinstance(operation, dict)
            if operation["op"] == "add" and model != FARM:
                self.twins[name] = (model, {**properties, "power": operation["value"]})
            elif operation["op"] == "remove":
                self.twins[name] = (model, {k: v for k, v in properties.items() if k != "power"})
        elif kind == "twin.delete" and not any(name in (s, t) for (s, _), (_, t) in self.edges.items()):
            self.twins.pop(name, None)
        elif kind == "relationship.put" and isinstance(body, dict):
            source, edge, what, target = (
                str(body[f"${k}"]) for k in ("sourceId", "relationshipId", "relationshipName", "targetId")
            )
            if source in self.twins and target in self.twins and source != target and self.fits(source, what, target):
                self.edges[source, edge] = (what, target)
        elif kind == "relationship.delete":
            source, _, edge = name.partition("/")
            self.edges.pop((source, edge), None)

    def put(self, name: str, model: str, properties: dict[str, JSON]) -> None:
        if model == "dtmi:test:No;1" or (model == FARM and "power" in properties):
            return
        before = dict(self.twins)
        self.twins[name] = (model, properties)
        if not all(self.fits(s, what, t) for (s, _), (what, t) in self.edges.items()):
            self.twins = before


@given(st.lists(writes, max_size=40))
def test_it_is_what_dictionaries_with_the_same_rules_say(listed: list[Write]) -> None:
    graph, plain = apply_all(Graph.open(), *put_types()), Plain()
    for write in listed:
        apply_all(graph, write)
        plain.take(*write)
    assert {t.id: (t.model, t.properties) for t in graph.twins()} == plain.twins
    assert {(r.source, r.id): (r.name, r.target) for r in graph.all_relationships()} == plain.edges
    for twin in plain.twins:
        assert {r.id for r in graph.relationships(twin)} == {e for s, e in plain.edges if s == twin}
        assert {(r.source, r.id) for r in graph.incoming(twin)} == {k for k, (_, t) in plain.edges.items() if t == twin}


@given(st.lists(writes, max_size=25))
def test_what_passes_the_check_is_not_rejected_and_what_does_not_changes_nothing(listed: list[Write]) -> None:
    graph = farm()
    for write in listed:
        rejected, before = graph.counts()["rejected"], everything(graph)
        try:
            check_write(graph, *write)
            passed = True
        except EctypeError:
            passed = False
        assert everything(graph) == before
        apply_all(graph, write)
        assert graph.counts()["rejected"] == rejected + (not passed)


@settings(max_examples=50)
@given(st.lists(writes | st.sampled_from(["save", "close", "kill"]), max_size=25))
def test_after_any_restart_it_equals_a_replay_from_zero(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Write | str]
) -> None:
    folder, log = tmp_path_factory.mktemp("graph"), Steps()
    log.entries += [entry(*write) for write in put_types()]
    graph = Graph.open(folder, log)
    for step in steps:
        match step:
            case "save":
                graph.save()
            case str():
                if step == "close":
                    graph.close()
                else:
                    folder = killed(folder)
                graph = Graph.open(folder, log)
            case _:
                log.entries.append(entry(*step, log.size))
        catch_up(graph, log)
    catch_up(graph, log)
    zero = Graph.open()
    catch_up(zero, log)
    assert everything(graph) == everything(zero)
    graph.close()


def killed(folder: Path) -> Path:
    """The files as a process leaves them that is killed now; its locks die with it."""
    copy = folder.with_name(f"{folder.name}-after")
    return Path(shutil.copytree(folder, copy))


def log_of_a_farm(alarms: int = 40) -> Steps:
    log = Steps()
    for write in (
        *put_types(),
        put_twin("farm", FARM, name="La Haute Borne"),
        *(put_twin(f"t{k}", power=k / 3) for k in range(10)),
        *(put_edge("farm", f"c{k}", "contains", f"t{k}") for k in range(10)),
        *(alarm(f"t{k % 10}", f"still {k}", k) for k in range(alarms)),
    ):
        log.entries.append(entry(*write, log.size))
    return log


def test_a_restart_folds_only_what_came_after_the_last_save(tmp_path: Path) -> None:
    log = log_of_a_farm()
    graph = Graph.open(tmp_path, log)
    catch_up(graph, log, upto=20)
    graph.save()
    catch_up(graph, log)
    left = killed(tmp_path)
    again = Graph.open(left, log)
    assert again.size == 20
    catch_up(again, log)
    assert everything(again) == everything(graph)
    again.close()
    assert catch_up(Graph.open(left, log), log) == 0


@settings(max_examples=60)
@given(data=st.data())
def test_a_damaged_file_is_folded_again(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder, log = tmp_path_factory.mktemp("graph"), log_of_a_farm()
    graph = Graph.open(folder, log)
    catch_up(graph, log)
    expected = everything(graph)
    graph.close()
    path = file_in(folder)
    content = bytearray(path.read_bytes())
    kind = data.draw(st.sampled_from(["flip", "cut", "gone", "other", "no checksum, no head"]))
    at = data.draw(st.integers(0, len(content) - 1))
    if kind == "flip":
        content[at] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(content)
    elif kind == "cut":
        path.write_bytes(content[:at])
    elif kind == "gone":
        path.unlink()
    elif kind == "other":
        path.write_bytes(b"this is no database" * 400)
    else:
        path.with_name("graph.sqlite.sum").unlink()
        path.write_bytes(b"x" * 100 + content[100:])
    again = Graph.open(folder, log)
    assert again.size == 0
    catch_up(again, log)
    assert everything(again) == expected
    again.close()


def test_a_file_of_another_log_a_longer_one_or_another_version_is_thrown_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = log_of_a_farm()

    def fill() -> None:
        graph = Graph.open(tmp_path, log)
        catch_up(graph, log)
        graph.close()

    fill()
    shorter = Steps()
    shorter.entries = log.entries[:-1]
    assert Graph.open(tmp_path, shorter).size == 0
    fill()
    other = Steps()
    other.entries = [*log.entries[1:], log.entries[0]]
    assert Graph.open(tmp_path, other).size == 0
    fill()
    monkeypatch.setattr("ectype.graph.tables.VERSION", 99)
    assert Graph.open(tmp_path, log).size == 0


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="cannot be opened"):
        Graph.open(tmp_path / "file" / "graph", Steps())


NONSENSE = [
    raw_entry("twin.put", "twin:a", None),
    raw_entry("twin.put", "twin:a", b"\xff"),
    raw_entry("twin.put", "twin:a", b"[" * 5000),
    raw_entry("twin.put", "nothing", b"{}"),
    raw_entry("relationship.put", "relationship:", b"{}"),
    raw_entry("relationship.delete", "relationship:a/b", b""),
    raw_entry("alarm.raised", "alarm:x", b'{"twin":"x","name":""}'),
    raw_entry("model.put", "model:x", b'{"@id":"x"}'),
    raw_entry("twin.patch", "twin:\U0001f600", b"[]"),
]


def test_nonsense_in_the_log_is_kept_with_its_reason_and_changes_nothing_else() -> None:
    graph = Graph.open()
    for each in NONSENSE:
        graph.apply(graph.size, each)
    found = graph.rejected()
    assert [each.index for each in found] == list(reversed(range(len(NONSENSE))))
    assert all(each.reason for each in found)
    assert found[-1].reason == "its body is erased"
    assert graph.counts() == {"models": 0, "twins": 0, "relationships": 0, "alarms": 0, "rejected": len(NONSENSE)}


def test_entries_are_taken_in_order_alone() -> None:
    with pytest.raises(Invalid, match="cannot take number 3"):
        Graph.open().apply(3, NONSENSE[0])


NAMES = ["Robert'); DROP TABLE twins;--", 'a"b', "%", "x' OR '1'='1", "$.*", "\ud800", "\0"]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_never_sql(name: str) -> None:
    graph = farm()
    before = everything(graph)
    assert graph.find_twin(name) is None
    assert graph.find_relationship(name, name) is None
    assert graph.relationships(name) == graph.incoming(name) == []
    if name.isprintable():
        apply_all(graph, put_twin(name), alarm("t1", name, 5))
        assert graph.alarms()[0].name == name
    assert graph.twins(name) == []
    assert [twin.id for twin in graph.twins() if twin.id in ("farm", "t1", "t2")] == ["farm", "t1", "t2"]
    assert before != ()


def test_values_come_back_as_they_were() -> None:
    text = "'; DROP TABLE twins; -- \0 \u2028 é𝄞"
    graph = apply_all(farm(), put_twin("t1", name=text, power=1e-300, limit=-(2**31), gear={"wear": 2}))
    assert graph.twin("t1").properties == {"name": text, "power": 1e-300, "limit": -(2**31), "gear": {"wear": 2}}


def test_a_twin_says_what_it_is_and_its_last_entry() -> None:
    graph = farm()
    size = graph.size
    apply_all(graph, patch("t1", {"op": "replace", "path": "/power", "value": 9}))
    twin = graph.twin("t1")
    assert twin.last_index == size
    assert twin.to_dict() == {
        "$dtId": "t1",
        "$etag": f'W/"{size}"',
        "$metadata": {
            "$model": TURBINE,
            "$lastUpdateTime": instant(1000 + size),
            "power": {"lastUpdateTime": instant(1000 + size)},
            "name": {"lastUpdateTime": instant(1005)},
        },
        "power": 9,
        "name": "one",
    }
    assert graph.find_twin("t9") is None
    with pytest.raises(NotFound, match="no twin 't9'"):
        graph.twin("t9")


def test_twins_of_a_model_are_those_of_its_heirs_too() -> None:
    graph = farm()
    assert [twin.id for twin in graph.twins(TURBINE)] == ["t1", "t2"]
    assert [twin.id for twin in graph.twins(OFFSHORE)] == ["t2"]
    assert graph.twins("dtmi:test:No;1") == []


def test_relationships_are_seen_from_both_ends() -> None:
    graph = farm()
    assert [edge.id for edge in graph.relationships("farm")] == ["c1", "c2"]
    assert [(edge.source, edge.id) for edge in graph.incoming("t2")] == [("farm", "c2"), ("t1", "n")]
    neighbour = graph.find_relationship("t1", "n")
    assert neighbour is not None
    assert neighbour.to_dict() == {
        "$relationshipId": "n",
        "$etag": f'W/"{neighbour.last_index}"',
        "$sourceId": "t1",
        "$relationshipName": "neighbours",
        "$targetId": "t2",
        "metres": 300,
    }


def test_an_alarm_is_raised_changes_and_is_over_and_may_come_again() -> None:
    graph = farm()
    first = graph.size
    apply_all(graph, alarm("t1", "still", 100), alarm("t1", "still", 100, severity="critical", cost_kwh=2))
    assert [(a.id, a.severity, a.cost_kwh) for a in graph.alarms(active_only=True)] == [(str(first), "critical", 2.0)]
    apply_all(graph, alarm("t1", "still", 100, 200, cost_kwh=5.5))
    assert graph.alarms(active_only=True) == []
    apply_all(graph, alarm("t1", "still", 300), alarm("t2", "still", 250, 260))
    assert [(a.twin, a.since_ns, a.until_ns) for a in graph.alarms()] == [
        ("t1", 300, None),
        ("t2", 250, 260),
        ("t1", 100, 200),
    ]
    assert len(graph.alarms(limit=2)) == 2


def test_the_alarms_of_a_twin_that_is_gone_are_over() -> None:
    graph = apply_all(farm(), put_twin("t3"), alarm("t3", "still", 5), ("twin.delete", "twin:t3", {}))
    assert graph.alarms(active_only=True) == []
    assert [alarm.twin for alarm in graph.alarms()] == ["t3"]


def test_models_are_one_object_until_one_is_added() -> None:
    graph = farm()
    assert graph.models() is graph.models()
    assert len(graph.models()) == 4
    with pytest.raises(Conflict):
        check_write(graph, *put_types()[1])


def test_models_are_read_again_after_a_restart(tmp_path: Path) -> None:
    log = log_of_a_farm()
    graph = Graph.open(tmp_path, log)
    catch_up(graph, log)
    graph.close()
    assert Graph.open(tmp_path, log).models() == graph.models()


def test_bodies_are_read_as_json() -> None:
    assert read_json(b'{"a":[1,2.5,null,true,"x"]}') == {"a": [1, 2.5, None, True, "x"]}


def test_a_graph_that_cannot_be_written_goes_back_to_what_its_file_says(tmp_path: Path) -> None:
    log = log_of_a_farm()
    graph = Graph.open(tmp_path, log)
    catch_up(graph, log, upto=10)
    graph.save()
    catch_up(graph, log, upto=15)
    other = sqlite3.connect(file_in(tmp_path))
    graph._db.execute("PRAGMA query_only = 1")  # stands in for a disk that is full  # pyright: ignore
    with pytest.raises(Unavailable, match="could not take entry 10"):
        catch_up(graph, log)
    assert graph.size == 10
    graph._db.execute("PRAGMA query_only = 0")  # pyright: ignore
    other.close()
    catch_up(graph, log)
    zero = Graph.open()
    catch_up(zero, log)
    assert everything(graph) == everything(zero)
    graph.close()
