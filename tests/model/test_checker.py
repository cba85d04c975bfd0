"""The compiled checker agrees with the walk over the value; kinds are found by extension and version."""

from hypothesis import given
from hypothesis import strategies as st

from ectype.model import JSON, parse
from ectype.model.checker import interface_faults
from tests.model.making import component, interface, prop

MODELS = parse(
    [
        interface("Part", prop("size")),
        interface(
            "A",
            prop("d"),
            prop("i", "integer"),
            prop("s", "string"),
            prop("b", "boolean"),
            prop("t", "dateTime"),
            component("part", "Part"),
        ),
        interface("B", extends="dtmi:test:A;1"),
        {**interface("A"), "@id": "dtmi:test:A;2"},
        interface("C", extends="dtmi:test:A;2"),
        interface("Other"),
    ]
)

PART: JSON = {"size": 1.5}
values: st.SearchStrategy[JSON] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.just(PART)
)


@given(st.dictionaries(st.sampled_from(["d", "i", "s", "b", "t", "part", "other"]), values))
def test_the_fast_way_finds_what_the_slow_way_finds(given_values: dict[str, JSON]) -> None:
    slow = list(interface_faults(MODELS.interfaces, MODELS.interface("dtmi:test:A;1"), given_values))
    assert MODELS.checker("dtmi:test:A;1").check(given_values) == slow


def test_what_is_a_model_extends_it_or_is_a_higher_version() -> None:
    assert MODELS.conforming("dtmi:test:A;1") == {f"dtmi:test:{name}" for name in ("A;1", "A;2", "B;1", "C;1")}
    assert MODELS.conforming("dtmi:test:A;2") == {"dtmi:test:A;2", "dtmi:test:C;1"}
    assert MODELS.conforming("dtmi:test:A;1", exact=True) == {"dtmi:test:A;1"}
    assert MODELS.conforming("dtmi:test:No;1") == frozenset()
