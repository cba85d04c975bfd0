"""`ectype certify` as a person meets it."""

import asyncio
import json

import pytest

from ectype.cli.main import dispatch
from ectype.clock import system_clock, to_iso
from ectype.errors import Invalid, Misconfigured, NotFound
from ectype.log.log import Log
from ectype.log.prove import check_proof, prove
from ectype.log.space import open_space
from ectype.log.view import open_view
from tests.fidelity import plant

pytest.importorskip("sklearn", reason="scikit-learn is not installed (pip install 'ectype[fidelity]')")
WHO = "tests.fidelity.plant:Oscillator"


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "original.csv"
    rows = plant.period(700, 11)
    lines = [f"{to_iso(int(1e18) + int(e[0] * 1e9))},cart-1,{e[2]:.17g},{e[3]:.17g}" for e in rows]
    lines += [f"{to_iso(int(1e18))},cart-2,0,0"]
    path.write_text("\n".join(["when,who,push,seen", *lines]), "utf-8")
    return path


def certified(recording, *more):
    given = ["certify", WHO, str(recording), "--id", "who", "--time", "when", "--columns", "push,seen=place"]
    return dispatch([*given, "--tried", "2", "--horizon", "16", *more])


def new_space(path):
    async def begin():
        space = open_space(path)
        log = await Log.open(space.store, space.signer, origin=space.origin)
        await log.close()
        space.close()

    asyncio.run(begin())


def test_a_certificate_is_shown_written_and_proved_from_the_log(recording, tmp_path, capsys):
    new_space(tmp_path / "space")
    out = tmp_path / "certificate.json"
    certified(
        recording, "--twin", "cart-1", "--set", "damping=0.9", "--out", str(out), "--append", str(tmp_path / "space")
    )
    shown = capsys.readouterr().out
    assert "distinguishable" in shown
    assert "noise x 1.2" in shown
    assert "ectype log prove" in shown
    document = json.loads(out.read_bytes())
    assert document["twin"] == "cart-1"
    view = open_view(tmp_path / "space")
    entry = check_proof(prove(view, view.size - 1), view.vkey).entry
    assert (entry.kind, entry.subject) == ("certificate", "certificate:cart-1")
    assert [e.body for _, e in view.read(view.size - 1)] == [out.read_bytes()]
    assert entry.at_ns <= system_clock()


def test_what_is_wrong_is_told_with_the_way_out(recording, tmp_path):
    with pytest.raises(Invalid, match="rows of: cart-1, cart-2"):
        certified(recording, "--twin", "cart-3")
    with pytest.raises(Misconfigured, match="stiffness, damping"):
        certified(recording, "--twin", "cart-1", "--set", "mass=1")
    with pytest.raises(Misconfigured, match="damping=NUMBER"):
        certified(recording, "--twin", "cart-1", "--set", "damping=much")
    with pytest.raises(NotFound):
        certified(recording, "--twin", "cart-1", "--append", str(tmp_path / "nowhere"))
    with pytest.raises(Misconfigured, match="it has: Oscillator"):
        dispatch(
            ["certify", "tests.fidelity.plant:Cart", str(recording), "--id", "who", "--time", "when", "--twin", "x"]
        )


def test_a_behaviour_is_found_in_a_file(recording, tmp_path, capsys):
    path = tmp_path / "carts.py"
    path.write_text("from tests.fidelity.plant import Oscillator\n", "utf-8")
    given = [f"{path}:Oscillator", str(recording), "--id", "who", "--time", "when", "--columns", "push,seen=place"]
    dispatch(["certify", *given, "--twin", "cart-1", "--tried", "1", "--horizon", "16", "--json"])
    document = json.loads(capsys.readouterr().out)
    assert document["behaviour"] == "dtmi:test:Oscillator;1"
    assert document["cut"]["horizon"] == 16
