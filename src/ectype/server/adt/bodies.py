"""JSON from callers, read strictly: UTF-8, no NaN, no name twice, no deeper than anything real is."""

import json
from typing import Any, cast

import msgspec

from ectype.model.schema import JSON
from ectype.server.adt.errors import AdtError, NotAList

_DEEPEST = 64
_decode = msgspec.json.Decoder().decode


def read_json(body: bytes, what: str) -> JSON:
    """The JSON value of a request's body. Raises AdtError 400 for anything that another reader could read otherwise."""
    if not body.strip():
        raise AdtError(400, "BadRequest", f"the request has no body; it needs {what}")
    if body.count(b"[") + body.count(b"{") > _DEEPEST and _depth(body) > _DEEPEST:
        raise AdtError(400, "BadRequest", f"the body is nested more than {_DEEPEST} levels deep")
    try:
        value = _decode(body)
        json.loads(body, object_pairs_hook=_once)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise AdtError(400, "BadRequest", f"the body is not the JSON of {what}: {error}") from error
    return cast(JSON, value)


def read_object(body: bytes, what: str) -> dict[str, JSON]:
    """The same, for an object."""
    value = read_json(body, what)
    if not isinstance(value, dict):
        raise AdtError(400, "BadRequest", f"the body must be a JSON object: {what}")
    return value


def read_patch(body: bytes) -> list[JSON]:
    """The same, for a JSON Patch. Its meaning is judged where it is applied."""
    value = read_json(body, "a JSON Patch")
    if not isinstance(value, list):
        raise NotAList('a JSON Patch is a list like [{"op": "replace", "path": "/speed", "value": 2}]')
    for number, operation in enumerate(value, 1):
        if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
            raise AdtError(400, "JsonPatchInvalid", f'operation {number} of the patch needs "op" and "path"')
    return value


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len(pairs) > 1 and len({name for name, _ in pairs}) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice[:80]!r} occurs twice in one object")


def _depth(body: bytes) -> int:
    """How deep brackets nest; those inside strings count too little to matter: escapes are followed."""
    depth = deepest = 0
    quoted = escaped = False
    for byte in body:
        if quoted:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                quoted = False
        elif byte == 0x22:
            quoted = True
        elif byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
            if deepest > _DEEPEST:
                return deepest
        elif byte in b"]}":
            depth -= 1
    return deepest
