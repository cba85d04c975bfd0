"""The log itself and its proofs, for whoever would rather check than trust."""

import base64
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute

from ectype.node.messages import EntryRow
from ectype.node.view import View
from ectype.server.gate import Gate, json_response
from ectype.server.query import Query, no_parameters

_MOST = 2**62
_MOST_ENTRIES = 1000


def routes(gate: Gate) -> list[BaseRoute]:
    """`/api/log/...`: entries, checkpoint, key, proof and consistency."""
    return [
        gate.route("/api/log/entries", get=_entries),
        gate.route("/api/log/checkpoint", get=_checkpoint),
        gate.route("/api/log/key", get=_key),
        gate.route("/api/log/proof", get=_proof),
        gate.route("/api/log/consistency", get=_consistency),
    ]


async def _entries(request: Request, view: View) -> Response:
    query = Query(request.query_params, "start", "limit")
    start = query.integer("start", 0, _MOST, default=0)
    page = view.entries(start, start + query.integer("limit", 1, _MOST_ENTRIES, default=100))
    return json_response({"size": page.size, "entries": [_entry_json(row) for row in page.entries]})


async def _checkpoint(request: Request, view: View) -> Response:
    no_parameters(request)
    return _text(view.checkpoint())


async def _key(request: Request, view: View) -> Response:
    no_parameters(request)
    return _text(view.verifier_key() + "\n")


async def _proof(request: Request, view: View) -> Response:
    query = Query(request.query_params, "index", "size")
    proof = view.proof(query.integer("index", 0, _MOST), query.optional_integer("size", 1, _MOST))
    return json_response(
        {
            "index": proof.index,
            "size": proof.size,
            "leaf_hash": _base64(proof.leaf_hash),
            "path": _hashes(proof.path),
            "root": _base64(proof.root),
        }
    )


async def _consistency(request: Request, view: View) -> Response:
    query = Query(request.query_params, "from", "to")
    proof = view.consistency(query.integer("from", 0, _MOST), query.integer("to", 0, _MOST))
    return json_response(
        {
            "from": proof.first_size,
            "to": proof.second_size,
            "path": _hashes(proof.path),
            "from_root": _base64(proof.first_root),
            "to_root": _base64(proof.second_root),
        }
    )


def _entry_json(row: EntryRow) -> dict[str, object]:
    """The header stays the exact text that was hashed, so that a reader in any language can hash it again."""
    return {
        "index": row.index,
        "header": row.header.decode(),
        "salt": None if row.salt is None else _base64(row.salt),
        "body": None if row.body is None else _base64(row.body),
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _hashes(path: Sequence[bytes]) -> list[str]:
    return [_base64(node) for node in path]


def _text(text: str) -> Response:
    return PlainTextResponse(text, headers={"cache-control": "no-store"})
