"""Pages of relationships: put together they are the whole list, whatever the size of a page."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ectype.graph.fold import Graph
from tests.graph.making import FARM, apply_all, put_edge, put_twin, put_types

NAMES = ["a", "a-b", "a~", "aa", "b", "B", "-"]


@settings(max_examples=60, deadline=None)
@given(
    st.sets(st.tuples(st.sampled_from(NAMES), st.sampled_from(["x", "x-1", "X", "y"]), st.just("knows"))),
    st.integers(1, 5),
)
def test_pages_are_the_list_cut(edges: set[tuple[str, str, str]], size: int) -> None:
    graph = story(edges)
    for twin in ("hub", *NAMES):
        for name in (None, "knows", "other"):
            whole = [each for each in graph.relationships(twin) if name in (None, each.name)]
            got, after = [], ""
            while page := graph.relationships_after(twin, name, after, size):
                got += page
                after = page[-1].id
            assert got == whole
    got, source, edge = [], "", ""
    while page := graph.incoming_after("hub", source, edge, size):
        got += page
        source, edge = page[-1].source, page[-1].id
    assert got == graph.incoming("hub")
    assert len(got) == len({(source, edge) for source, edge, _ in edges})


def story(edges: set[tuple[str, str, str]]) -> Graph:
    """Farms, and those edges from them to one of them."""
    twins = [put_twin(name, FARM) for name in ("hub", *NAMES)]
    return apply_all(
        Graph.open(),
        *put_types(),
        *twins,
        *(put_edge(source, edge, name, "hub") for source, edge, name in sorted(edges)),
    )
