"""Numbers over time: the newest, the past, the expected, and what was alarming. Columns in, JSON columns out."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false

import asyncio
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import pyarrow as pa
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ectype.errors import Invalid
from ectype.node.messages import HOWS, ONLY, THIN, History, HistoryColumns, How, Only, Stretch
from ectype.node.view import View
from ectype.server.gate import Gate, json_response
from ectype.server.query import NS_PER_MS, Query, no_parameters
from ectype.server.tables import Form, form_of, instants, table_response
from ectype.values.block import Float64s, Int64s

_MOST_SERIES = 256
_MOST_POINTS = 100_000
_MOST_CELLS = 5_000_000
_HOLD_NS = 86_400 * 10**9  # a value is held for a day unless somebody says otherwise
_ALL_TIME_NS = 2**63 - 1
_HISTORY = ("series", "from", "to", "points", "thin", "every", "how", "max_age", "format", "quality", "only")


def routes(gate: Gate) -> list[BaseRoute]:
    """`/api/last`, `/api/history`, `/api/quality`, `/api/retention`, `/api/forecast`, `/api/life` and `/api/alarms`."""
    return [
        gate.route("/api/last", get=_last),
        gate.route("/api/history", get=_history),
        gate.route("/api/quality", get=_quality),
        gate.route("/api/retention", get=_retention),
        gate.route("/api/forecast", get=_forecast),
        gate.route("/api/life", get=_life),
        gate.route("/api/alarms", get=_alarms),
    ]


def milliseconds(at_ns: Int64s) -> list[int]:
    """Instants as whole milliseconds since 1970, rounded down."""
    return (at_ns // NS_PER_MS).tolist()


def deviations(std: Float64s | None) -> list[float] | None:
    """Standard deviations; None when there is none at all, NaN (which JSON shows as null) where one is missing."""
    return None if std is None or bool(np.isnan(std).all()) else std.tolist()


def tiers(stretches: Sequence[Stretch]) -> list[tuple[int, int, int]]:
    """(from, to, how long a stretch is) in ms of what was taken from tiers; nothing where all came from samples."""
    return [(s.from_ns // NS_PER_MS, s.to_ns // NS_PER_MS, s.every_ns // NS_PER_MS) for s in stretches if s.every_ns]


def _told(table: pa.Table, taken: Mapping[str, object]) -> pa.Table:
    """The table with what of it was taken from tiers, as metadata of its schema."""
    return table.replace_schema_metadata({"ectype.tiers": msgspec.json.encode(taken)}) if any(taken.values()) else table


async def _retention(request: Request, view: View) -> Response:
    """How long what is kept: null for ever."""
    no_parameters(request)
    series: dict[str, object] = {}
    for each in view.retained():
        kept = [{"every_ms": _ms(tier.every_ns), "keep_ms": _ms(tier.keep_ns)} for tier in each.rule.tiers]
        there = [(s.from_ns // NS_PER_MS, s.to_ns // NS_PER_MS, _ms(s.every_ns)) for s in each.stretches]
        series[each.series] = {"raw_ms": _ms(each.rule.raw_ns), "tiers": kept, "there": there}
    return json_response({"series": series})


def _ms(length_ns: int | None) -> int | None:
    return None if length_ns is None else length_ns // NS_PER_MS


async def _last(request: Request, view: View) -> Response:
    query = Query(request.query_params, "quality")
    last = view.last()
    series = {name: (at_ns // NS_PER_MS, value, std) for name, at_ns, value, std in last.samples.rows()}
    told: dict[str, object] = {"size": last.size, "series": series}
    if query.flag("quality"):
        told["not_good"] = view.not_good()
    return json_response(told)


async def _history(request: Request, view: View) -> Response:
    query = Query(request.query_params, *_HISTORY)
    form = form_of(request, query.text("format", 40))
    names = query.texts("series", _MOST_SERIES)
    from_ns = query.instant_ns("from", default=-_ALL_TIME_NS)
    to_ns = query.instant_ns("to", default=_ALL_TIME_NS)
    every_ns = query.duration_ns("every")
    quality, only = query.flag("quality"), _only(query)
    if every_ns is not None:
        if quality:
            raise Invalid("quality= is of single samples, not of the ticks of a clock; with every= say only=good")
        return await _clocked(query, view, form, names, from_ns, to_ns, every_ns, only)
    history = view.history(names, from_ns, to_ns, _points(query), query.choice("thin", THIN, "minmax"), quality, only)
    if form != "json":
        taken = {column.series: tiers(column.stretches) for column in history.columns}
        return table_response(_told(_long(history), taken), form)
    return json_response({"size": history.size, "series": {c.series: _column(c) for c in history.columns}})


def _column(column: HistoryColumns) -> dict[str, object]:
    told: dict[str, object] = {
        "t": milliseconds(column.at_ns),
        "v": column.value.tolist(),
        "std": deviations(column.std),
        "tiers": tiers(column.stretches),
    }
    if column.quality is not None and column.why is not None:
        told["quality"] = column.quality
        told["why"] = ["; ".join(reasons) or None for reasons in column.why]
    return told


def _only(query: Query) -> Only | None:
    if query.text("only", 20) is None:
        return None
    only: Only = query.choice("only", ONLY, "good")
    return only


async def _clocked(
    query: Query,
    view: View,
    form: Form,
    names: Sequence[str],
    from_ns: int,
    to_ns: int,
    every_ns: int,
    only: Only | None,
) -> Response:
    """Series beside each other at the ticks of one clock."""
    how: How = query.choice("how", HOWS, "last")
    max_age_ns = query.duration_ns("max_age") or _HOLD_NS
    at_ns = view.ticks(from_ns, to_ns, every_ns)
    if len(at_ns) * len(names) > _MOST_CELLS:
        raise Invalid(f"{len(at_ns)} ticks of {len(names)} series are more than {_MOST_CELLS} values; ask for fewer")
    columns: dict[str, Float64s] = {}
    taken: dict[str, list[tuple[int, int, int]]] = {}
    for name in names:
        clocked = view.on_clock(name, at_ns, every_ns, how, max_age_ns, only)
        columns[name], taken[name] = clocked.value, tiers(clocked.stretches)
        await asyncio.sleep(0)  # others have their turn between two series
    if form == "json":
        series = {name: value.tolist() for name, value in columns.items()}
        return json_response({"t": milliseconds(at_ns), "series": series, "tiers": taken})
    table = pa.table({"at": instants(at_ns), **{name: pa.array(v, from_pandas=True) for name, v in columns.items()}})
    return table_response(_told(table, taken), form)


def _points(query: Query) -> int | None:
    return None if query.text("points", 20) == "all" else query.integer("points", 2, _MOST_POINTS, default=800)


def _long(history: History) -> pa.Table:
    """series, at, value, std, and quality and why if asked for: a row a sample."""
    columns = history.columns
    at_ns = np.concatenate([c.at_ns for c in columns])
    value = np.concatenate([c.value for c in columns])
    std = np.concatenate([np.full(len(c.at_ns), np.nan) if c.std is None else c.std for c in columns])
    which = np.repeat(np.arange(len(columns), dtype=np.int32), [len(c.at_ns) for c in columns])
    table = {
        "series": pa.DictionaryArray.from_arrays(pa.array(which), pa.array([c.series for c in columns])),
        "at": instants(at_ns),
        "value": pa.array(value, from_pandas=True),
        "std": pa.array(std, from_pandas=True),
    }
    if all(c.quality is not None for c in columns):
        words = [word for c in columns for word in c.quality or ()]
        why = ["; ".join(reasons) or None for c in columns for reasons in c.why or ()]
        table |= {"quality": pa.array(words, pa.utf8()), "why": pa.array(why, pa.utf8())}
    return pa.table(table)


async def _quality(request: Request, view: View) -> Response:
    query = Query(request.query_params, "series", "now", "limit")
    names = query.texts("series", _MOST_SERIES) if "series" in request.query_params else ()
    told = view.quality(names, query.integer("limit", 1, 10_000, default=1000), query.flag("now"))
    rows = [
        {
            "series": row.series,
            "now": row.now,
            "since_ms": None if row.since_ns is None else row.since_ns // NS_PER_MS,
            "suspect": row.suspect,
            "bad": row.bad,
            "last": {"t": row.at_ns // NS_PER_MS, "v": row.value, "quality": row.quality, "why": row.reasons},
        }
        for row in told.rows
    ]
    return json_response({"size": told.size, "suspect": told.suspect, "bad": told.bad, "series": rows})


async def _forecast(request: Request, view: View) -> Response:
    query = Query(request.query_params, "series")
    series = {
        column.series: {
            "issued_ms": column.issued_ns // NS_PER_MS,
            "t": milliseconds(column.at_ns),
            "v": column.value.tolist(),
        }
        for column in view.forecast(query.texts("series", _MOST_SERIES))
    }
    return json_response({"series": series})


async def _life(request: Request, view: View) -> Response:
    Query(request.query_params)
    return json_response({"life": view.lives()})


async def _alarms(request: Request, view: View) -> Response:
    query = Query(request.query_params, "active", "limit")
    rows = view.alarms(query.flag("active"), query.integer("limit", 1, 10_000, default=200))
    alarms = [
        {
            "id": row.id,
            "twin": row.twin,
            "name": row.name,
            "severity": row.severity,
            "text": row.text,
            "since_ms": row.since_ns // NS_PER_MS,
            "until_ms": None if row.until_ns is None else row.until_ns // NS_PER_MS,
            "cost_kwh": row.cost_kwh,
            "why": row.why,
        }
        for row in rows
    ]
    return json_response({"alarms": alarms})
