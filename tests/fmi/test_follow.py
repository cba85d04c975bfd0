"""An FMU is followed by what was measured: the ensemble of its instances is that of the equations inside it."""

import copy
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from ectype.cli.main import dispatch
from ectype.errors import Invalid, Misconfigured, Unavailable
from ectype.estimate.behaviour import Behaviour, Input, Normal, Parameter, Sensor, State
from ectype.estimate.ensemble import Ensemble
from ectype.estimate.trace import trace
from ectype.estimate.world import Traced
from ectype.fmi.behaviour import FmuBehaviour
from ectype.fmi.export import compiler, export
from ectype.fmi.imported import describe_fmu
from ectype.fmi.world import open_world
from tests.estimate.behaviours import Cart, CascadedTanks, constants_of
from tests.estimate.test_filter import random_events

from .foreign import foreign

pytest.importorskip("fmpy", reason="needs the extra fmi: pip install 'ectype[fmi]'")
needs_compiler = pytest.mark.skipif(compiler() is None, reason="there is no C compiler here")


def as_fmu(folder: Path, behaviour: type[Behaviour], version: int = 3) -> FmuBehaviour:
    """The behaviour as an FMU, and what it declares without its equations."""
    path = folder / f"{behaviour.__name__}{version}.fmu"
    path.write_bytes(export(behaviour, version))
    layout = behaviour.layout
    groups = ((*layout.tracked, *layout.constants), layout.inputs, layout.states, layout.sensors)
    parameters, inputs, states, sensors = ({d.name: copy.copy(d) for d in group} for group in groups)
    return FmuBehaviour(
        str(path), model=behaviour.model, states=states, sensors=sensors, inputs=inputs, parameters=parameters
    )


@needs_compiler
@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("behaviour", [Cart, CascadedTanks], ids=lambda b: b.__name__)
def test_it_is_the_ensemble_of_the_equations_inside(behaviour: type[Behaviour], version: int, tmp_path: Path) -> None:
    graph = trace(behaviour)
    events, active = random_events(graph, 12, 1, 3)
    active[:] = 1
    constants = constants_of(graph, 1)
    known = Ensemble(Traced(behaviour), 24, seed=5)
    after, out = known.fold(known.initial(1), constants, events, active)
    with open_world(as_fmu(tmp_path, behaviour, version), members=24, tolerance=1e-8) as world:
        np.testing.assert_array_equal(world.constants, constants)
        followed = Ensemble(world, 24, seed=5)
        theirs, told = followed.fold(followed.initial(1), world.constants, events, active)
    scale = np.abs(out).max(axis=(0, 2), keepdims=True) + 1e-12  # a Runge-Kutta step against CVode
    assert (np.abs(told - out) / scale).max() < 2e-4
    np.testing.assert_allclose(theirs, after, rtol=2e-3, atol=2e-4)


def mass_and_springs(path: Path, **more: object) -> FmuBehaviour:
    """Two masses between three springs, exported by OpenModelica; stiffnesses and masses are inputs there."""
    given = {"k1": 1.0, "k2": 1.0, "k3": 1.0, "m1": 1.0, "m2": 1.0} | more
    return FmuBehaviour(
        str(path),
        model="dtmi:demo:Springs;1",
        states={
            f"_D_outputAlias_{n}": State("1", init=(0.0, 1.0), q="0.02 1/sqrt(s)") for n in ("v1", "v2", "x1", "x2")
        },
        sensors={"x1": Sensor("1", sigma="0.05 1")},
        parameters={n: p if isinstance(p, Parameter) else Parameter("1", fixed=p) for n, p in given.items()},
    )


def kalman(events: np.ndarray, order: list[str], k2: float) -> tuple[np.ndarray, np.ndarray]:
    """The textbook filter of the same springs, from the matrix exponential."""
    from scipy.linalg import expm

    names = ["v1", "v2", "x1", "x2"]
    A = np.zeros((4, 4))
    A[0, 2:] = [-(1 + k2), k2]
    A[1, 2:] = [k2, -(k2 + 1)]
    A[2, 0] = A[3, 1] = 1.0
    turn = [names.index(n) for n in order]
    A = A[np.ix_(turn, turn)]
    H = np.array([[float(n == "x1") for n in order]])
    x, P, means = np.zeros(4), np.eye(4), []
    for event in events[:, :, 0]:
        F = expm(A * event[1])
        x, P = F @ x, F @ P @ F.T + 0.02**2 * event[1] * np.eye(4)
        if event[3] > 0:
            S = H @ P @ H.T + 0.05**2
            K = P @ H.T / S
            x, P = x + (K * (event[2] - H @ x)).ravel(), P - K @ H @ P
        means.append(x)
    return np.array(means), P


