"""A program cut into stages, so that a loop can work on one group of twins in each stage at the same time.

    turn t:    stage 2 of group t-2  |  stage 1 of group t-1  |  stage 0 of group t

A filter is a chain: a Cholesky factor, four slopes, another factor, the sensors. Between the factors there is plenty to
do at once, inside them next to nothing, and a processor looks too few instructions ahead to find the next group by
itself. Stages of different groups do not wait for each other, so their instructions fill each other's gaps (software
pipelining, Lam 1988), at the same size of code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from ectype.estimate.scalars import Instruction, latency_of, order, single_assignment

_FETCHED = ("input", "const")


@final
@dataclass(frozen=True, slots=True)
class Pipeline:
    """merged: (stage, instruction) in the order of one turn; handed[s]: results that stage s takes over from stage
    s - 1, its own or handed to it. Inputs and constants are fetched anew in each stage that uses them.
    """

    merged: tuple[tuple[int, Instruction], ...]
    handed: tuple[tuple[int, ...], ...]


def pipelined(program: Sequence[Instruction], stages: int, window: int = 600, wide: float = 2.5) -> Pipeline:
    """The program in so many stages, cut where little is handed on. All outputs are in the last one."""
    code = single_assignment(program)
    begin = _begins(code)
    last_use: dict[int, float] = {}
    for k, ins in enumerate(code):
        for o in () if ins.op in _FETCHED else ins.operands:
            if code[o].op not in _FETCHED:
                last_use[o] = max(last_use.get(o, 0.0), begin[k])
    starts = [0.0, *_cuts(begin, last_use, stages)]
    stage = [stages - 1 if i.op == "output" else sum(begin[k] >= s for s in starts[1:]) for k, i in enumerate(code)]
    handed: list[set[int]] = [set() for _ in range(stages)]
    nodes: dict[tuple[int, int], float] = {}  # (stage, k) -> when in its turn
    for k, ins in enumerate(code):
        if ins.op in _FETCHED:
            continue
        s = stage[k]
        nodes[s, k] = begin[k] - starts[s]
        for o in ins.operands:
            if code[o].op in _FETCHED:
                nodes[s, o] = min(nodes.get((s, o), begin[k]), nodes[s, k])
            else:
                for later in range(stage[o] + 1, s + 1):
                    handed[later].add(o)
    listed = sorted(nodes, key=lambda node: (nodes[node], node[1]))
    place = {node: n for n, node in enumerate(listed)}
    waits = [
        () if code[k].op in _FETCHED else tuple(place[s, o] for o in code[k].operands if (s, o) in place)
        for s, k in listed
    ]
    chosen = order(waits, [code[k].op for _, k in listed], window, wide)
    merged = tuple((listed[n][0], code[listed[n][1]]) for n in chosen)
    return Pipeline(merged, tuple(tuple(sorted(h)) for h in handed))


def _begins(code: Sequence[Instruction]) -> list[float]:
    """When each can begin, at the earliest, in cycles from the start."""
    begin, end = [0.0] * len(code), [0.0] * len(code)
    for k, ins in enumerate(code):
        begin[k] = 0.0 if ins.op in _FETCHED else max((end[o] for o in ins.operands), default=0.0)
        end[k] = begin[k] + latency_of(ins.op)
    return begin


def _cuts(begin: Sequence[float], last_use: Mapping[int, float], stages: int) -> list[float]:
    """Instants at which few results wait for a later use, about equally far apart."""
    longest = max(begin, default=0.0)
    cuts: list[float] = []
    for s in range(1, stages):
        low, high = longest * (s - 0.4) / stages, longest * (s + 0.4) / stages
        times = sorted({b for b in begin if low <= b <= high}) or [longest * s / stages]
        cuts.append(min(times, key=lambda c: sum(begin[k] < c <= use for k, use in last_use.items())))
    return cuts
