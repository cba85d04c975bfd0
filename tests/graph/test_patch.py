"""JSON Patch: what RFC 6902 says, as far as twins use it."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.errors import Invalid
from ectype.graph.patch import apply_patch
from ectype.model import JSON

# Of RFC 6902, appendix A, those about add, remove and replace: (document, operation, result).
PUBLISHED: list[tuple[dict[str, JSON], JSON, dict[str, JSON]]] = [
    ({"foo": "bar"}, {"op": "add", "path": "/baz", "value": "qux"}, {"baz": "qux", "foo": "bar"}),
    ({"foo": ["bar", "baz"]}, {"op": "add", "path": "/foo/1", "value": "qux"}, {"foo": ["bar", "qux", "baz"]}),
    ({"baz": "qux", "foo": "bar"}, {"op": "remove", "path": "/baz"}, {"foo": "bar"}),
    ({"foo": ["bar", "qux", "baz"]}, {"op": "remove", "path": "/foo/1"}, {"foo": ["bar", "baz"]}),
    ({"baz": "qux", "foo": "bar"}, {"op": "replace", "path": "/baz", "value": "boo"}, {"baz": "boo", "foo": "bar"}),
    ({"foo": "bar"}, {"op": "add", "path": "/child", "value": {"g": {}}}, {"foo": "bar", "child": {"g": {}}}),
    ({"foo": "bar"}, {"op": "add", "path": "/baz", "value": "qux", "xyz": 123}, {"foo": "bar", "baz": "qux"}),
    ({"foo": ["bar"]}, {"op": "add", "path": "/foo/-", "value": ["abc", "def"]}, {"foo": ["bar", ["abc", "def"]]}),
    ({"/": 9, "~1": 10}, {"op": "replace", "path": "/~01", "value": 11}, {"/": 9, "~1": 11}),
]


@pytest.mark.parametrize(("document", "operation", "result"), PUBLISHED)
def test_the_examples_of_the_rfc(document: dict[str, JSON], operation: JSON, result: JSON) -> None:
    before = copy.deepcopy(document)
    assert apply_patch(document, [operation]) == result
    assert document == before


@pytest.mark.parametrize(
    ("patch", "text"),
    [
        ({"op": "add"}, "a patch is a list of operations"),
        ([7], "operation 1 of the patch: must be an object"),
        ([{"op": "move", "path": "/a", "from": "/b"}], "'move' is not possible here"),
        ([{"op": "add", "path": "/a"}], 'needs a "value"'),
        ([{"op": "add", "path": "a", "value": 1}], 'needs a "path" like "/speed"'),
        ([{"op": "add", "path": "", "value": {}}], 'needs a "path"'),
        ([{"op": "replace", "path": "/x", "value": 1}], "there is nothing at '/x' to replace"),
        ([{"op": "remove", "path": "/x"}], "there is nothing at '/x' to remove"),
        ([{"op": "add", "path": "/x/y", "value": 1}], "there is nothing at '/x/y' to go through"),
        ([{"op": "add", "path": "/a/y", "value": 1}], "leads into a value that has no parts"),
        ([{"op": "replace", "path": "/l/2", "value": 1}], "'2' is no index into a list of 2"),
        ([{"op": "add", "path": "/l/3", "value": 1}], "'3' is no index"),
        ([{"op": "add", "path": "/l/01", "value": 1}], "'01' is no index"),
        ([{"op": "remove", "path": "/l/-"}], "'-' is no index"),
        ([{"op": "add", "path": "/~2", "value": 1}], "write ~ as ~0 and / as ~1"),
        ([{"op": "add", "path": "/a", "value": 1}, {"op": "remove", "path": "/x"}], "operation 2 of the patch"),
        ([{"op": "add", "path": "/x" * 101, "value": 1}], "more than 100 levels deep"),
        ([{"op": "remove", "path": "/a"}] * 10_001, "split it"),
    ],
)
def test_what_cannot_be_done_is_told(patch: JSON, text: str) -> None:
    with pytest.raises(Invalid, match=text):
        apply_patch({"a": 1, "l": [1, 2]}, patch)


names = st.text("ab/~é", max_size=3)
documents = st.dictionaries(names, st.integers() | st.dictionaries(names, st.integers(), max_size=3), max_size=4)


@given(documents, names, st.integers())
def test_add_then_remove_is_nothing(document: dict[str, JSON], name: str, value: int) -> None:
    path = "/" + name.replace("~", "~0").replace("/", "~1")
    added = apply_patch(document, [{"op": "add", "path": path, "value": value}])
    assert added == {**document, name: value}
    removed = apply_patch(added, [{"op": "remove", "path": path}])
    assert removed == {key: part for key, part in document.items() if key != name}