@foreign
def test_one_of_openmodelica_follows_the_kalman_filter_of_its_equations(open_modelica: Path) -> None:
    behaviour = mass_and_springs(open_modelica)
    order = [s.name.rpartition("_")[2] for s in behaviour.layout.states]
    r = np.random.default_rng(7)
    truth, events = np.array([0.5, -0.2, 0.3, 0.8]), np.zeros((40, 4, 1))
    for k in range(40):
        events[k, :2, 0] = 0.3 * (k + 1), 0.3
        for _ in range(300):
            v1, v2, x1, x2 = truth
            truth = truth + 0.001 * np.array([-2 * x1 + x2, x1 - 2 * x2, v1, v2])
        events[k, 2:, 0] = truth[2] + 0.05 * r.standard_normal(), 1.0
    means, P = kalman(events, order, 1.0)
    with open_world(behaviour, members=200) as world:
        ensemble = Ensemble(world, 200, seed=2)
        _, out = ensemble.fold(ensemble.initial(1), world.constants, events, np.ones((40, 1)))
    std = np.sqrt(np.diag(P))
    assert (np.abs(out[-10:, :4, 0] - means[-10:]) < std).all()  # of a sampling error of std / sqrt(200) a step
    np.testing.assert_allclose(out[-1, 4:8, 0], std, rtol=0.35)
    assert np.abs(out[-1, :4, 0] - truth[[["v1", "v2", "x1", "x2"].index(n) for n in order]]).max() < 0.2


@foreign
def test_a_stiffness_of_it_is_found_by_tracking_it(open_modelica: Path) -> None:
    behaviour = mass_and_springs(open_modelica, k2=Parameter("1", prior=Normal(1.0, 0.5), drift="0.001 1/sqrt(s)"))
    r = np.random.default_rng(1)
    truth, events = np.array([0.0, 0.0, 1.0, -0.5]), np.zeros((120, 4, 1))
    for k in range(120):
        events[k, :2, 0] = 0.2 * (k + 1), 0.2
        for _ in range(200):
            v1, v2, x1, x2 = truth
            truth = truth + 0.001 * np.array([-x1 - 1.6 * (x1 - x2), -x2 - 1.6 * (x2 - x1), v1, v2])
        events[k, 2:, 0] = truth[2] + 0.05 * r.standard_normal(), 1.0
    with open_world(behaviour, members=100) as world:
        ensemble = Ensemble(world, 100, seed=3)
        _, out = ensemble.fold(ensemble.initial(1), world.constants, events, np.ones((120, 1)))
    k2, std = out[-1, 4, 0], out[-1, 9, 0]
    assert abs(k2 - 1.6) < min(3 * std, 0.2)
    assert std < 0.1


@foreign
@pytest.mark.parametrize("kind", ["cs", "me"])
def test_it_is_stepped_too(kind: str, open_modelica: Path, tmp_path: Path) -> None:
    words = ["fmu", "run", str(open_modelica), "--kind", kind, "--twin", "a", "--out", str(tmp_path / "a.csv")]
    assert dispatch([*words, "--every", "0.5", "--stop", "3"]) == 0
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 8
    assert describe_fmu(open_modelica).tool.startswith("OpenModelica")


@needs_compiler
def test_the_death_of_its_process_is_told(tmp_path: Path) -> None:
    graph = trace(Cart)
    events, active = random_events(graph, 2, 1, 3)
    with open_world(as_fmu(tmp_path, Cart), members=4) as world:
        os.kill(world._process.pid, signal.SIGKILL)
        ensemble = Ensemble(world, 4)
        with pytest.raises(Unavailable, match="SIGKILL"):
            ensemble.fold(ensemble.initial(1), world.constants, events, active)


