"""Blocks of made-up and of shipped measurements, and the fleet they belong to."""

from importlib.resources import as_file, files

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ectype.estimate.runner import Fleet, TwinSetup
from ectype.values.block import Block

IDS = ("R80711", "R80721", "R80736", "R80790")
USED = ("power", "windSpeed", "pitch", "vane", "temperature")
TEN_MIN = 600 * 10**9


def fleet(ids=IDS):
    model = "dtmi:ectype:WindTurbine;1"
    turbines = [TwinSetup(i, model, {"elevation": 411, "hubHeight": 80}, tuple(j for j in ids if j != i)) for i in ids]
    return Fleet((TwinSetup("la-haute-borne", "dtmi:ectype:WindFarm;1", {}), *turbines))


def shipped(start_ns=0, stop_ns=2**62):
    """The measurements that ship with the package, in order of time, as one block."""
    with as_file(files("ectype.demo").joinpath("data/la_haute_borne.parquet")) as path:
        table = pq.read_table(path)
    at = table["t"].cast(pa.int64()).to_numpy() * 10**6
    keep = (at >= start_ns) & (at < stop_ns)
    turbine = np.array([IDS.index(t) for t in table["turbine"].to_pylist()])[keep]
    columns = [c for c in table.column_names if c not in ("turbine", "t")]
    values = np.stack([table[c].to_numpy().astype(np.float64) for c in columns], 1)[keep]
    names = tuple(f"{i}.{c}" for i in IDS for c in columns)
    which = turbine[:, None] * len(columns) + np.arange(len(columns))
    return Block(names, which.ravel().astype(np.int32), np.repeat(at[keep], len(columns)), values.ravel())


def steady(ticks, *, ids=IDS, power=1000.0, wind=8.4, stopped=(), start_ns=10**18):
    """Every turbine makes `power`; those (turbine, first, last) in `stopped` stand still from tick first to last."""
    rows = []
    for k in range(ticks):
        for i in ids:
            still = any(i == who and first <= k <= last for who, first, last in stopped)
            values = (-5.0 if still else power, wind, 88.0 if still else -1.0, 2.0, 10.0)
            rows += [(f"{i}.{p}", start_ns + k * TEN_MIN, v) for p, v in zip(USED, values, strict=True)]
    return Block.of(rows)


def part(block, rows):
    return Block(block.names, block.series[rows], block.at_ns[rows], block.value[rows])


def series(block, name):
    """at_ns, value, std of one series of a block."""
    rows = block.series == block.names.index(name)
    std = None if block.std is None else block.std[rows]
    return block.at_ns[rows], block.value[rows], std
