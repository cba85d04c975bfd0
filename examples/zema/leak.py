"""How much the pump leaks, on a cooler stage that the twin has never seen.

What a pump delivers is what it displaces less what slips back, and thinner (warmer) oil slips back more:

    flow = displaced - slip[leak] exp(b (T - 47 degC))

A least-squares fit for each of two plateaus of the cycle (valve at rest, before and after its switching), on the
stable cycles of two stages; a cycle of the third belongs to the leak from whose flows it is least far (Mahalanobis).
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from typing import Any

import numpy as np

from ectype.values.block import Float64s
from examples.zema.records import Records

PLATEAUS = ((12, 18), (52, 59))  # seconds of the cycle
BENDS = np.linspace(0.0, 0.08, 81)  # 1/K, searched
LEAKS = (0, 1, 2)
STAGES = (3, 20, 100)


def plateau(records: Records, window: tuple[int, int]) -> tuple[Float64s, Float64s]:
    """Each cycle's median flow there in l/min, and the mean oil temperature TS1 above 47 degC."""
    first, end = window
    flow = np.median(records.tenths["FS1"][:, first * 10 : end * 10], axis=1)
    return flow, records.seconds["TS1"][:, first:end].mean(1) - 47.0


def distances(flow: Float64s, warm: Float64s, leak: Float64s, train: Any) -> tuple[Float64s, Float64s]:
    """Residuals of the cycles fitted on, and every cycle's distance [cycles, 3] to each leak's expected flow."""
    fits: list[tuple[float, Float64s, Float64s]] = []
    for bend in BENDS:
        slip = np.exp(bend * warm)
        columns = np.stack([np.ones_like(flow), *(np.where(leak == k, -slip, 0.0) for k in LEAKS)], axis=1)
        found = np.linalg.lstsq(columns[train], flow[train], rcond=None)[0]
        residual = flow[train] - columns[train] @ found
        expected = np.stack([found[0] - found[1 + k] * slip for k in LEAKS], axis=1)
        fits.append((float(residual @ residual), residual, flow[:, None] - expected))
    return min(fits, key=lambda fit: fit[0])[1:]


def unseen(records: Records, stage: int) -> tuple[float, float]:
    """Share of that stage's stable cycles, and of all its cycles, whose leak is told right; it was fitted on none."""
    leak, steady = records.set_to["pump_leak"], records.set_to["unstable"] == 0
    flowing = np.median(records.tenths["FS1"][:, 250:450], axis=1) > 3  # a collapse says nothing of the leak
    train = ~records.stage(stage) & steady & flowing
    pairs = [distances(*plateau(records, w), leak, train) for w in PLATEAUS]
    precision = np.linalg.inv(np.cov(np.stack([residual for residual, _ in pairs])))
    off = np.stack([distance for _, distance in pairs], axis=2)
    told = np.einsum("nki,ij,nkj->nk", off, precision, off).argmin(1)
    right, here = told == leak, records.stage(stage)
    return float(right[here & steady].mean()), float(right[here].mean())
