"""Twins and how they hang together: read, and changed by JSON Patch with an ETag against lost updates."""

import re
from typing import cast

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ectype.errors import Invalid
from ectype.node.messages import Json, RelationshipRow, TwinRow
from ectype.node.view import View
from ectype.server.gate import Gate, body_of, json_response
from ectype.server.query import no_parameters

_PATCH_TYPES = frozenset({"application/json-patch+json", "application/json"})
_ETAG = re.compile(r'(?:W/)?"([0-9]{1,18})"')
_MOST_OPERATIONS = 1000

_decode_patch = msgspec.json.Decoder(list[dict[str, msgspec.Raw]]).decode


def routes(gate: Gate) -> list[BaseRoute]:
    """`/api/twins` and `/api/twins/{id}`."""
    return [gate.route("/api/twins", get=_twins), gate.route("/api/twins/{id}", get=_twin, patch=_patch)]


async def _twins(request: Request, view: View) -> Response:
    no_parameters(request)
    twins, relationships = view.twins(), view.relationships()
    return json_response(
        {
            "size": twins.size,
            "twins": [_twin_json(row) for row in twins.twins],
            "relationships": [_relationship_json(row) for row in relationships.relationships],
        }
    )


async def _twin(request: Request, view: View) -> Response:
    no_parameters(request)
    row = view.twin(request.path_params["id"])
    return json_response(_twin_json(row), {"etag": etag(row.last_index)})


async def _patch(request: Request, view: View) -> Response:
    no_parameters(request)
    if_match = parse_if_match(request.headers.getlist("if-match"))
    content_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if content_type not in _PATCH_TYPES:
        raise Invalid(f"a patch is application/json-patch+json, not {content_type[:80]}")
    patch = parse_patch(await body_of(request))
    index = await view.patch_twin(request.path_params["id"], patch, if_match)
    return Response(status_code=204, headers={"etag": etag(index), "cache-control": "no-store"})


def etag(index: int) -> str:
    """The ETag of a twin whose last entry has that index."""
    return f'W/"{index}"'


def parse_if_match(headers: list[str]) -> int | None:
    """The last index that `If-Match` asks for; None when it is not there or `*`, which asks for nothing more."""
    if not headers or headers == ["*"]:
        return None
    found = _ETAG.fullmatch(headers[0].strip())
    if len(headers) > 1 or found is None:
        raise Invalid(
            f'If-Match {", ".join(headers)[:80]} is no ETag of a twin; send back what $etag said, like W/"17"'
        )
    return int(found[1])


def parse_patch(body: bytes) -> list[Json]:
    """A JSON Patch (RFC 6902), of which the space checks the meaning: a list of {"op", "path", "value"}."""
    try:
        operations = _decode_patch(body)
        patch = [cast("dict[str, Json]", {k: msgspec.json.decode(v) for k, v in o.items()}) for o in operations]
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Invalid(
            f'the body is no JSON Patch, like [{{"op":"replace","path":"/name","value":"A"}}]: {error}'
        ) from error
    if not 1 <= len(patch) <= _MOST_OPERATIONS:
        raise Invalid(f"a patch has 1 to {_MOST_OPERATIONS} operations, not {len(patch)}")
    for number, operation in enumerate(patch):
        if not isinstance(operation.get("op"), str) or not isinstance(operation.get("path"), str):
            raise Invalid(f'operation {number} of the patch needs "op" and "path", both strings')
    return cast("list[Json]", patch)


def _twin_json(row: TwinRow) -> dict[str, Json]:
    return {
        "$dtId": row.id,
        "$etag": etag(row.last_index),
        **row.properties,
        "$metadata": {"$model": row.model},
    }


def _relationship_json(row: RelationshipRow) -> dict[str, Json]:
    return {
        "$relationshipId": row.id,
        "$sourceId": row.source,
        "$targetId": row.target,
        "$relationshipName": row.name,
        **row.properties,
    }
