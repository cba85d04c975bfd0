"""What the twin of the mill knows before, while and after a part is made.

python -m examples.cnc_mill [--data FOLDER]
python -m examples.cnc_mill --feed 9 --feed 20
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ectype.errors import Misconfigured
from examples.cnc_mill.drives import AXES, Drive, drive
from examples.cnc_mill.energy import Judged, Shown, foresee, leave_feed_out, leave_one_out, relative_rms
from examples.cnc_mill.quality import (
    Alarms,
    Watched,
    by_cusum,
    by_level,
    clopper_pearson,
    of_drives,
    ranked,
    settings,
    watch,
)
from examples.cnc_mill.records import FOLDER, Part, read
from examples.cnc_mill.trade import Feed, decided, even, quantiles

FEEDS = (3.0, 6.0, 20.0)


def main() -> None:
    """Run it and say what came out."""
    parser = argparse.ArgumentParser(description="A CNC mill: energy and time per part against quality.")
    parser.add_argument("--data", type=Path, default=FOLDER)
    parser.add_argument("--feed", type=float, action="append", help="mm/s: only say what a part would cost at it")
    asked = parser.parse_args()
    if asked.feed and not all(0.5 <= feed <= 50 for feed in asked.feed):
        parser.error("--feed is in mm/s, from 0.5 to 50, which is as fast as this mill moves")
    try:
        parts = read(asked.data)
    except Misconfigured as error:
        parser.error(str(error))
    if asked.feed:
        whatif(Shown.of([p for p in parts if p.finished]), asked.feed)
        return
    order(parts)
    print("calibrating 20 twins: a minute", file=sys.stderr)
    judged, twins = leave_one_out(parts)
    every = Shown.of([p for p in parts if p.finished], twins[0])
    before(judged, leave_feed_out(parts, every))
    whatif(every, (3.0, 6.0, 9.0, 20.0))
    watched = [watch(j.part, twin) for j, twin in zip(judged, twins, strict=True)]
    watched += [watch(p, every) for p in parts if not p.finished]
    drives = [drive(parts, axis) for axis in AXES]
    fit(every, watched, drives)
    quality(parts, watched, drives)
    trade(parts)


def whatif(twin: Shown, feeds: Sequence[float]) -> None:
    """What a part would cost, by a twin of all finished ones."""
    for feed in feeds:
        cost = foresee(twin, feed)
        low, middle, high = cost.interval
        known = "" if twin.feeds[0] <= feed <= twin.feeds[-1] else "; beyond what was ever run"
        print(f"at {feed:g} mm/s: {cost.seconds:.0f} s, {middle:.2f} Wh ({low:.2f} to {high:.2f}){known}")


def order(parts: Sequence[Part]) -> None:
    """How far from the order of time the recordings were."""
    out = [p for p in parts if p.ordered.before]
    print(
        f"order of time: {len(out)} of {len(parts)} recordings are published out of order; the tool leaps "
        f"{sum(p.ordered.before for p in parts)} times, {sum(p.ordered.after for p in parts)} once they are put right"
    )


def before(judged: Sequence[Judged], unseen: Sequence[Judged]) -> None:
    """Energy and time foretold."""
    print("\nbefore a part is made, by a twin that was not shown it (90 % interval; 'feed': nor any of its feed)")
    print("part feed   s came/said    Wh came   said    90 %          feed")
    for j in judged:
        other = next(u for u in unseen if u.part is j.part)
        low, middle, high = j.cost.interval
        print(
            f"{j.part.number:4d} {j.part.feed:4.0f}  {j.part.seconds:6.1f} {j.cost.seconds:6.1f}"
            f"   {j.part.spindle_wh:6.3f}  {middle:6.3f}  {low:.3f}-{high:.3f}  {other.cost.interval[1]:6.3f}"
        )
    came = [j.part.spindle_wh for j in judged]
    far = relative_rms([u.cost.interval[1] for u in unseen], [u.part.spindle_wh for u in unseen])
    print(
        f"rms error: twin {relative_rms([j.cost.interval[1] for j in judged], came):.1%}, not shown the feed {far:.1%}"
        f"; inside 90 %: {sum(j.inside for j in judged)} and {sum(u.inside for u in unseen)} of {len(judged)}"
    )
    for what, said in (
        ("mean of the same feed", [j.same_feed for j in judged]),
        ("last of the same feed", [j.last for j in judged]),
    ):
        there = np.isfinite(said)
        ours = relative_rms(
            [j.cost.interval[1] for j, t in zip(judged, there, strict=True) if t],
            [c for c, t in zip(came, there, strict=True) if t],
        )
        print(
            f"  {what}: {relative_rms(said, came):.1%} where there is one ({there.sum()} parts; twin there {ours:.1%})"
        )
    started = relative_rms([j.started for j in judged], came)
    print(f"  twin once it has seen the first 15 s of the part: {started:.1%}")
    print(f"X and Y drives: {min(j.part.axes_wh for j in judged):.3f} to {max(j.part.axes_wh for j in judged):.3f} Wh")


def fit(every: Shown, watched: Sequence[Watched], drives: Sequence[Drive]) -> None:
    """How consistent the twins are on parts that they were not shown."""
    print("\nspindle, 14 finished parts:")
    for name, e in every.spindle.estimates.items():
        print(f"  {name} {e.value:.3g} ({e.low:.3g} to {e.high:.3g}) {e.unit if 'noise' not in name else ''}")
    done = [w.fit for w in watched if w.part.finished]
    print(f"  left out: NIS {_range([f.nis for f in done])}, inside 90 %: {_range([f.covered for f in done])}")
    for d in drives:
        told = [d.fits[n] for n in d.fits if n in {w.part.number for w in watched} - {1, 2, 11}]
        print(f"{d.axis[0]} drive, explained of the current's variance in 15 parts that were not fitted on:")
        print(f"  usual formula {_range(d.usual)}; twin from inputs {_range(d.free)}; following {_range(d.following)}")
        print(f"  NIS {_range([f.nis for f in told])}, inside 90 %: {_range([f.covered for f in told])}")
        shown = {n: d.found.estimates[n] for n in ("coulomb", "bend", "viscous")}
        print("  " + ", ".join(f"{n} {e.value:.3g} ({e.low:.3g} to {e.high:.3g}) {e.unit}" for n, e in shown.items()))


def quality(parts: Sequence[Part], watched: Sequence[Watched], drives: Sequence[Drive]) -> None:
    """Lost parts noticed, and what goes with a failed inspection."""
    lost = [p for p in parts if not p.finished]
    print(f"\nlost parts: {', '.join(f'{p.number} (feed {p.feed:g}, {p.seconds:.0f} s)' for p in lost)}")
    found = [by_level(watched), by_cusum("spindle", {w.part.number: w.fit for w in watched}, parts)]
    found += [by_cusum(d.axis[0], d.fits, parts) for d in drives]
    for alarms in found:
        print(f"  {sentence(alarms, len(parts) - len(lost))}")
    print("failed inspection, among the finished: area under the curve, and how likely that is by chance")
    values = {"feed if the tool is worn (known before)": settings(parts)}
    values["spindle above, highest"] = {w.part.number: w.highest for w in watched}
    values |= {f"{axis} NIS": nis for axis, nis in of_drives(drives).items()}
    for what, value in values.items():
        area, chance = ranked(value, parts)
        print(f"  {what}: {area:.2f} (p {chance:.3f})")


def sentence(alarms: Alarms, finished: int) -> str:
    """One way to alarm."""
    noticed = {n: s for n, s in alarms.lost.items() if s is not None}
    low, high = clopper_pearson(len(noticed), len(alarms.lost))
    least, most = clopper_pearson(len(alarms.false), finished)
    when = ", ".join(f"{n}: {s:.1f} s before the stop" for n, s in noticed.items()) or "none"
    false = f" ({', '.join(map(str, alarms.false))})" if alarms.false else ""
    return (
        f"{alarms.by}: {len(noticed)} of {len(alarms.lost)} noticed [{low:.0%}-{high:.0%}] {when}; "
        f"false {len(alarms.false)} of {finished}{false} [{least:.0%}-{most:.0%}]"
    )


def trade(parts: Sequence[Part]) -> None:
    """Cost of a good part at each feed."""
    rng = np.random.default_rng(0)
    feeds = {f: Feed.of(parts, f, rng) for f in FEEDS}
    print("\nfeed  passed  pass rate 5-50-95 %   Wh / good part        s / good part")
    for one in feeds.values():
        rate, wh, s = quantiles(one.rate), quantiles(one.good_wh()), quantiles(one.good_seconds())
        print(
            f"{one.feed:4.0f}  {one.passed} of {one.begun}  {rate[0]:.2f} {rate[1]:.2f} {rate[2]:.2f}"
            f"       {wh[0]:5.1f} {wh[1]:5.1f} {wh[2]:5.1f}     {s[0]:5.0f} {s[1]:5.0f} {s[2]:5.0f}"
        )
    slow, fast = feeds[3.0], feeds[20.0]
    print(
        f"fewer Wh a good part at 20 than at 3: {(fast.good_wh() < slow.good_wh()).mean():.0%} sure; "
        f"at 6 than at 3: {(feeds[6.0].good_wh() < slow.good_wh()).mean():.0%}; "
        f"passes more often at 3 than at 20: {(slow.rate > fast.rate).mean():.1%}"
    )
    print(
        f"3 and 20 are even if a block and its handling cost {even(slow, fast, 'wh'):.1f} Wh "
        f"or {even(slow, fast, 'seconds'):.0f} s an attempt"
    )
    chances = ", ".join(f"{n}: {decided(slow, fast, n, rng):.0%}" for n in (5, 10, 20, 40, 80))
    print(f"95 % sure which takes fewer Wh a good part after so many more parts at each: {chances}")


def _range(values: Sequence[float] | np.ndarray[tuple[int], np.dtype[np.float64]]) -> str:
    return f"{np.median(values):.2f} ({np.min(values):.2f} to {np.max(values):.2f})"


if __name__ == "__main__":
    main()
