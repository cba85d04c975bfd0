"""Asking: rows in the form of Azure Digital Twins, pages, errors that point, and what is refused."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.errors import Invalid
from ectype.graph.columns import Column
from ectype.graph.facts import instant
from ectype.graph.fold import Graph
from ectype.log.fold import catch_up
from ectype.query import TooLong, Unparsable, ask, plan, run
from tests.graph.making import (
    OFFSHORE,
    TURBINE,
    apply_all,
    entry,
    farm,
    file_in,
    patch,
    put_edge,
    put_twin,
    put_types,
)
from tests.series.making import Steps

ALL = "SELECT * FROM DIGITALTWINS"


def ids(graph: Graph, text: str) -> list[object]:
    return [row["$dtId"] for row in run(graph, text).rows]


def test_a_whole_twin_is_what_its_own_page_says() -> None:
    graph = farm()
    assert run(graph, f"{ALL} WHERE $dtId = 't2'").rows == [graph.twin("t2").to_dict()]
    assert run(graph, "SELECT T FROM DIGITALTWINS T WHERE T.$dtId = 't2'").rows == [{"T": graph.twin("t2").to_dict()}]


def test_a_projection_leaves_out_what_a_row_does_not_have() -> None:
    rows = run(farm(), "SELECT T.$dtId, T.power AS p, T.gear.wear FROM DIGITALTWINS T").rows
    assert rows == [{"$dtId": "farm"}, {"$dtId": "t1", "p": 1.5}, {"$dtId": "t2", "wear": 0.25}]


def test_what_is_counted_is_called_COUNT_unless_it_has_a_name() -> None:
    graph = farm()
    assert run(graph, "SELECT COUNT() FROM DIGITALTWINS").rows == [{"COUNT": 3}]
    assert run(graph, "select count() as n from relationships").rows == [{"n": 3}]
    assert run(graph, "SELECT COUNT() FROM DIGITALTWINS WHERE power > 100").rows == [{"COUNT": 0}]


def test_every_write_is_seen_at_once() -> None:
    graph = farm()
    for power in range(50):
        apply_all(graph, patch("t1", {"op": "add", "path": "/power", "value": power}))
        assert ids(graph, f"{ALL} WHERE power = {power}") == ["t1"]


def test_a_relationship_goes_by_the_name_of_its_kind() -> None:
    text = (
        "SELECT b.$dtId FROM DIGITALTWINS a JOIN b RELATED a.neighbours WHERE a.$dtId = 't1' AND neighbours.metres > 1"
    )
    assert ids(farm(), text) == ["t2"]


def test_the_lower_end_of_a_range_of_hops_is_not_counted() -> None:
    graph = farm()
    apply_all(graph, put_twin("t3"), put_edge("t2", "n", "neighbours", "t3"))

    def reached(hops: str) -> list[object]:
        return ids(graph, f"SELECT b.$dtId FROM DIGITALTWINS MATCH (a)-[{hops}]->(b) WHERE a.$dtId = 't1'")

    assert reached("") == reached("*1") == reached("*0..1") == reached("*..1") == ["t2"]
    assert reached("*1..2") == reached("*2") == ["t3"]
    assert reached("*..2") == ["t2", "t3"]


def test_a_relationship_is_walked_once() -> None:
    around = "SELECT b.$dtId FROM DIGITALTWINS MATCH (a)-[*2..3]-(b) WHERE a.$dtId = 't1'"
    assert ids(farm(), around) == ["t1"]
    found = ids(farm(), "SELECT b.$dtId FROM DIGITALTWINS MATCH (a)-[:neighbours*2]-(b) WHERE a.$dtId = 't1'")
    assert found == []


def test_a_model_is_its_heirs_and_higher_versions_too() -> None:
    graph = farm()
    document = {**put_types()[1][2], "@id": "dtmi:test:Turbine;2"}  # type: ignore[dict-item]
    apply_all(graph, ("model.put", "model:dtmi:test:Turbine;2", document), put_twin("new", "dtmi:test:Turbine;2"))
    assert ids(graph, f"{ALL} WHERE IS_OF_MODEL('{TURBINE}')") == ["t1", "t2", "new"]
    assert ids(graph, f"{ALL} WHERE IS_OF_MODEL('{TURBINE}', exact)") == ["t1"]
    assert ids(graph, f"{ALL} WHERE IS_OF_MODEL('dtmi:test:Turbine;2')") == ["new"]
    assert ids(graph, f"{ALL} WHERE is_of_model('dtmi:nobody:knows;1')") == []


def test_twins_of_a_deleted_model_are_still_found() -> None:
    graph = apply_all(farm(), ("model.delete", f"model:{OFFSHORE}", None))
    assert ids(graph, f"{ALL} WHERE depth = 12 AND IS_OF_MODEL('{OFFSHORE}', exact)") == ["t2"]


# ---- pages


@given(st.integers(1, 7), st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["put", "delete"])), max_size=20))
def test_what_is_there_all_the_while_is_neither_missed_nor_repeated(limit: int, writes: list[tuple[int, str]]) -> None:
    graph = apply_all(Graph.open(), *put_types(), *(put_twin(f"t{k}", power=k % 5) for k in range(30)))
    for order in ("", " ORDER BY power DESC"):
        page, seen, steps = run(graph, ALL + order, limit=limit), list[object](), list(writes)
        while True:
            seen += [row["$dtId"] for row in page.rows]
            if page.next is None:
                break
            if steps:
                number, what = steps.pop()
                put = put_twin(f"u{number}", power=number % 7)
                apply_all(graph, put if what == "put" else ("twin.delete", f"twin:u{number}", None))
            page = run(graph, None, after=page.next, limit=limit)
        mine = [each for each in seen if str(each).startswith("t")]
        assert sorted(mine, key=str) == sorted((f"t{k}" for k in range(30)), key=str)


def test_top_holds_over_pages() -> None:
    graph = apply_all(Graph.open(), *put_types(), *(put_twin(f"t{k}") for k in range(9)))
    first = run(graph, "SELECT TOP(5) FROM DIGITALTWINS", limit=3)
    second = run(graph, None, after=first.next, limit=3)
    assert [len(first.rows), len(second.rows), second.next] == [3, 2, None]
    assert run(graph, "SELECT TOP(0) FROM DIGITALTWINS").rows == []


@pytest.mark.parametrize("token", ["", "x", "e30=", "W10=", "é", "W251bGxd", "WzEsInNlbGVjdCIsbnVsbCxbXSxudWxsXQ=="])
def test_a_token_that_is_none_is_refused(token: str) -> None:
    with pytest.raises(Invalid):
        run(farm(), None, after=token)


def test_a_token_belongs_to_its_query() -> None:
    page = run(farm(), ALL, limit=1)
    with pytest.raises(Invalid, match="another query"):
        run(farm(), f"{ALL} WHERE power = 1", after=page.next)


# ---- looking back


def past_log() -> Steps:
    log = Steps()
    for write in (*put_types(), put_twin("t", power=1), patch("t", {"op": "add", "path": "/power", "value": 2})):
        log.entries.append(entry(*write, log.size))
    log.entries.append(entry("twin.delete", "twin:t", None, log.size))
    return log


@pytest.mark.parametrize("kept", [True, False])
def test_a_query_can_ask_about_any_size_of_the_log_and_any_instant(tmp_path: Path, kept: bool) -> None:
    log = past_log()
    graph = Graph.open(tmp_path if kept else None, log)
    catch_up(graph, log)

    def powers(when: str) -> list[object]:
        return [row.get("power") for row in run(graph, f"SELECT T.power FROM DIGITALTWINS T AS OF {when}").rows]

    for size, expected in [(4, []), (6, [2]), (5, [1]), (7, []), (5, [1]), (0, [])]:
        assert powers(str(size)) == expected
        if size:
            assert powers(f"'1970-01-01T00:00:00.{1000 + size - 1:09d}Z'") == expected
    assert run(graph, "SELECT * FROM DIGITALTWINS", at=5).rows[0]["power"] == 1
    assert run(graph, "SELECT * FROM DIGITALTWINS").rows == []
    with pytest.raises(Invalid, match="the log has 7 entries"):
        powers("8")
    graph.close()
    assert not (tmp_path / "past").exists() or not any((tmp_path / "past").iterdir())


def test_pages_of_the_past_stay_in_the_past() -> None:
    log = Steps()
    for write in (*put_types(), *(put_twin(f"t{k}") for k in range(4))):
        log.entries.append(entry(*write, log.size))
    graph = Graph.open(None, log)
    catch_up(graph, log)
    page = run(graph, "SELECT * FROM DIGITALTWINS AS OF '2030-01-01T00:00:00Z'", limit=2)
    log.entries.append(entry(*put_twin("late"), log.size))
    catch_up(graph, log)
    rest = run(graph, None, after=page.next)
    assert [row["$dtId"] for row in page.rows + rest.rows] == ["t0", "t1", "t2", "t3"]


def test_a_graph_without_a_log_has_no_past() -> None:
    with pytest.raises(Invalid, match="no log"):
        run(farm(), f"{ALL} AS OF 3")


# ---- in a file, beside the fold


def test_a_reader_in_another_thread_sees_what_was_applied_and_not_yet_committed(tmp_path: Path) -> None:
    graph = apply_all(Graph.open(tmp_path), *put_types(), put_twin("t", power=3))
    page = asyncio.run(ask(graph, f"{ALL} WHERE power = 3"))
    assert [row["$dtId"] for row in page.rows] == ["t"]
    assert page.size == graph.size
    graph.close()


def test_a_reading_stays_as_it_was(tmp_path: Path) -> None:
    graph = apply_all(Graph.open(tmp_path), *put_types(), put_twin("t", power=3))
    with graph.reading() as reading:
        apply_all(graph, put_twin("u", power=3))
        graph.save()
        assert run(reading, "SELECT COUNT() FROM DIGITALTWINS").rows == [{"COUNT": 1}]
        assert [row["$dtId"] for row in run(reading, ALL).rows] == ["t"]
    assert run(graph, "SELECT COUNT() FROM DIGITALTWINS").rows == [{"COUNT": 2}]
    graph.close()


def test_an_index_is_made_once_kept_over_a_restart_and_goes_with_a_new_model_that_declares_its_property(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "SMALL", 0)
    column = Column("twins", ("power",), "value")
    graph = apply_all(Graph.open(tmp_path), *put_types(), put_twin("t", power=3))
    assert [row["$dtId"] for row in asyncio.run(ask(graph, f"{ALL} WHERE power > 2")).rows] == ["t"]
    assert list(graph.columns.known()) == [column]
    assert not graph.busy
    graph.close()
    graph = Graph.open(tmp_path)
    assert list(graph.columns.known()) == [column]
    document = {**put_types()[1][2], "@id": "dtmi:test:Other;1"}  # type: ignore[dict-item]
    apply_all(graph, ("model.put", "model:dtmi:test:Other;1", document), put_twin("u", "dtmi:test:Other;1", power=4))
    assert list(graph.columns.known()) == []
    assert ids(graph, f"{ALL} WHERE power > 2") == ["t", "u"]
    assert list(graph.columns.known()) == [column]
    assert file_in(tmp_path).exists()
    graph.close()


# ---- what is refused


@pytest.mark.parametrize(
    ("text", "at", "message"),
    [
        ("foo", 0, "expected SELECT"),
        ("SELECT * FROM DIGITALTWIN", 14, "expected DIGITALTWINS or RELATIONSHIPS"),
        ("SELECT * FROM DIGITALTWINS WHERE T.x = ", 38, "the query ends here"),
        ("SELECT * FROM DIGITALTWINS WHERE x = 'a", 37, "quote"),
        ("SELECT * FROM DIGITALTWINS T WHERE IS_ODD(T.x)", 35, "no function IS_ODD"),
        ("SELECT * FROM DIGITALTWINS T WHERE T = 1", 35, "is a collection"),
        ("SELECT a FROM DIGITALTWINS a JOIN b RELATED c.has", 44, "no collection 'c'"),
        ("SELECT x FROM DIGITALTWINS a JOIN b RELATED a.has", 7, "of which collection is 'x'"),
        ("SELECT * FROM DIGITALTWINS a JOIN b RELATED a.has", 0, "instead of *"),
        ("SELECT a FROM DIGITALTWINS MATCH (a)<-[]->(b)", 36, "goes one way"),
        ("SELECT a FROM DIGITALTWINS MATCH (a)-[*11]->(b)", 36, "up to 10"),
        ("SELECT a FROM DIGITALTWINS MATCH (a)-[r:x*2]->(b)", 36, "only where there is one hop"),
        ("SELECT T.x, COUNT() FROM DIGITALTWINS T", 7, "GROUP BY"),
        ("SELECT T.x, T.y.x FROM DIGITALTWINS T", 7, "with AS"),
        ("SELECT * FROM DIGITALTWINS WHERE IS_OF_MODEL(5)", 33, "write IS_OF_MODEL"),
        ("SELECT * FROM DIGITALTWINS AS OF 'noon'", 33, "write an instant"),
        ("SELECT *\nFROM DIGITALTWINS\nWHERE ?", 33, "line 3, character 7"),
    ],
)
def test_an_error_points_at_the_character(text: str, at: int, message: str) -> None:
    with pytest.raises(Unparsable) as caught:
        run(farm(), text)
    assert message in str(caught.value)
    assert caught.value.at == at


def test_a_query_that_would_run_for_ever_is_stopped() -> None:
    twins = [put_twin(f"t{k}") for k in range(12)]
    edges = [put_edge(f"t{a}", f"e{b}", "neighbours", f"t{b}") for a in range(12) for b in range(12) if a != b]
    graph = apply_all(Graph.open(), *put_types(), *twins, *edges)
    with pytest.raises(TooLong, match=r"stopped after 0\.2 s"):
        run(graph, "SELECT COUNT() FROM DIGITALTWINS MATCH (a)-[*..10]-(b)", deadline_s=0.2)
    assert len(run(graph, ALL).rows) == 12


def test_the_times_of_a_twin_can_be_asked_for() -> None:
    graph = farm()
    apply_all(graph, patch("t1", {"op": "add", "path": "/power", "value": 9}))
    now = instant(1000 + graph.size - 1)
    assert ids(graph, f"{ALL} WHERE $metadata.power.lastUpdateTime >= '1970-01-01T00:00:00.000001010Z'") == ["t1"]
    assert run(graph, "SELECT T.$metadata.power.lastUpdateTime AS t FROM DIGITALTWINS T WHERE T.power = 9").rows == [
        {"t": now}
    ]
