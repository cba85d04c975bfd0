"""An FMU runs beside us: its numbers come back, its crash does not."""

import io
import json
import os
import signal
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from ectype.cli.main import dispatch
from ectype.errors import Invalid, Misconfigured, NotFound, Unavailable
from ectype.estimate.behaviour import Behaviour
from ectype.fmi.export import compiler, export
from ectype.fmi.imported import describe_fmu, open_fmu
from ectype.sources.recording import Recording
from tests.estimate.behaviours import Cart, CascadedTanks

pytest.importorskip("fmpy", reason="needs the extra fmi: pip install 'ectype[fmi]'")
needs_compiler = pytest.mark.skipif(compiler() is None, reason="there is no C compiler here")
VERSIONS = (2, 3)


def written(folder: Path, behaviour: type[Behaviour] = CascadedTanks, version: int = 3, **how: object) -> Path:
    path = folder / f"{behaviour.__name__}{version}.fmu"
    path.write_bytes(export(behaviour, version, **how))
    return path


@pytest.mark.parametrize("version", VERSIONS)
def test_it_says_what_is_in_a_file(version: int, tmp_path: Path) -> None:
    told = describe_fmu(written(tmp_path, version=version, binary=False))
    assert (told.name, told.fmi, told.kinds, told.problems) == ("CascadedTanks", f"{version}.0", ["cs", "me"], [])
    by_name = {v.name: v for v in told.variables}
    assert (by_name["pump"].causality, by_name["pump"].unit) == ("input", "V")
    assert (by_name["level"].causality, by_name["h1"].start) == ("output", "5.0")


@needs_compiler
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ["cs", "me"])
def test_it_follows_the_equations(kind: str, version: int, tmp_path: Path) -> None:
    path = written(tmp_path, version=version, step_s=0.1)

    def slope(_t: float, h: np.ndarray, pump: float) -> list[float]:
        out = 0.05 * np.sqrt(h[0])
        return [0.04 * pump - out, out - 0.05 * np.sqrt(h[1])]

    h, at = np.array([4.0, 3.0]), 0.0
    with open_fmu(path, kind=kind, start={"h1": 4.0, "h2": 3.0}, watch=["h1", "h2", "level"], tolerance=1e-9) as tanks:
        for pump in (3.0, 0.5, 8.0):
            told = tanks.step({"pump": pump}, at + 7.5)
            h = solve_ivp(slope, (at, at + 7.5), h, "DOP853", rtol=1e-11, atol=1e-12, args=(pump,)).y[:, -1]
            at += 7.5
            np.testing.assert_allclose([told["h1"], told["h2"], told["level"]], [*h, h[1]], rtol=1e-6)
        assert tanks.at_s == 22.5


@needs_compiler
def test_the_death_of_its_process_is_told_and_touches_nobody_else(tmp_path: Path) -> None:
    path = written(tmp_path)
    with open_fmu(path) as doomed, open_fmu(path) as other:
        doomed.step({"pump": 1.0}, 1.0)
        os.kill(doomed.pid, signal.SIGKILL)
        with pytest.raises(Unavailable, match=r"CascadedTanks3.fmu: its process was ended by SIGKILL after 1 s"):
            doomed.step({}, 2.0)
        with pytest.raises(Unavailable, match="open it again"):
            doomed.step({}, 2.0)
        assert other.step({"pump": 1.0}, 2.0)["level"] > 0


def _sabotaged(folder: Path, body: str) -> Path:
    """The FMU of a cart whose step does something else: its C is changed and compiled again."""
    given = zipfile.ZipFile(io.BytesIO(export(Cart, 3)))
    given.extractall(folder / "cart")
    main = folder / "cart" / "sources" / "fmi3.c"
    text = main.read_text()
    main.write_text(text.replace("status_t status = run(M, t, h);", f"status_t status = run(M, t, h); {body}"))
    assert main.read_text() != text
    name = next(n for n in given.namelist() if n.startswith("binaries/"))
    words = [compiler(), "-shared", "-fPIC", "-std=gnu99", "-o", str(folder / "cart" / name), str(main), "-lm"]
    subprocess.run(words, check=True)
    path = folder / "cart.fmu"
    with zipfile.ZipFile(path, "w") as packed:
        for file in given.namelist():
            packed.write(folder / "cart" / file, file)
    return path


