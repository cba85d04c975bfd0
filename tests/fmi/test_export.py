"""An exported FMU is valid for others, and computes what our own back ends compute."""

import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ectype.cli.main import dispatch
from ectype.errors import Invalid, Misconfigured
from ectype.estimate.behaviour import Behaviour, Input, Mode, Sensor, State
from ectype.estimate.emit_numpy import NumpyKernel
from ectype.estimate.maths import where
from ectype.estimate.simulate import simulate
from ectype.estimate.trace import trace
from ectype.fmi.export import compiler, export
from tests.estimate.behaviours import Cart, CascadedTanks, Everything, TanksEkf, constants_of

fmpy = pytest.importorskip("fmpy", reason="needs the extra fmi: pip install 'ectype[fmi]'")
validation = pytest.importorskip("fmpy.validation", reason="needs the extra fmi: pip install 'ectype[fmi]'")
needs_compiler = pytest.mark.skipif(compiler() is None, reason="there is no C compiler here")
VERSIONS = (2, 3)


class Stepped(Behaviour, model="dtmi:demo:Stepped;1"):
    """Moves by a rule of its own, with a valve."""

    level = State("m", init=(1, 1), q="0.1 m/sqrt(s)", low=0, high=4)
    inflow = Input("m/s", max_age="1 h")
    valve = Mode("shut", "open", max_age="1 h")
    seen = Sensor("m", sigma="0.1 m")

    def step(self, t, dt):
        return {self.level: self.level + dt * where(self.valve.is_("open"), self.inflow, -0.1 * self.level)}

    def observe(self, t):
        return {self.seen: 2.0 * self.level}

    def outputs(self, t):
        return {"twice": 2.0 * self.level, "late": t + 1.0}


def driven(behaviour: type[Behaviour], steps: int, step: float) -> np.ndarray:
    """Inputs that jump from step to step, with time, as FMPy takes them."""
    rng = np.random.default_rng(3)
    names = [u.name for u in behaviour.layout.inputs]
    out = np.zeros(steps, dtype=[("time", float), *((name, float) for name in names)])
    out["time"] = step * np.arange(steps)
    for u in behaviour.layout.inputs:
        out[u.name] = rng.integers(0, 2, steps) if isinstance(u, Mode) else rng.uniform(0, 4, steps)
    return out


def stepped(path: Path, behaviour: type[Behaviour], inputs: np.ndarray, step: float) -> dict[str, np.ndarray]:
    """The FMU's states and sensors after every step, its inputs set before it: through FMPy's calls, nothing else."""
    told = fmpy.read_model_description(path)
    by_name = {v.name: v.valueReference for v in told.modelVariables}
    folder = fmpy.extract(path)
    kind = fmpy.fmi2.FMU2Slave if told.fmiVersion == "2.0" else fmpy.fmi3.FMU3Slave
    fmu = kind(
        guid=told.guid, unzipDirectory=folder, modelIdentifier=told.coSimulation.modelIdentifier, instanceName="one"
    )
    fmu.instantiate()
    two = told.fmiVersion == "2.0"
    if two:
        fmu.setupExperiment(startTime=0.0)
        fmu.enterInitializationMode()
    else:
        fmu.enterInitializationMode(startTime=0.0)
    fmu.exitInitializationMode()
    names = [d.name for d in (*behaviour.layout.states, *behaviour.layout.sensors)]
    rows = []
    for row in inputs:
        for u in behaviour.layout.inputs:
            (fmu.setReal if two else fmu.setFloat64)([by_name[u.name]], [float(row[u.name])])
        fmu.doStep(currentCommunicationPoint=float(row["time"]), communicationStepSize=step)
        refs = [by_name[name] for name in names]
        rows.append((fmu.getReal if two else fmu.getFloat64)(refs))
    fmu.terminate()
    fmu.freeInstance()
    return {name: np.array(rows)[:, i] for i, name in enumerate(names)}


