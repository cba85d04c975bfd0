"""What is remembered of twins is what their rows say, and no more of it than was agreed."""

from hypothesis import given
from hypothesis import strategies as st

from ectype.graph.check import check_write
from ectype.graph.facts import Twin
from ectype.graph.fold import Graph
from ectype.graph.recent import Recent
from ectype.model import JSON
from tests.graph.making import OFFSHORE, PART, TURBINE, TYPES, apply_all, entry, patch, put_twin, put_types

Write = tuple[str, str, JSON]
_ids = st.sampled_from(["t1", "t2", "t3"])
_names = st.sampled_from(["power", "name", "limit", "gear", "$metadata/power"])
_values = st.sampled_from([1, 2.5, "x", {"wear": 0.5}, {"sourceTime": "2024-05-01T12:00:00Z"}])
_writes: st.SearchStrategy[Write] = st.one_of(
    st.builds(lambda twin, model: put_twin(twin, model, power=1.5), _ids, st.sampled_from([TURBINE, OFFSHORE])),
    st.builds(
        lambda twin, value: patch(twin, {"op": "add", "path": "/power", "value": value}), _ids, st.integers(0, 3)
    ),
    st.builds(lambda twin: patch(twin, {"op": "replace", "path": "/$metadata/$model", "value": OFFSHORE}), _ids),
    st.builds(lambda twin, name: patch(twin, {"op": "remove", "path": f"/{name}"}), _ids, _names),
    st.builds(
        lambda twin, name, value: patch(twin, {"op": "add", "path": f"/{name}", "value": value}), _ids, _names, _values
    ),
    st.builds(lambda twin: ("twin.delete", f"twin:{twin}", {}), _ids),
    st.builds(lambda twin: ("graph.put", "import:j", {"twins": [put_twin(twin, power=7)[2]]}), _ids),
    st.sampled_from([("model.delete", f"model:{PART}", {}), ("graph.clear", "delete:all", {}), *put_types()]),
)


@given(st.lists(st.tuples(_writes, st.sets(_ids)), max_size=30))
def test_a_twin_that_was_asked_for_before_is_still_what_its_row_says(steps: list[tuple[Write, set[str]]]) -> None:
    graph = apply_all(Graph.open(), *put_types(), put_twin("t1", power=1), put_twin("t2", power=1))
    for write, asked in steps:
        apply_all(graph, write)
        for twin in asked:
            graph.find_twin(twin)
    rows = {twin.id: twin for twin in graph.twins()}  # of several, the tables alone are asked
    assert {name: graph.find_twin(name) for name in ("t1", "t2", "t3")} == {
        name: rows.get(name) for name in ("t1", "t2", "t3")
    }


def test_the_parts_of_a_twin_follow_its_model_when_that_is_made_anew() -> None:
    graph = apply_all(Graph.open(), *put_types(), put_twin("t1", gear={"wear": 1}))
    assert graph.twin("t1").components == {"gear"}
    body: dict[str, JSON] = {"@id": TURBINE, "@type": "Interface", "@context": "dtmi:dtdl:context;3"}
    contents: JSON = [{"@type": "Component", "name": "pump", "schema": PART}]
    apply_all(graph, ("model.delete", f"model:{OFFSHORE}", {}), ("model.delete", f"model:{TYPES[3]['@id']}", {}))
    apply_all(graph, ("model.delete", f"model:{TURBINE}", {}))
    apply_all(graph, ("model.put", f"model:{TURBINE}", {**body, "contents": contents}))
    assert graph.rejected() == []
    assert graph.twin("t1").components == {"gear", "pump"}


def test_what_somebody_does_to_the_body_of_a_patch_later_is_not_in_the_graph() -> None:
    graph = apply_all(Graph.open(), *put_types(), put_twin("t1", gear={"wear": 1}))
    gear: dict[str, JSON] = {"wear": 2}
    write = patch("t1", {"op": "add", "path": "/gear", "value": gear})
    appended = entry(*write)
    graph.foresee(graph.size, appended, check_write(graph, *write))
    graph.apply(graph.size, appended)
    gear["wear"] = 3
    assert graph.twin("t1").properties["gear"] == {"wear": 2}


def _twin(name: str, index: int = 0) -> Twin:
    return Twin(name, TURBINE, {}, index, 0)


def test_of_too_many_twins_the_last_kept_stay() -> None:
    recent = Recent(most_twins=2)
    for name in ("a", "b", "a", "c"):
        recent.keep(_twin(name), 10)
    assert [recent.find(name) is not None for name in "abc"] == [True, False, True]


def test_large_twins_leave_room_for_fewer() -> None:
    recent = Recent(most_bytes=100)
    recent.keep(_twin("a"), 60)
    recent.keep(_twin("a", 1), 60)
    assert recent.find("a") == _twin("a", 1)
    recent.keep(_twin("b"), 60)
    assert recent.find("a") is None
    recent.keep(_twin("b"), 101)
    assert recent.find("b") is None
    recent.keep(_twin("c"), 100)
    recent.forget("c")
    recent.keep(_twin("d"), 100)
    assert recent.find("d") is not None
