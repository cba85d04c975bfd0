"""A recording of one original as the events that its twin's filter folds."""

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TypeGuard

import numpy as np

from ectype.errors import Invalid, Misconfigured
from ectype.estimate.behaviour import Behaviour
from ectype.estimate.events import Carry, Events, Shape, pack
from ectype.sources.recording import Recording
from ectype.values.block import Float64s, Int64s


def load_behaviour(name: str) -> type[Behaviour]:
    """`package.module:Class` or `path/to/file.py:Class`. Runs that module: it is code. Raises Misconfigured."""
    where, _, what = name.rpartition(":")
    if not where:
        raise Misconfigured(f"'{name}' names no behaviour; write package.module:Class or file.py:Class")
    module = import_named(where)
    found = getattr(module, what, None)
    if not _is_behaviour(found):
        there = [n for n, v in vars(module).items() if _is_behaviour(v)]
        raise Misconfigured(f"{where} has no behaviour '{what}'; it has: {', '.join(there) or 'none'}")
    return found


def import_named(where: str) -> ModuleType:
    """The module `package.module` or `path/to/file.py`. Runs it: it is code. Raises Misconfigured."""
    try:
        return _from_file(Path(where)) if where.endswith(".py") else importlib.import_module(where)
    except (ImportError, OSError) as error:
        raise Misconfigured(f"'{where}' cannot be imported: {error}") from error


def events_of(
    graph: Shape, recording: Recording, twin: str, start_ns: int | None = None, stop_ns: int | None = None
) -> tuple[Int64s, Float64s]:
    """at_ns [k] and events [k, event_size] of the rows of `twin`, in order of time; rows without any of the behaviour's
    names are left out, and of rows of one instant what came last counts. A delayed sensor's reading is at the instant
    that it speaks of. Raises Invalid if nothing is left.
    """
    at_ns, packed = packed_of(graph, readings_of(graph, recording, twin, start_ns, stop_ns))
    return at_ns, packed.events[:, :, 0]


def readings_of(
    graph: Shape, recording: Recording, twin: str, start_ns: int | None = None, stop_ns: int | None = None
) -> dict[str, tuple[Int64s, Float64s]]:
    """By declared name the instants at which it was read, and its values. Raises Invalid if there are none at all."""
    declared = [d.name for d in (*graph.layout.inputs, *graph.layout.sensors)]
    at: dict[str, list[int]] = {name: [] for name in declared}
    values: dict[str, list[float]] = {name: [] for name in declared}
    others: set[str] = set()
    for row in recording.rows(start_ns, stop_ns):
        if row.name != twin:
            others.add(row.name)
            continue
        for name in declared:
            if name in row.values:
                at[name].append(row.at_ns)
                values[name].append(row.values[name])
    if not any(at.values()):
        raise Invalid(
            f"{recording.path} has no reading of {', '.join(declared)} for '{twin}' in that time; "
            f"it has rows of: {', '.join(sorted(others)) or 'nobody'}"
        )
    return {name: (np.array(at[name], np.int64), np.array(values[name])) for name in declared}


def packed_of(graph: Shape, readings: Mapping[str, tuple[Int64s, Float64s]]) -> tuple[Int64s, Events]:
    """at_ns [k], and the events of one twin from readings by declared name, in the order in which they came."""
    delay_ns = {s.name: round(s.delay_s * 1e9) for s in graph.layout.sensors}
    moved = {name: at - delay_ns.get(name, 0) for name, (at, _) in readings.items()}
    at_ns = np.unique(np.concatenate(list(moved.values())))
    values = {name: np.full((len(at_ns), 1), np.nan) for name in readings}
    for name, (_, value) in readings.items():
        values[name][np.searchsorted(at_ns, moved[name]), 0] = value
    return at_ns, pack(graph, Carry.fresh(graph, 1), at_ns, values)[0]


def _is_behaviour(value: object) -> TypeGuard[type[Behaviour]]:
    return isinstance(value, type) and issubclass(value, Behaviour) and value is not Behaviour


def _from_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