def ours(behaviour: type[Behaviour], inputs: np.ndarray, step: float) -> dict[str, np.ndarray]:
    """The same by our simulation without noise; events carry the instant at which a step begins."""
    graph = trace(behaviour)
    events = np.zeros((len(inputs), graph.event_size, 1))
    events[:, 0, 0], events[:, 1, 0] = inputs["time"], step
    for i, u in enumerate(behaviour.layout.inputs):
        events[:, 2 + i, 0] = inputs[u.name]
    first = graph.initial(1)[: graph.size]
    rng = np.random.default_rng(0)
    world = simulate(behaviour, first, constants_of(graph, 1), events, rng, noise=0.0, unrest=0.0)
    out = {s.name: world.truth[:, i, 0] for i, s in enumerate(behaviour.layout.states)}
    place = 2 + len(behaviour.layout.inputs)
    return out | {s.name: world.events[:, place + i, 0] for i, s in enumerate(behaviour.layout.sensors)}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("behaviour", [CascadedTanks, Cart, Everything, TanksEkf, Stepped], ids=lambda b: b.__name__)
def test_fmpy_finds_nothing_wrong_with_it(behaviour: type[Behaviour], version: int, tmp_path: Path) -> None:
    path = tmp_path / "one.fmu"
    path.write_bytes(export(behaviour, version, binary=False))
    assert validation.validate_fmu(str(path)) == []
    told = fmpy.read_model_description(path)
    assert (told.modelExchange is None) == (behaviour is Stepped)
    assert {v.name for v in told.modelVariables if v.causality == "input"} == {u.name for u in behaviour.layout.inputs}


@needs_compiler
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("behaviour", [CascadedTanks, Cart, Everything, TanksEkf, Stepped], ids=lambda b: b.__name__)
def test_its_steps_are_those_of_our_simulation(behaviour: type[Behaviour], version: int, tmp_path: Path) -> None:
    path = tmp_path / "one.fmu"
    path.write_bytes(export(behaviour, version))
    inputs = driven(behaviour, 200, 0.7)
    found, wanted = stepped(path, behaviour, inputs, 0.7), ours(behaviour, inputs, 0.7)
    for state in behaviour.layout.states:
        np.testing.assert_allclose(found[state.name], wanted[state.name], rtol=1e-12, atol=1e-12)
    for sensor in behaviour.layout.sensors:
        np.testing.assert_allclose(found[sensor.name], wanted[sensor.name], rtol=1e-12, atol=1e-12)


@needs_compiler
@pytest.mark.parametrize("version", VERSIONS)
def test_its_states_are_those_of_the_numpy_back_end(version: int, tmp_path: Path) -> None:
    graph = trace(TanksEkf)
    path = tmp_path / "one.fmu"
    path.write_bytes(export(TanksEkf, version))
    inputs = driven(TanksEkf, 200, 0.7)
    events = np.zeros((200, graph.event_size, 1))
    events[:, 0, 0], events[:, 1, 0], events[:, 2, 0] = inputs["time"], 0.7, inputs["pump"]
    _, out = NumpyKernel(graph).fold(graph.initial(1), constants_of(graph, 1), events, np.ones((200, 1)))
    found = stepped(path, TanksEkf, inputs, 0.7)
    np.testing.assert_allclose(np.stack([found["h1"], found["h2"]], 1), out[:, :2, 0], rtol=1e-9)


@needs_compiler
@pytest.mark.parametrize("version", VERSIONS)
def test_model_exchange_and_co_simulation_tell_the_same_story(version: int, tmp_path: Path) -> None:
    path = tmp_path / "one.fmu"
    path.write_bytes(export(Everything, version, step_s=0.01, stop_s=10.0))
    start = {"drive": 1.0}
    runs = [
        fmpy.simulate_fmu(
            str(path), fmi_type=kind, stop_time=10.0, output_interval=0.5, relative_tolerance=1e-10,
            start_values=start, output=["x", "der(x)", "y"],
        )
        for kind in ("ModelExchange", "CoSimulation")
    ]  # fmt: skip
    for name in ("x", "der(x)", "y"):
        np.testing.assert_allclose(runs[0][name], runs[1][name], rtol=1e-6)


