"""RFC 8785: the published vectors, and properties against other ways to the answer."""

import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.errors import Invalid
from ectype.values.canonical import canonical, es6_number

# RFC 8785 appendix B: IEEE 754 bits and their text.
NUMBERS = """
0000000000000000 0
8000000000000000 0
0000000000000001 5e-324
8000000000000001 -5e-324
7fefffffffffffff 1.7976931348623157e+308
ffefffffffffffff -1.7976931348623157e+308
4340000000000000 9007199254740992
c340000000000000 -9007199254740992
4430000000000000 295147905179352830000
44b52d02c7e14af5 9.999999999999997e+22
44b52d02c7e14af6 1e+23
44b52d02c7e14af7 1.0000000000000001e+23
444b1ae4d6e2ef4e 999999999999999700000
444b1ae4d6e2ef4f 999999999999999900000
444b1ae4d6e2ef50 1e+21
3eb0c6f7a0b5ed8c 9.999999999999997e-7
3eb0c6f7a0b5ed8d 0.000001
41b3de4355555553 333333333.3333332
41b3de4355555554 333333333.33333325
41b3de4355555555 333333333.3333333
41b3de4355555556 333333333.3333334
41b3de4355555557 333333333.33333343
becbf647612f3696 -0.0000033333333333333333
43143ff3c1cb0959 1424953923781206.2
"""


@pytest.mark.parametrize(("bits", "text"), [line.split() for line in NUMBERS.strip().splitlines()])
def test_numbers_are_written_as_rfc_8785_appendix_b_says(bits: str, text: str) -> None:
    assert es6_number(struct.unpack(">d", bytes.fromhex(bits))[0]) == text


def test_the_worked_example_of_rfc_8785_section_3_2_4_gives_its_published_bytes() -> None:
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": '€$\u000f\nA\'B"\\\\"/',
        "literals": [None, True, False],
    }
    published = """
        7b 22 6c 69 74 65 72 61 6c 73 22 3a 5b 6e 75 6c 6c 2c 74 72 75 65 2c 66 61 6c 73 65 5d 2c 22 6e
        75 6d 62 65 72 73 22 3a 5b 33 33 33 33 33 33 33 33 33 2e 33 33 33 33 33 33 33 2c 31 65 2b 33 30
        2c 34 2e 35 2c 30 2e 30 30 32 2c 31 65 2d 32 37 5d 2c 22 73 74 72 69 6e 67 22 3a 22 e2 82 ac 24
        5c 75 30 30 30 66 5c 6e 41 27 42 5c 22 5c 5c 5c 5c 5c 22 2f 22 7d
    """
    assert canonical(value) == bytes.fromhex(published)


def test_names_are_sorted_by_utf16_as_in_rfc_8785_section_3_2_3() -> None:
    value = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    order = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    assert list(json.loads(canonical(value))) == order


def test_the_published_structures_and_unicode_vectors_come_out() -> None:
    structures = {
        "1": {"f": {"f": "hi", "F": 5}, "\n": 56.0},
        "10": {},
        "": "empty",
        "a": {},
        "111": [{"e": "yes", "E": "no"}],
        "A": {},
    }
    assert canonical(structures) == (
        b'{"":"empty","1":{"\\n":56,"f":{"F":5,"f":"hi"}},"10":{},"111":[{"E":"no","e":"yes"}],"A":{},"a":{}}'
    )
    assert canonical({"Unnormalized Unicode": "A\u030a"}) == '{"Unnormalized Unicode":"A\u030a"}'.encode()
    french = {"peach": "first", "péché": "second", "pêche": "third", "sin": "fourth"}
    assert canonical(french) == '{"peach":"first","péché":"second","pêche":"third","sin":"fourth"}'.encode()
    assert canonical([56, {"d": True, "10": None, "1": []}]) == b'[56,{"1":[],"10":null,"d":true}]'


@pytest.mark.parametrize("value", [2**53 + 1, -(2**53) - 1, 2**60, 2**64 - 1, 10**17 + 1, 10**30, 10**400])
def test_whole_numbers_beyond_2_to_53_are_refused(value: int) -> None:
    with pytest.raises(Invalid, match="write a string"):
        canonical({"n": value})


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, "\ud800", {"\udfff": 1}, {1: 2}, {1, 2}, b"x", [object()]]
)
def test_what_is_not_json_is_refused(value: object) -> None:
    with pytest.raises(Invalid):
        canonical(value)  # type: ignore[arg-type]


def test_a_large_double_comes_back_from_a_parser_as_a_whole_number_and_is_still_written_the_same() -> None:
    for number in (1e17, 2.0**68, 123456789012345680000.0):
        text = canonical(number)
        assert isinstance(json.loads(text), int)
        assert canonical(json.loads(text)) == text


def test_nesting_without_end_is_refused() -> None:
    value: list[object] = []
    value.append(value)
    with pytest.raises(Invalid, match="deep"):
        canonical(value)  # type: ignore[arg-type]


texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=20,
)


@given(values)
def test_canonical_text_says_the_same_and_is_its_own_canonical_form(value: object) -> None:
    text = canonical(value)  # type: ignore[arg-type]
    assert json.loads(text, parse_int=as_ecmascript) == value
    assert canonical(json.loads(text)) == text


def as_ecmascript(digits: str) -> int | float:
    return int(digits) if abs(int(digits)) <= 2**53 else float(digits)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_reads_back_as_the_same_double_in_ecmascript_shape(number: float) -> None:
    text = es6_number(number)
    assert float(text) == number
    digits = text.lstrip("-").partition("e")[0]
    assert digits == "0" or not digits.startswith("00")
    assert not ("." in digits and digits.endswith("0"))
    if 1e-6 <= abs(number) < 1e21 or number == 0:
        assert "e" not in text
    else:
        assert text.partition("e")[2][0] in "+-"


@given(st.dictionaries(texts, st.none()))
def test_the_order_of_names_is_that_of_their_utf16_units(value: dict[str, None]) -> None:
    names = list(json.loads(canonical(value)))
    units = [struct.unpack(f">{len(n.encode('utf-16-be')) // 2}H", n.encode("utf-16-be")) for n in names]
    assert units == sorted(units)
