"""What the twin of SKAB's loop tells: first without any label, then scored by the published protocol.

python -m examples.skab [--data FILE] [--rehearse] [--alarms]
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ectype.errors import Misconfigured
from examples.skab.baseline import FORMS, benchmark
from examples.skab.following import Running, alarms
from examples.skab.learn import constants
from examples.skab.modes import Told
from examples.skab.records import FILE, TRAIN, Recording, Recordings, read, truth
from examples.skab.rehearsal import KINDS, faults, pieces, pooled, stretches
from examples.skab.score import episodes, score, spans

TIMES = 8
TOLD_S = 60  # an alarm is printed as it is told so long after it was raised


def main() -> None:
    """Run it and say what came out."""
    parser = argparse.ArgumentParser(description="SKAB: a twin of the water loop, and what is out of order.")
    parser.add_argument("--data", type=Path, default=FILE)
    parser.add_argument("--rehearse", action="store_true", help="only what needs no label")
    parser.add_argument("--alarms", action="store_true", help="each alarm in a sentence")
    asked = parser.parse_args()
    try:
        recordings = read(asked.data)
    except Misconfigured as error:
        parser.error(str(error))
    with tempfile.TemporaryDirectory() as cache:
        running = Running.of(Path(cache))
        rehearse(running, recordings)
        if not asked.rehearse:
            judge(running, recordings, asked.data, asked.alarms)


def rehearse(running: Running, recordings: Recordings) -> None:
    """Without labels: false alarms in order, and faults put in."""
    first = [r.part(0, TRAIN) for r in recordings.labelled]
    for name, tried, others in (
        ("without anomalies, pieces of 1150 s", pieces(recordings), first),
        ("first rows of three successive recordings", stretches(recordings), [*first, *pooled(recordings)]),
    ):
        own = constants(running.graph, running.kernel, tried, others)
        quiet = alarms(running.follow(tried, own), tried)
        shares = [float(a[TRAIN:].mean()) for a in quiet]
        plain = _later(running.detected(tried, own)).mean()
        print(
            f"{name}: alarms in {_later(quiet).mean():.1%} of the later rows of {len(tried)} "
            f"({min(shares):.0%} to {max(shares):.0%}); detectors alone {plain:.1%}"
        )
        put = faults(tried, TIMES, np.random.default_rng(3))
        changed = [f.recording for f in put]
        told = running.follow(changed, np.tile(own, (1, TIMES)))
        alarm = alarms(told, changed)
        print(f"  {len(put)} faults put in: {score(_later(alarm), _later([f.where for f in put]))}")
        for kind in KINDS:
            mine = [i for i, f in enumerate(put) if f.kind == kind]
            found = [(i, int(s)) for i in mine for s in np.flatnonzero(put[i].where & alarm[i])]
            rows = sum(int(put[i].where.sum()) for i in mine)
            named = sum(told.modes[told.how(second, i)].name == kind for i, second in found)
            right = f", of which {named / len(found):.0%} named right" if found else ""
            print(f"    {kind}: {len(mine)} put in, alarms in {len(found) / rows:.0%} of their seconds{right}")


def judge(running: Running, recordings: Recordings, path: Path, say: bool) -> None:
    """By the published protocol."""
    ours = recordings.labelled
    own = constants(running.graph, running.kernel, ours, pooled(recordings))
    told = running.follow(ours, own)
    alarm, labels = alarms(told, ours), truth(path)
    right = _later([labels[r.name] for r in ours])
    print(f"the twin in every mode: {score(_later(alarm), right)}")
    for family in ("valve1", "valve2", "other"):
        mine = [i for i, r in enumerate(ours) if r.name.startswith(family)]
        found, there = [alarm[i][TRAIN:] for i in mine], [labels[ours[i].name][TRAIN:] for i in mine]
        print(f"  {family}: {score(np.concatenate(found), np.concatenate(there))}; {spans(found, there)}")
    print(f"the platform's detectors over the twin in order: {score(_later(running.detected(ours, own)), right)}")
    print(f"alarming always: {score(np.ones_like(right), right)}")
    if say:
        _sentences(ours, told, alarm)
    print("without physics:")
    for temperatures, window in FORMS:
        kind = "with" if temperatures else "without"
        print(f"  {kind} temperatures, means of {window} s: {benchmark(path, temperatures, window)}")
    print(f"  without temperatures, seconds that last: {benchmark(path, False, 1, remember=True)}")


def _sentences(recordings: Sequence[Recording], told: Told, alarm: Sequence[Any]) -> None:
    for i, (recording, mine) in enumerate(zip(recordings, alarm, strict=True)):
        for begins, ends in episodes(mine):
            said = told.sentence(min(begins + TOLD_S, ends - 1), i)
            print(f"  {recording.name} rows {begins} to {ends - 1}: {said}")


def _later(rows: Sequence[Any]) -> Any:
    return np.concatenate([r[TRAIN:] for r in rows])


if __name__ == "__main__":
    main()
