"""A recording of one original as the events that its twin's filter folds."""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TypeGuard

import numpy as np

from ectype.errors import Invalid, Misconfigured
from ectype.estimate.behaviour import Behaviour
from ectype.estimate.events import Carry, Shape, pack
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
    names = [d.name for d in (*graph.layout.inputs, *graph.layout.sensors)]
    delay_ns = {s.name: round(s.delay_s * 1e9) for s in graph.layout.sensors}
    ticks: dict[int, dict[str, float]] = {}
    others: set[str] = set()
    for row in recording.rows(start_ns, stop_ns):
        if row.name != twin:
            others.add(row.name)
            continue
        for name in names:
            if name in row.values:
                ticks.setdefault(row.at_ns - delay_ns.get(name, 0), {})[name] = row.values[name]
    if not ticks:
        raise Invalid(
            f"{recording.path} has no reading of {', '.join(names)} for '{twin}' in that time; "
            f"it has rows of: {', '.join(sorted(others)) or 'nobody'}"
        )
    at_ns = np.array(sorted(ticks), np.int64)
    values = {name: np.array([[ticks[t].get(name, np.nan)] for t in sorted(ticks)]) for name in names}
    events, _ = pack(graph, Carry.fresh(graph, 1), at_ns, values)
    return at_ns, events.events[:, :, 0]


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
