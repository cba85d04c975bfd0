import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.sources.mqtt.retained import Retained
from ectype.sources.mqtt.topics import Subscriptions, matches

level = st.sampled_from(["a", "b", "", "$x"])
topics = st.lists(level, min_size=1, max_size=4).map("/".join).filter(bool)
filters = st.builds(
    lambda levels, rest: "/".join(levels + rest),
    st.lists(st.sampled_from(["a", "b", "", "+", "$x"]), max_size=4),
    st.sampled_from([[], ["#"]]),
).filter(bool)


def by_regex(pattern: str, topic: str) -> bool:
    """The independent way: the filter as a regular expression."""
    if topic.startswith("$") and pattern[0] in "+#":
        return False
    regex = "/".join("[^/]*" if level == "+" else re.escape(level) for level in pattern.split("/"))
    if regex == re.escape("#"):
        return True
    regex = regex.removesuffix("/" + re.escape("#")) + "(/.*)?" if pattern.endswith("/#") else regex
    return re.fullmatch(regex, topic, re.DOTALL) is not None


@given(filters, topics)
def test_a_filter_takes_what_its_regular_expression_takes(pattern, topic):
    assert matches(pattern, topic) == by_regex(pattern, topic)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 3), filters, st.integers(0, 1)), max_size=30),
    st.lists(topics, min_size=1, max_size=6),
)
def test_the_tree_finds_what_a_plain_list_of_filters_finds(steps, asked):
    tree: Subscriptions[int] = Subscriptions()
    plain: dict[tuple[int, str], int] = {}
    for adds, who, pattern, qos in steps:
        if adds:
            tree.add(who, pattern, qos)
            plain[who, pattern] = qos
        else:
            tree.remove(who, pattern)
            plain.pop((who, pattern), None)
        for topic in asked:
            best: dict[int, int] = {}
            for (w, p), q in plain.items():
                if by_regex(p, topic):
                    best[w] = max(q, best.get(w, 0))
            field, found = tree.find(topic)
            assert dict(found) == best
            assert field == len(topic.encode()).to_bytes(2, "big") + topic.encode()
    for who in range(4):
        assert tree.count(who) == sum(w == who for w, _ in plain)
        tree.forget(who)
    assert not tree
    assert all(tree.find(topic)[1] == () for topic in asked)


@pytest.mark.parametrize("pattern", ["#", "+/x", "+"])
def test_wildcards_do_not_reach_into_dollar_topics(pattern):
    assert not matches(pattern, "$SYS/x")
    assert not matches(pattern, "$SYS")


def test_the_memory_of_found_topics_is_bounded():
    tree: Subscriptions[int] = Subscriptions()
    tree.add(1, "#", 0)
    for k in range(40_000):
        tree.find(f"t/{k}")
    assert len(tree._found) <= 16_384


@given(st.lists(st.tuples(topics, st.binary(max_size=3), st.integers(0, 1)), max_size=30), filters)
def test_the_last_message_of_each_topic_is_retained_until_an_empty_one(sent, pattern):
    kept = Retained()
    plain: dict[str, tuple[bytes, int]] = {}
    for topic, payload, qos in sent:
        kept.keep(topic, payload, qos)
        plain.pop(topic, None)
        if payload:
            plain[topic] = (payload, qos)
    found = [(k.topic, k.payload, k.qos) for k, _ in kept.find(pattern)]
    assert sorted(found) == sorted((t, *v) for t, v in plain.items() if by_regex(pattern, t))
    assert len(kept) == len(plain)
    assert kept.bytes == sum(len(t) + len(p) for t, (p, _) in plain.items())


def test_what_is_retained_is_bounded_and_says_so():
    kept = Retained(max_topics=2, max_bytes=20)
    kept.keep("a", b"1" * 10, 0)
    kept.keep("b", b"1" * 10, 0)
    assert (len(kept), kept.refused) == (1, 1)
    kept.keep("a", b"1", 0)
    kept.keep("b", b"1", 0)
    kept.keep("c", b"1", 0)
    assert (len(kept), kept.refused) == (2, 2)
