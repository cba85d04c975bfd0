"""Numbers over time: the newest, the past, the expected, and what was alarming. Columns in, JSON columns out."""

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ectype.node.view import View
from ectype.server.gate import Gate, json_response
from ectype.server.query import NS_PER_MS, Query
from ectype.values.block import Float64s, Int64s

_MOST_SERIES = 256
_MOST_POINTS = 100_000
_ALL_TIME_NS = 2**63 - 1


def routes(gate: Gate) -> list[BaseRoute]:
    """`/api/last`, `/api/history`, `/api/forecast` and `/api/alarms`."""
    return [
        gate.route("/api/last", get=_last),
        gate.route("/api/history", get=_history),
        gate.route("/api/forecast", get=_forecast),
        gate.route("/api/alarms", get=_alarms),
    ]


def milliseconds(at_ns: Int64s) -> list[int]:
    """Instants as whole milliseconds since 1970, rounded down."""
    return (at_ns // NS_PER_MS).tolist()


def deviations(std: Float64s | None) -> list[float] | None:
    """Standard deviations; None when there is none at all, NaN (which JSON shows as null) where one is missing."""
    return None if std is None or bool(np.isnan(std).all()) else std.tolist()


async def _last(request: Request, view: View) -> Response:
    Query(request.query_params)
    last = view.last()
    series = {name: (at_ns // NS_PER_MS, value, std) for name, at_ns, value, std in last.samples.rows()}
    return json_response({"size": last.size, "series": series})


async def _history(request: Request, view: View) -> Response:
    query = Query(request.query_params, "series", "from", "to", "points")
    history = view.history(
        query.texts("series", _MOST_SERIES),
        query.instant_ns("from", default=-_ALL_TIME_NS),
        query.instant_ns("to", default=_ALL_TIME_NS),
        query.integer("points", 2, _MOST_POINTS, default=800),
    )
    series = {
        column.series: {
            "t": milliseconds(column.at_ns),
            "v": column.value.tolist(),
            "std": deviations(column.std),
        }
        for column in history.columns
    }
    return json_response({"size": history.size, "series": series})


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
        }
        for row in rows
    ]
    return json_response({"alarms": alarms})
