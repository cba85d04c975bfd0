"""What Grafana's JSON data source asks (simpod-json-datasource; and its ancestor, SimpleJson): series as panels.

    GET  /grafana           is anybody there
    POST /grafana/metrics   which series there are; /grafana/search is the older name
    POST /grafana/query     ranges of series, thinned to the panel's width without losing a peak

The Infinity data source needs none of this: it reads `/api/history?format=csv`.
"""

from typing import Annotated, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ectype.clock import from_iso
from ectype.errors import Invalid
from ectype.node.view import View
from ectype.server.gate import Gate, body_of, json_response
from ectype.server.query import NS_PER_MS

_MOST_TARGETS = 256
_Shape = TypeVar("_Shape")


class _Range(msgspec.Struct):
    start: Annotated[str, msgspec.Meta(max_length=80)] = msgspec.field(name="from")
    stop: Annotated[str, msgspec.Meta(max_length=80)] = msgspec.field(name="to")


class _Target(msgspec.Struct):
    target: str = ""
    hide: bool = False


class _Asked(msgspec.Struct):
    range: _Range
    targets: Annotated[list[_Target], msgspec.Meta(max_length=_MOST_TARGETS)]
    most: float = msgspec.field(name="maxDataPoints", default=800)


class _Sought(msgspec.Struct):
    target: str = ""
    metric: str = ""


def routes(gate: Gate) -> list[BaseRoute]:
    """`/grafana` and what is below it."""
    return [
        gate.route("/grafana", get=_alive),
        gate.route("/grafana/", get=_alive),
        gate.route("/grafana/metrics", post=_metrics),
        gate.route("/grafana/search", post=_search),
        gate.route("/grafana/metric-payload-options", post=_nothing),
        gate.route("/grafana/variable", post=_search_variable),
        gate.route("/grafana/tag-keys", post=_nothing),
        gate.route("/grafana/tag-values", post=_nothing),
        gate.route("/grafana/query", post=_query),
    ]


async def _alive(request: Request, view: View) -> Response:
    del request
    view.space()
    return json_response({"status": "ok"})


async def _nothing(request: Request, view: View) -> Response:
    del request, view
    return json_response([])


async def _search(request: Request, view: View) -> Response:
    return json_response(_names(view, (await _read(request, _Sought)).target))


async def _metrics(request: Request, view: View) -> Response:
    names = _names(view, (await _read(request, _Sought)).metric)
    return json_response([{"label": name, "value": name} for name in names])


async def _search_variable(request: Request, view: View) -> Response:
    del request
    return json_response([{"__text": name, "__value": name} for name in _names(view, "")])


async def _query(request: Request, view: View) -> Response:
    asked = await _read(request, _Asked)
    wanted = [each.target for each in asked.targets if each.target and not each.hide]
    if not wanted:
        return json_response([])
    points = min(max(int(asked.most), 2), 100_000)
    history = view.history(wanted, from_iso(asked.range.start), from_iso(asked.range.stop), points)
    return json_response(
        [
            {
                "target": c.series,
                "datapoints": list(zip(c.value.tolist(), (c.at_ns // NS_PER_MS).tolist(), strict=True)),
            }
            for c in history.columns
        ]
    )


def _names(view: View, part: str) -> list[str]:
    """Series whose name contains `part`, whatever its case."""
    return sorted(name for name in view.last().samples.names if part.lower() in name.lower())


async def _read(request: Request, shape: type[_Shape]) -> _Shape:
    body = await body_of(request)
    try:
        return msgspec.json.decode(body or b"{}", type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Invalid(f"this is not what Grafana asks: {error}") from error
