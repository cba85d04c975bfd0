"""Twins followed live: in whatever order and blocks rows come, what is believed is that of rows in order."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectype.errors import Invalid
from ectype.estimate.behaviour import Behaviour, Input, Sensor, State
from ectype.estimate.compose import compose
from ectype.estimate.emit_plain import PlainKernel
from ectype.estimate.events import Carry, pack
from ectype.estimate.following import Following
from ectype.estimate.trace import trace
from ectype.fidelity.recorded import events_of
from ectype.fmi.program import program_of
from ectype.sources.recording import Recording
from ectype.units import from_dtdl
from ectype.values.block import Block

from .behaviours import CascadedTanks, constants_of

S = 10**9


class TwoRates(Behaviour, model="dtmi:demo:TwoRates;1"):
    """A cart read by a quick sensor, a slow one that never shares its instants, and one that is two seconds behind."""

    x = State("m", init=(0, 2), q="0.1 m/sqrt(s)")
    v = State("m/s", init=(1, 1), q="0.2 m/s/sqrt(s)")
    push = Input("m/s^2", max_age="10 s", default=0.0)
    quick = Sensor("m", sigma="0.3 m", property="place")
    slow = Sensor("m/s", sigma="0.2 m/s", gate=8)
    behind = Sensor("m", sigma="0.1 m", delay="2 s")

    def derivative(self, t):
        return {self.x: self.v, self.v: self.push}

    def observe(self, t):
        return {self.quick: self.x, self.slow: self.v, self.behind: self.x}


class AtOnce(Behaviour, model="dtmi:demo:TwoRates;1"):
    """The same without the delay."""

    x = State("m", init=(0, 2), q="0.1 m/sqrt(s)")
    v = State("m/s", init=(1, 1), q="0.2 m/s/sqrt(s)")
    push = Input("m/s^2", max_age="10 s", default=0.0)
    quick = Sensor("m", sigma="0.3 m", property="place")
    slow = Sensor("m/s", sigma="0.2 m/s", gate=8)
    behind = Sensor("m", sigma="0.1 m")

    def derivative(self, t):
        return {self.x: self.v, self.v: self.push}

    def observe(self, t):
        return {self.quick: self.x, self.slow: self.v, self.behind: self.x}


TWINS = ("a", "b", "c")


def rows(seed, seconds=20):
    """What the carts send, in order of the stamps: each sensor on its own clock."""
    r = np.random.default_rng(seed)
    told = []
    for twin in TWINS:
        for name, every, first in (("place", 1.0, 0.0), ("slow", 3.3, 0.7), ("push", 4.0, 0.0), ("behind", 5.0, 1.0)):
            if r.random() < 0.9:
                at = (np.arange(first, seconds, every) * S).astype(int)
                told += [(f"{twin}.{name}", int(t), float(v)) for t, v in zip(at, r.normal(0, 1, len(at)), strict=True)]
    return sorted(told, key=lambda row: row[1])


def follow(told, cuts=(), following=None, **options):
    """(following, estimates: (twin, instant) -> belief as last told, rows refused)."""
    following = following or Following(TwoRates, TWINS, np.zeros((0, 3)), **options)
    last, late = {}, 0
    for a, b in pairwise([0, *cuts, len(told)]):
        step = following.advance(Block.of(told[a:b]))
        late += step.late
        for j, i in enumerate(step.columns.tolist()):
            for k in range(int(step.active[:, j].sum())):
                last[i, int(step.at_ns[k, j])] = step.out[k, :, j].tobytes()
    return following, last, late


def by_hand(told, behaviour=TwoRates, delay_ns=2 * S):
    """The beliefs of each twin from its rows sorted by the time that they speak of: another way, tick by tick."""
    graph = trace(behaviour)
    name_of = {"place": "quick", "slow": "slow", "push": "push", "behind": "behind"}
    out = []
    for twin in TWINS:
        ticks = {}
        for series, at, value in told:
            who, what = series.split(".")
            if who == twin:
                ticks.setdefault(at - (delay_ns if what == "behind" else 0), {})[name_of[what]] = value
        belief, carry = graph.initial(1), Carry.fresh(graph, 1)
        for t in sorted(ticks):
            values = {n: np.array([[ticks[t].get(n, np.nan)]]) for n in name_of.values()}
            events, carry = pack(graph, carry, np.array([t]), values)
            belief, _ = PlainKernel(graph).fold(belief, np.zeros((0, 1)), events.events, events.active)
        out.append(belief[:, 0])
    return np.stack(out, 1)


@given(st.integers(0, 2**32 - 1), st.randoms(use_true_random=False), st.data())
@settings(max_examples=40, deadline=None)
def test_rows_in_any_order_and_any_blocks_give_the_belief_of_rows_in_order_bit_for_bit(seed, luck, data):
    told = rows(seed)
    mixed = told.copy()
    luck.shuffle(mixed)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(told) - 1), max_size=8)))
    straight, said, _ = follow(told)
    other, again, late = follow(mixed, cuts)
    assert late == 0
    assert np.array_equal(straight.belief, by_hand(told))
    assert np.array_equal(other.belief, straight.belief)
    assert again == said, "what was told last of an instant is not what is believed of it"
    assert other.snapshot() == straight.snapshot()


@given(st.integers(0, 2**32 - 1), st.randoms(use_true_random=False), st.integers(1, 6), st.data())
@settings(max_examples=40, deadline=None)
def test_which_rows_are_too_late_does_not_depend_on_the_blocks(seed, luck, depth, data):
    told = rows(seed)
    luck.shuffle(told)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(told) - 1), max_size=12)))
    whole, said, late = follow(told, depth=depth)
    one, same, other = follow(told, cuts, depth=depth)
    single, least, each = follow(told, range(1, len(told)), depth=depth)
    assert late == other == each > 0
    assert np.array_equal(whole.belief, one.belief)
    assert np.array_equal(whole.belief, single.belief)
    assert whole.snapshot() == one.snapshot() == single.snapshot()
    assert same | said == same
    assert least | said == least


@given(st.integers(0, 2**32 - 1), st.randoms(use_true_random=False), st.data())
@settings(max_examples=30, deadline=None)
def test_restored_from_a_snapshot_it_goes_on_as_if_nothing_had_happened(seed, luck, data):
    told = rows(seed)
    depth = data.draw(st.sampled_from([4, 16, 128]))
    for i in range(0, len(told) - 6, 6):
        part = told[i : i + 6]
        luck.shuffle(part)
        told[i : i + 6] = part
    stop = data.draw(st.integers(1, len(told) - 1))
    whole, _, late = follow(told, [stop], depth=depth)
    first, _, early = follow(told[:stop], depth=depth)
    second = Following(TwoRates, TWINS, np.zeros((0, 3)), depth=depth, snapshot=first.snapshot())
    assert np.array_equal(second.belief, first.belief)
    second, _, rest = follow(told[stop:], following=second)
    assert early + rest == late
    assert np.array_equal(second.belief, whole.belief)
    assert second.snapshot() == whole.snapshot()


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_a_delayed_sensor_is_one_without_delay_whose_stamps_are_shifted(seed):
    told = rows(seed)
    shifted = [(s, at - 2 * S if s.endswith("behind") else at, v) for s, at, v in told]
    delayed, _, _ = follow(told)
    at_once, _, _ = follow(shifted, following=Following(AtOnce, TWINS, np.zeros((0, 3))))
    assert np.array_equal(delayed.belief, at_once.belief)
    assert np.array_equal(delayed.belief, by_hand(shifted, AtOnce, 0))


def test_a_row_older_than_the_window_is_counted_and_changes_nothing():
    told = [("a.place", k * S, 1.0) for k in range(10)]
    following, _, _ = follow(told, depth=4)
    before = following.snapshot()
    step = following.advance(Block.of([("a.place", 5 * S + 1, 9.0)]))
    assert (step.late, len(step.columns)) == (1, 0)
    assert following.snapshot() == before


def test_a_late_row_of_one_twin_says_nothing_of_the_others_and_tells_again_what_came_after_it():
    told = [(f"{t}.place", k * S, float(k)) for k in range(10) for t in TWINS]
    following, _, _ = follow(told)
    step = following.advance(Block.of([("b.slow", 6 * S + 1, 1.0)]))
    assert step.columns.tolist() == [1]
    assert step.at_ns[:, 0].tolist() == [6 * S + 1, 7 * S, 8 * S, 9 * S]
    assert step.replayed.tolist() == [3]


def test_of_repeats_the_last_counts_and_the_same_again_is_nothing_new():
    following, _, _ = follow([("a.place", S, 1.0), ("a.place", 2 * S, 2.0)])
    assert len(following.advance(Block.of([("a.place", 2 * S, 2.0)])).columns) == 0
    following.advance(Block.of([("a.place", S, 5.0)]))
    right, _, _ = follow([("a.place", S, 5.0), ("a.place", 2 * S, 2.0)])
    assert np.array_equal(following.belief, right.belief)


def test_the_window_of_a_twin_is_its_last_events_with_the_beliefs_after_each():
    following, said, _ = follow(rows(3), depth=5)
    at, events, after, before = following.window(1)
    assert len(at) == len(events) == len(after) == 5
    size = following.graph.belief_size
    for t, belief in zip(at.tolist(), after, strict=True):
        assert said[1, t][: 8 * size] == belief.tobytes()
    again, _ = PlainKernel(following.graph).fold(before[:, None], np.zeros((0, 1)), events[:, :, None], np.ones((5, 1)))
    assert np.array_equal(again[:, 0], following.belief[:, 1])


class Sums:
    """A companion that adds up what it is told: how many events, and the last innovation of `place`."""

    name, size = "sums", 2

    def initial(self, twins):
        return np.zeros((2, twins))

    def renewed(self, state):
        return state

    def fold(self, state, at_ns, events, out, active):
        states = []
        for k in range(len(active)):
            told = np.stack([state[0] + 1, 0.5 * state[1] + out[k, 5]])
            state = np.where(active[k] > 0, told, state)
            states.append(state)
        return np.array(states).reshape(len(active), 2, -1)


@given(st.integers(0, 2**32 - 1), st.randoms(use_true_random=False), st.data())
@settings(max_examples=20, deadline=None)
def test_what_rides_along_goes_back_with_the_belief(seed, luck, data):
    told = rows(seed)
    mixed = told.copy()
    luck.shuffle(mixed)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(told) - 1), max_size=8)))
    straight, _, _ = follow(told, companions=[Sums()])
    other, _, _ = follow(mixed, cuts, companions=[Sums()])
    kept = Following(TwoRates, TWINS, np.zeros((0, 3)), companions=[Sums()], snapshot=other.snapshot())
    assert np.array_equal(straight.riding("sums"), other.riding("sums"))
    assert np.array_equal(straight.riding("sums"), kept.riding("sums"))
    assert straight.riding("sums")[0].sum() == len({(s[0], t - 2 * S * ("behind" in s)) for s, t, _ in told})


def test_machine_code_takes_over_without_a_trace_in_the_numbers(tmp_path):
    told = rows(5)
    fast = Following(TwoRates, TWINS, np.zeros((0, 3)), cache_dir=tmp_path)
    fast.kernel.wait()
    fast, _, _ = follow(told, range(1, len(told), 7), following=fast)
    assert fast.kernel.fast
    assert np.array_equal(fast.belief, follow(told)[0].belief)


def test_a_snapshot_of_another_fleet_or_of_nothing_is_refused():
    one = Following(TwoRates, TWINS, np.zeros((0, 3)))
    with pytest.raises(Invalid, match="another fleet"):
        Following(TwoRates, TWINS[:2], np.zeros((0, 2)), snapshot=one.snapshot())
    with pytest.raises(Invalid, match="no snapshot"):
        Following(TwoRates, TWINS, np.zeros((0, 3)), snapshot=b"nonsense")


def test_a_tracked_parameter_begins_where_the_twin_says():
    graph = trace(CascadedTanks)
    following = Following(CascadedTanks, ("a", "b"), constants_of(graph, 2), tracked={"k2": np.array([0.07, np.nan])})
    row = graph.layout.belief_names.index("k2")
    assert following.belief[row].tolist() == [0.07, 0.05]


@pytest.mark.parametrize(("delay", "says"), [("-1 s", "future"), ("2 m", "delay"), ("soon", "delay")])
def test_a_delay_that_is_no_time_is_told_with_its_line(delay, says):
    with pytest.raises(Invalid, match=f"test_following.py, line .*{says}"):

        class Wrong(Behaviour, model="dtmi:demo:Wrong;1"):
            x = State("m", init=(0, 2), q="0.1 m/sqrt(s)")
            place = Sensor("m", sigma="0.3 m", delay=delay)

            def derivative(self, t):
                return {self.x: 0.0}

            def observe(self, t):
                return {self.place: self.x}


def test_components_of_a_plant_read_properties_of_their_own_names():
    plant = compose("Both", "dtmi:demo:Both;1", {"left": TwoRates, "right": TwoRates}, {})
    assert [s.property for s in plant.layout.sensors][:3] == ["left_place", "left_slow", "left_behind"]
    assert {s.delay_s for s in plant.layout.sensors} == {0.0, 2.0}


def test_a_recording_is_sorted_by_the_time_that_delayed_readings_speak_of(tmp_path):
    told = [("a", k, float(k), float(k)) for k in range(10)]
    lines = ["who,t,quick,behind", *(f"{w},{t},{q},{b}" for w, t, q, b in told)]
    (tmp_path / "r.csv").write_text("\n".join(lines) + "\n")
    recording = Recording(tmp_path / "r.csv", id_column="who", time_column="t")
    at_ns, events = events_of(trace(TwoRates), recording, "a")
    assert at_ns.tolist() == [k * S for k in range(-2, 10)]
    first = 3
    quick, behind = events[:, first], events[:, first + 2]
    present = events[:, first + 3 :] > 0
    assert quick[present[:, 0]].tolist() == [float(k) for k in range(10)]
    assert at_ns[present[:, 2]].tolist() == [k * S for k in range(-2, 8)]
    assert behind[present[:, 2]].tolist() == [float(k) for k in range(10)]


def test_an_fmu_of_a_delayed_sensor_is_refused_with_its_line():
    with pytest.raises(Invalid, match=r"test_following.py, line .*behind has a delay"):
        program_of(TwoRates)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("centimetre", "cm"),
        ("metrePerSecond", "m/s"),
        ("litrePerSecond", "L/s"),
        ("degreeCelsius", "degC"),
        ("metrePerSecondSquared", None),
        ("furlong", None),
    ],
)
def test_units_of_types_are_read_as_ours(name, text):
    assert from_dtdl(name) == text