@needs_compiler
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("standard", ["c99", "gnu99", "gnu17"])
def test_it_compiles_from_its_sources_without_a_warning(standard: str, version: int, tmp_path: Path) -> None:
    with zipfile.ZipFile(_written(tmp_path, Everything, version)) as packed:
        packed.extractall(tmp_path)
    strict = ["-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-Wno-unused-function", f"-std={standard}"]
    out = tmp_path / "again.so"
    words = [compiler(), "-shared", "-fPIC", *strict, "-o", str(out), str(tmp_path / "sources" / f"fmi{version}.c")]
    ran = subprocess.run([*words, "-lm"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def _written(folder: Path, behaviour: type[Behaviour], version: int) -> Path:
    path = folder / "one.fmu"
    path.write_bytes(export(behaviour, version, binary=False))
    return path


@needs_compiler
@pytest.mark.parametrize("version", VERSIONS)
def test_a_saved_state_brings_it_back(version: int, tmp_path: Path) -> None:
    path = tmp_path / "one.fmu"
    path.write_bytes(export(CascadedTanks, version))
    told = fmpy.read_model_description(path)
    fmu = fmpy.instantiate_fmu(fmpy.extract(path), told, "CoSimulation")
    two = version == 2
    if two:
        fmu.setupExperiment(startTime=0.0)
        fmu.enterInitializationMode()
    else:
        fmu.enterInitializationMode(startTime=0.0)
    fmu.exitInitializationMode()
    read = fmu.getReal if two else fmu.getFloat64
    fmu.doStep(currentCommunicationPoint=0.0, communicationStepSize=2.0)
    state = fmu.getFMUState() if hasattr(fmu, "getFMUState") else fmu.getFMUstate()
    fmu.doStep(currentCommunicationPoint=2.0, communicationStepSize=5.0)
    later = read([1, 2])
    (fmu.setFMUState if hasattr(fmu, "setFMUState") else fmu.setFMUstate)(state)
    assert read([1, 2]) != later
    fmu.doStep(currentCommunicationPoint=2.0, communicationStepSize=5.0)
    assert read([1, 2]) == later
    fmu.freeInstance()


def test_equal_behaviours_give_equal_bytes() -> None:
    assert export(CascadedTanks, 3, binary=False) == export(CascadedTanks, 3, binary=False)
    assert export(CascadedTanks, 3, binary=False) != export(CascadedTanks, 3, binary=False, step_s=0.1)


def test_a_step_that_leads_nowhere_is_refused() -> None:
    with pytest.raises(Misconfigured, match="positive number of seconds"):
        export(CascadedTanks, 3, step_s=0.0)


def test_two_things_of_one_name_are_refused() -> None:
    class Twice(Behaviour, model="dtmi:demo:Twice;1"):
        x = State("m", init=(0, 1), q="0.1 m/sqrt(s)")
        y = Sensor("m", sigma="1 m")

        def derivative(self, t):
            return {self.x: 0.0 * self.x}

        def observe(self, t):
            return {self.y: self.x}

        def outputs(self, t):
            return {"x": self.x}

    with pytest.raises(Invalid, match="rename one 'x'"):
        export(Twice)


def test_the_command_writes_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "tanks.fmu"
    assert dispatch(["fmu", "export", "tests.estimate.behaviours:CascadedTanks", "--out", str(out), "--fmi", "2"]) == 0
    assert "CascadedTanks for FMI 2.0" in capsys.readouterr().out
    assert "modelDescription.xml" in zipfile.ZipFile(out).namelist()