@needs_compiler
def test_a_crash_in_its_native_code_is_told(tmp_path: Path) -> None:
    path = _sabotaged(tmp_path, 'if (t >= 3.0) { fputs("a pipe burst\\n", stderr); abort(); }')
    with open_fmu(path) as cart:
        cart.step({}, 3.0)
        with pytest.raises(Unavailable, match=r"SIGABRT after 3 s; the last it said: a pipe burst"):
            cart.step({}, 4.0)


@needs_compiler
def test_one_that_never_returns_is_ended(tmp_path: Path) -> None:
    path = _sabotaged(tmp_path, "while (t >= 1.0) { }")
    with open_fmu(path, patience_s=5.0) as cart:
        cart.step({}, 1.0)
        cart._process.patience_s = 0.2
        with pytest.raises(Unavailable, match="has said nothing for"):
            cart.step({}, 2.0)


@needs_compiler
def test_what_it_prints_does_not_land_between_the_answers(tmp_path: Path) -> None:
    path = _sabotaged(tmp_path, 'puts("hello from C"); fflush(stdout);')
    with open_fmu(path) as cart:
        for k in range(1, 20):
            assert cart.step({}, float(k))["speed"] == pytest.approx(1.0)


@needs_compiler
def test_wrong_names_and_steps_back_are_refused_and_it_goes_on(tmp_path: Path) -> None:
    with open_fmu(written(tmp_path)) as tanks:
        with pytest.raises(Misconfigured, match="no variable 'pomp'; it has"):
            tanks.step({"pomp": 1.0}, 1.0)
        tanks.step({"pump": 1.0}, 1.0)
        with pytest.raises(Misconfigured, match="does not lead forward"):
            tanks.step({}, 0.5)
        assert tanks.step({}, 2.0)["level"] > 0


@needs_compiler
def test_a_state_that_is_not_finite_is_named(tmp_path: Path) -> None:
    with (
        open_fmu(written(tmp_path, Cart), start={"v": 1e308, "push": 1e308}) as cart,
        pytest.raises(Invalid, match="fmi3DoStep"),
    ):
        cart.step({}, 100.0)


def test_what_is_no_fmu_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no file"):
        describe_fmu(tmp_path / "none.fmu")
    (tmp_path / "no.fmu").write_bytes(b"PK nothing")
    with pytest.raises(Invalid, match="is no FMU"):
        describe_fmu(tmp_path / "no.fmu")


def test_sources_alone_are_not_run(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="holds sources alone"), open_fmu(written(tmp_path, binary=False)):
        pass


def test_the_command_shows_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["fmu", "show", str(written(tmp_path, Cart, 2, binary=False)), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["name"] == "Cart"
    assert {v["name"] for v in told["variables"] if v["causality"] == "output"} == {"place", "speed"}


@needs_compiler
def test_its_recording_is_one_that_replay_and_certify_read(tmp_path: Path) -> None:
    out = tmp_path / "cart.csv"
    words = ["fmu", "run", str(written(tmp_path, Cart)), "--out", str(out), "--twin", "cart-1", "--stop", "5"]
    assert dispatch([*words, "--set", "push=2", "--set", "x=1"]) == 0
    rows = list(Recording(out, id_column="twin", time_column="time", columns=None).rows(None, None))
    assert [row.name for row in rows] == ["cart-1"] * 6
    np.testing.assert_allclose([row.values["place"] for row in rows], [1 + t + t * t for t in range(6)])
