"""A watcher that raises is left out alone: what is estimated and expected is as if it had never been there."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ectype.alarms.settings import AlarmSettings, Rule, Sensitivity
from ectype.estimate.engine import graph_of
from ectype.estimate.plant import Kind as Plants
from ectype.estimate.plant import Part
from ectype.node import estimator_followed, estimator_watchers
from ectype.node.behaviours import in_file
from ectype.node.estimator_alarms import Alarming
from ectype.node.estimator_live import Live
from ectype.node.pipe import Begin, Draft, Kind, TwinRecord
from ectype.values.block import Block
from tests.node.conftest import T0_NS
from tests.node.test_live_behaviour import TANK

S = 10**9
MODEL = "dtmi:demo:Tank;1"


class Counting:
    """Rides along: how many events there were. Raises where it is told to."""

    name, size = "counting", 1

    def __init__(self, raises: str) -> None:
        self.raises = raises

    def initial(self, twins: int) -> np.ndarray:
        if self.raises == "initial":
            raise RuntimeError("no beginning")
        return np.zeros((2 if self.raises == "shape" else 1, twins))

    def renewed(self, state: np.ndarray) -> np.ndarray:
        return state

    def fold(self, state, at_ns, events, out, active) -> np.ndarray:
        if self.raises == "fold":
            raise RuntimeError("out of luck")
        return state + np.cumsum(active, 0)[:, None]


def made(raises: str, *, tells: bool = False) -> Callable[..., object]:
    class Watching:
        name = "watching"

        def __init__(self, *_: object) -> None:
            if raises == "made":
                raise RuntimeError("out of luck")
            self.companions = [Counting(raises)]

        def tell(self, following, step) -> list[Draft]:
            if raises == "tell":
                raise RuntimeError("out of luck")
            count = int(following.riding("counting").sum())
            return [Draft("note", "watching", "text/plain", str(count).encode())] if tells else []

        def save(self) -> bytes:
            if raises == "save":
                raise RuntimeError("out of luck")
            return b"saved"

        def restore(self, saved: bytes) -> None:
            assert saved == b"saved"
            if raises == "restore":
                raise RuntimeError("out of luck")

    return Watching


def rows(first: int, stop: int) -> Block:
    r = np.random.default_rng(3)
    every = [(f"a.{what}", T0_NS + k * S, v + r.normal(0, 0.05)) for k in range(stop) for what, v in SENT]
    return Block.of([row for row in every if row[1] >= T0_NS + first * S])


SENT = (("level", 5.0), ("pumpVoltage", 3.0))


def begun(path: Path, snapshots: dict[str, bytes], position: int = 0) -> Live:
    twin = TwinRecord("a", MODEL, {}, [])
    return Live(Begin([twin], None, str(path), position, str(written(path))), snapshots)


def written(path: Path) -> Path:
    """The folder with one behaviour."""
    (path / "behaviours").mkdir(exist_ok=True)
    (path / "behaviours" / "plant.py").write_text(TANK)
    return path / "behaviours"


def without_notes(drafts: list[Draft]) -> list[Draft]:
    return [d for d in drafts if d.kind != "note"]


@pytest.mark.parametrize("raises", ["made", "initial", "shape", "fold", "tell", "save", "restore"])
def test_a_watcher_that_raises_is_left_out_alone_and_named(
    raises: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lived() -> tuple[list[Draft], list[str], list[str]]:
        """(what is said, what is wrong before the restart, and after it)."""
        live = begun(tmp_path, {})
        first, _ = live.advance(rows(0, 20), 1)
        saved = live.snapshots()
        before = [t.text for t in live.troubles()]
        live = begun(tmp_path, saved, 1)
        assert not live.fresh, "nothing has to be gone through again"
        then, _ = live.advance(rows(20, 40), 2)
        return [*first, *then], before, [t.text for t in live.troubles()]

    monkeypatch.setattr(estimator_watchers, "WATCHERS", [Alarming])
    wanted, *nothing = lived()
    assert nothing == [[], []]
    assert {d.kind for d in wanted} == {"estimated", "predicted"}
    for order in (0, 1):
        watchers = [Alarming]
        watchers.insert(order, made(raises))  # type: ignore[arg-type]
        monkeypatch.setattr(estimator_watchers, "WATCHERS", watchers)
        found, before, after = lived()
        assert without_notes(found) == wanted
        assert len(before) == (raises != "restore")
        (text,) = after
        assert "the watcher 'watching' is left out, estimates and forecasts go on" in text
        assert "tried again" in text
        assert ("no beginning" if raises == "initial" else "shape" if raises == "shape" else "out of luck") in text


def test_it_is_tried_again_with_another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimator_watchers, "WATCHERS", [made("tell")])
    live = begun(tmp_path, {})
    live.advance(rows(0, 20), 1)
    saved = live.snapshots()
    monkeypatch.setattr(estimator_watchers, "WATCHERS", [made("nowhere", tells=True)])
    monkeypatch.setattr(estimator_followed, "__version__", "another")
    live = begun(tmp_path, saved, 1)
    assert live.fresh
    found, _ = live.advance(rows(0, 30), 2)
    assert [d.body for d in found if d.kind == "note"] == [b"30"]
    assert live.troubles() == []


def test_what_it_counts_is_what_rode_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimator_watchers, "WATCHERS", [made("nowhere", tells=True)])
    live = begun(tmp_path, {})
    live.advance(rows(0, 20), 1)
    live = begun(tmp_path, live.snapshots(), 1)
    found, _ = live.advance(rows(20, 30), 2)
    assert [d.body for d in found if d.kind == "note"] == [b"30"]


def test_alarms_are_as_sensitive_as_the_space_says_of_the_twin_or_of_its_type(tmp_path: Path) -> None:
    wide = Sensitivity(1e9, ("nis",))
    for rule in (Rule(wide, "a"), Rule(wide, type="dtmi:demo:Vessel;1")):
        twin = TwinRecord("a", MODEL, {}, [])
        kinds = {MODEL: Kind([MODEL, "dtmi:demo:Vessel;1"], {})}
        alarms = AlarmSettings(rules=(Rule(Sensitivity(1.0), "b"), rule))
        begin = Begin([twin], None, str(tmp_path), kinds=kinds, alarms=alarms)
        (tank,) = in_file(written(tmp_path) / "plant.py")
        kind, graph = Plants.alone(tank, ["a"]), graph_of(tank)
        detectors, drift = Alarming(kind, Part(), graph, begin).companions
        begin = Begin([twin], None, str(tmp_path), kinds=kinds)
        plain, _ = Alarming(kind, Part(), graph, begin).companions
        month_s, sensors = 30 * 86400.0, 2
        assert {1e9 * sensors, 0.0} <= set(detectors.initial(1)[:, 0])
        assert month_s * (sensors + 1) in plain.initial(1)
        assert 1e9 in drift.initial(1)
