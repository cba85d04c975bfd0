"""Whatever somebody sends: an answer or an error that says what is wrong; never SQL, never a crash."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectype.errors import EctypeError
from ectype.graph.fold import Graph
from ectype.query import Unparsable, run
from ectype.query.grammar import LONGEST
from tests.graph.making import apply_all, farm, put_twin

NASTY = [
    "Robert'); DROP TABLE twins;--",
    "x' OR '1'='1",
    '" OR 1=1 --',
    "\\",
    "\\'",
    "%_",
    "\x00",
    "é𝄞\u2028",
    "$.a",
    "?1",
    ":p0",
    "'" * 7,
]
WORDS = [
    *(
        "SELECT",
        "*",
        "FROM",
        "DIGITALTWINS",
        "RELATIONSHIPS",
        "T",
        "T.power",
        "WHERE",
        "AND",
        "OR",
        "NOT",
        "IN",
        "[",
        "]",
    ),
    *(
        "[",
        "]",
        "(",
        ")",
        ",",
        "=",
        "<",
        ">",
        "!=",
        "1",
        "-2.5e9",
        "'a'",
        '"b"',
        "$dtId",
        "JOIN",
        "RELATED",
        "MATCH",
        "->(b)",
    ),
    *("(a)-[*2]", "-[", "]->", "COUNT()", "GROUP", "BY", "ORDER", "AS", "OF", "TOP(3)", "IS_DEFINED(", "[[x]]", "null"),
]


def quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


@pytest.mark.parametrize("text", NASTY)
def test_a_value_is_never_sql(text: str) -> None:
    graph = apply_all(farm(), put_twin("t3", name=text))
    before = graph.counts()
    if "\x00" not in text:
        assert [row["$dtId"] for row in run(graph, f"SELECT * FROM DIGITALTWINS WHERE name = {quoted(text)}").rows] == [
            "t3"
        ]
    for call in ("STARTSWITH", "ENDSWITH", "CONTAINS"):
        run(graph, f"SELECT * FROM DIGITALTWINS WHERE {call}(name, {quoted(text)})")
    run(graph, f"SELECT COUNT() FROM DIGITALTWINS WHERE $dtId IN [{quoted(text)}] OR IS_OF_MODEL({quoted(text)})")
    assert graph.counts() == before


@pytest.mark.parametrize("text", [each for each in NASTY if not {"[", "]"} & set(each)])
def test_a_name_is_never_sql(text: str) -> None:
    graph = farm()
    name = f"[[{text}]]"
    for query in (
        f"SELECT {name} FROM DIGITALTWINS WHERE {name} = 1 OR NOT IS_DEFINED({name}.{name})",
        f"SELECT T.x AS {name} FROM DIGITALTWINS T ORDER BY T.{name}",
        f"SELECT COUNT() FROM DIGITALTWINS T GROUP BY T.{name}",
        f"SELECT a.x FROM DIGITALTWINS a JOIN b RELATED a.{name} WHERE a.$metadata.{name}.lastUpdateTime > 'x'",
        f"SELECT a FROM DIGITALTWINS MATCH (a)-[:{name}]->()",
    ):
        run(graph, query)
    assert graph.counts()["twins"] == 3


@settings(max_examples=300)
@given(st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join) | st.text(max_size=60))
def test_any_text_is_answered_or_refused(text: str) -> None:
    with suppress(EctypeError):
        run(GRAPH, text)


GRAPH = farm()


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM DIGITALTWINS WHERE " + "(" * 9000 + "a = 1" + ")" * 9000,
        "SELECT * FROM DIGITALTWINS WHERE " + "NOT " * 9000 + "a = 1",
        "SELECT * FROM DIGITALTWINS WHERE " + " AND ".join(["a = 1"] * 3000),
        "SELECT * FROM DIGITALTWINS WHERE a IN [" + ",".join(map(str, range(10_000))) + "]",
        "SELECT * FROM DIGITALTWINS WHERE a = '" + "x" * 1_000_000 + "'",
        "SELECT * FROM DIGITALTWINS WHERE T" + ".a" * 20_000 + " = 1",
        "SELECT * FROM DIGITALTWINS WHERE a = '\ud800'",
        "SELECT " + ",".join(f"a{k}" for k in range(5000)) + " FROM DIGITALTWINS",
        "SELECT * FROM DIGITALTWINS MATCH (a)" + "-[]->()" * 200,
        "(" * (LONGEST - 1),
        "\x00",
        "",
        " \n ",
    ],
    ids=range(13),
)
def test_too_much_is_refused_or_answered(text: str) -> None:
    with suppress(EctypeError):
        run(GRAPH, text, deadline_s=2)


def test_ten_thousand_values_and_a_million_characters_are_refused() -> None:
    with pytest.raises(Unparsable, match="at most 1000 values"):
        run(GRAPH, "SELECT * FROM DIGITALTWINS WHERE a IN [" + ",".join(map(str, range(10_000))) + "]")
    with pytest.raises(Unparsable, match="at most 65536 characters"):
        run(GRAPH, f"SELECT * FROM DIGITALTWINS WHERE a = '{'x' * 1_000_000}'")


def test_a_thousand_values_and_two_hundred_conditions_are_answered() -> None:
    graph = Graph.open()
    run(graph, "SELECT * FROM DIGITALTWINS WHERE a IN [" + ",".join(map(str, range(1000))) + "]")
    run(graph, "SELECT * FROM DIGITALTWINS WHERE " + " OR ".join(["a = 1"] * 199))
