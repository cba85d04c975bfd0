"""Which twins are followed by a behaviour, and the calibrations that they are followed with."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ectype.errors import Invalid
from ectype.node.view import Draft, View
from ectype.server.gate import Gate, body_of, json_response
from ectype.server.query import no_parameters


def routes(gate: Gate) -> list[BaseRoute]:
    """`/api/behaviours` and `/api/calibrations/{id}`."""
    return [
        gate.route("/api/behaviours", get=_behaviours),
        gate.route("/api/calibrations/{id}", get=_calibration, post=_calibrated),
    ]


async def _behaviours(request: Request, view: View) -> Response:
    no_parameters(request)
    told = view.behaviours()
    wrong = [{"where": where, "text": text} for where, text in told.wrong]
    return json_response({"followed": told.followed, "plants": told.plants, "late": told.late, "wrong": wrong})


async def _calibration(request: Request, view: View) -> Response:
    no_parameters(request)
    return json_response(view.calibration(request.path_params["id"]))


async def _calibrated(request: Request, view: View) -> Response:
    no_parameters(request)
    try:
        body = msgspec.json.decode(await body_of(request))
    except msgspec.DecodeError as error:
        raise Invalid(f"a calibration is JSON, as `ectype calibrate --out` writes it: {error}") from error
    twin = request.path_params["id"]
    index = await view.write(Draft("calibration.put", f"calibration:{twin}", body))
    return json_response({"index": index})