@needs_compiler
def test_what_does_not_fit_is_told_with_its_line(tmp_path: Path) -> None:
    path = as_fmu(tmp_path, Cart).path
    v = {"v": State("m/s", init=(0, 1), q="1 m/s/sqrt(s)")}
    place = {"place": Sensor("m", sigma="1 m")}

    def opened(**how: object) -> None:
        with open_world(FmuBehaviour(str(path), **({"model": "m", "states": v, "sensors": place} | how)), members=2):
            pass

    with pytest.raises(Invalid, match=r"test_follow.py, line \d+: Cart3.fmu has no variable 'w'"):
        opened(states={"w": State("m/s", init=(0, 1), q="1 m/s/sqrt(s)")})
    with pytest.raises(Invalid, match=r"'place' is in m in Cart3\.fmu, and in cm here; write \"m\""):
        opened(sensors={"place": Sensor("cm", sigma="1 cm")})
    with pytest.raises(Invalid, match=r"'speed' is no input of Cart3\.fmu but its output"):
        opened(inputs={"speed": Input("m/s", max_age="1 s")})
    with pytest.raises(Misconfigured, match="'place' is no continuous state of the FMU; these are: x, v"):
        opened(
            states={"place": State("m", init=(0, 1), q="1 m/sqrt(s)")}, sensors={"speed": Sensor("m/s", sigma="1 m/s")}
        )
    with pytest.raises(Misconfigured, match="'speed' cannot be tracked: only inputs and tunable parameters"):
        opened(parameters={"speed": Parameter("m/s", prior=Normal(0, 1), drift="1 m/s/sqrt(s)")})
    with pytest.raises(Invalid, match="a name stands for one thing"):
        opened(states={"place": State("m", init=(0, 1), q="1 m/sqrt(s)")})
    opened()


@needs_compiler
def test_one_without_model_exchange_says_why_it_cannot_be_followed(tmp_path: Path) -> None:
    class Stepped(Behaviour, model="dtmi:demo:Stepped;1"):
        x = State("m", init=(0, 1), q="1 m/sqrt(s)")
        place = Sensor("m", sigma="1 m")

        def step(self, t: float, dt: float) -> dict[object, object]:
            return {self.x: 0.9 * self.x}

        def observe(self, t: float) -> dict[object, object]:
            return {self.place: self.x}

    with (
        pytest.raises(Misconfigured, match="co-simulation alone, which hides its states"),
        open_world(as_fmu(tmp_path, Stepped), members=2),
    ):
        pass


@needs_compiler
def test_the_command_follows_a_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cart.fmu").write_bytes(export(Cart, 2))
    (tmp_path / "cart.py").write_text(
        "from ectype.estimate.behaviour import Input, Sensor, State\n"
        "from ectype.fmi.behaviour import FmuBehaviour\n"
        "Cart = FmuBehaviour('cart.fmu', model='dtmi:demo:Cart;1',\n"
        "    states={'x': State('m', init=(0, 2), q='0.01 m/sqrt(s)'),\n"
        "            'v': State('m/s', init=(1, 1), q='0.01 m/s/sqrt(s)')},\n"
        "    inputs={'push': Input('m/s^2', max_age='10 s', default=0.0)},\n"
        "    sensors={'place': Sensor('m', sigma='0.3 m')})\n"
    )
    rows = ["id,time,push,place"] + [
        f"cart-1,2026-01-01T00:00:{t:02d}Z,0.5,{1 + 2 * t + 0.25 * t * t}" for t in range(30)
    ]
    (tmp_path / "run.csv").write_text("\n".join(rows))
    out = tmp_path / "est.csv"
    words = ["fmu", "follow", f"{tmp_path / 'cart.py'}:Cart", str(tmp_path / "run.csv"), "--twin", "cart-1"]
    words += ["--id", "id", "--time", "time", "--members", "80", "--out", str(out)]
    assert dispatch([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    speed = told["estimates"]["v"]
    assert abs(speed["value"] - (2 + 0.5 * 29)) < 3 * speed["std"] < 0.5
    assert told["sensors"]["place"]["readings"] == told["sensors"]["place"]["assimilated"] == 30
    assert out.read_text().splitlines()[0] == "twin,time,x,x_std,v,v_std"
    assert len(out.read_text().splitlines()) == 31
    assert dispatch(words) == 0
    assert "30 of 30 readings taken" in capsys.readouterr().out
    with pytest.raises(Misconfigured, match="it has: Cart"):
        dispatch(["fmu", "follow", f"{tmp_path / 'cart.py'}:Wagon", *words[3:]])
