"""Does the fidelity certificate see what it should? A plant that is known, its true twin, and twins made worse.

Question: over stand-in originals of a cascade of two tanks, how often is the true twin called different (false alarms,
nominal 5 %), and how often are a 5 % wrong parameter, noise x 1.2 and one sample of delay caught? Then one certificate
of the true twin on a later period, and one of a twin that is 5 % off. Baseline in the same run: the mean NIS alone, at
the same level, which is what is watched elsewhere.

    python bench/fidelity.py [--quick] [--json]
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from ectype.estimate.behaviour import Behaviour, Input, Parameter, Sensor, State
from ectype.estimate.emit_llvm import LlvmKernel
from ectype.estimate.maths import sqrt
from ectype.estimate.simulate import simulate
from ectype.estimate.trace import trace
from ectype.fidelity.certificate import certify
from ectype.fidelity.controls import caught, stand_ins, worse
from ectype.fidelity.trial import Cut, Twin


class Tanks(Behaviour, model="dtmi:bench:Tanks;1"):
    """A pump fills the upper tank, which drains into the lower one; the level of the lower one is measured."""

    upper = State("cm", init=(6, 0.5), q="0.02 cm/sqrt(s)", low=0.01)
    lower = State("cm", init=(6, 0.5), q="0.02 cm/sqrt(s)", low=0.01)
    outlet = Parameter("cm^0.5/s", fixed=0.06)
    gain = Parameter("cm/(V*s)", fixed=0.05)
    pump = Input("V", max_age="20 s")
    level = Sensor("cm", sigma="0.05 cm")

    def derivative(self, t):
        between = self.outlet * sqrt(self.upper)
        return {self.upper: self.gain * self.pump - between, self.lower: between - self.outlet * sqrt(self.lower)}

    def observe(self, t):
        return {self.level: self.lower}


def period(k: int, seed: int) -> np.ndarray:
    """[k, event_size]: the plant under a pump that steps up and down."""
    rng = np.random.default_rng(seed)
    events = np.zeros((k, 5, 1))
    events[:, 1], events[:, 4] = 2.0, 1.0
    events[:, 0] = 2.0 * np.arange(1, k + 1)[:, None]
    events[:, 2, 0] = 3.0 + np.repeat(rng.choice([-0.8, 0.0, 0.8], k // 60 + 1), 60)[:k]
    first = np.array([[6.0], [6.0]]) + 0.5 * rng.standard_normal((2, 1))
    constants = np.array([[p.value] for p in Tanks.layout.constants])
    return simulate(Tanks, first, constants, events, rng).events[:, :, 0]


def nis_alone(twin: Twin, originals: np.ndarray, warm_up: int) -> float:
    """The share of originals whose mean NIS is outside the 95 % band of a right filter."""
    k, _, m = originals.shape
    belief, constants = (np.repeat(x[:, None], m, 1) for x in (twin.belief, twin.constants))
    _, out = twin.kernel.fold(belief, constants, originals, np.ones((k, m)))
    nis = out[warm_up:, twin.graph.belief_size + 2].mean(0)
    return float((np.abs(nis - 1) > 1.96 * np.sqrt(2 / (k - warm_up))).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few stand-ins of a short period: it works")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    k, tried = (1200, 2) if args.quick else (6000, 40)
    cut, rng = Cut(), np.random.default_rng(0)
    graph = trace(Tanks)
    with tempfile.TemporaryDirectory() as cache:
        kernel = LlvmKernel(graph, Path(cache))
        twin = Twin(graph, kernel, np.array([p.value for p in graph.layout.constants]), graph.initial(1)[:, 0])
        events = period(k, 1)
        originals = stand_ins(twin, events, tried, rng)
        windows = (k - cut.warm_up) // cut.horizon
        rows = {}
        for name, other in {"the true twin": twin, **worse(twin, (0.02, 0.05) if not args.quick else (0.05,))}.items():
            began = time.perf_counter()
            found = caught(other, originals, cut, rng)
            seen = nis_alone(other, originals, cut.warm_up) if not other.delay and other.noise == 1.0 else None
            rows[name] = {"caught": found.power, "nis_alone": seen, "seconds": time.perf_counter() - began}
        few = 2 if args.quick else 20
        right = certify(twin, events, tried=few, shares=(0.05,))
        off = certify(twin.wrong("outlet", 0.05), events, tried=few, shares=(0.05,))
    result = {
        "windows": windows,
        "stand_ins": tried,
        "controls": rows,
        "right": right.document(),
        "off": off.document(),
    }
    if args.json:
        print(json.dumps(result))
        return
    print(f"{windows} windows of {cut.horizon} samples, {tried} stand-ins a control; told apart at the 5 % level:")
    for name, row in rows.items():
        alone = "" if row["nis_alone"] is None else f"   by mean NIS alone {row['nis_alone']:6.1%}"
        print(f"  {name:18} {row['caught']:6.1%}{alone}   ({row['seconds'] / tried:.2f} s each)")
    print(f"\nthe true twin:   {right.claim}. {right.sentence}")
    print(f"outlet 5 % off:  {off.claim}. {off.sentence}")


if __name__ == "__main__":
    main()
