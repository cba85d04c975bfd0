"""JSON Patch (RFC 6902) as far as twins use it: add, replace and remove.

Pure: the patched value shares with the original what did not change, and the original is as it was.
"""

from collections.abc import Mapping, Sequence
from typing import final

from ectype.errors import Invalid
from ectype.model.schema import JSON

_OPS_LIMIT = 10_000


@final
class BadPatch(Invalid):
    """A patch that is none, or cannot be applied to what is there."""


def apply_patch(value: Mapping[str, JSON], patch: JSON) -> dict[str, JSON]:
    """`value` after all operations of `patch`, in order. Raises Invalid, naming the operation, if one fails."""
    if not isinstance(patch, list):
        raise BadPatch('a patch is a list of operations like {"op": "replace", "path": "/speed", "value": 2}')
    if len(patch) > _OPS_LIMIT:
        raise BadPatch(f"a patch of {len(patch)} operations is longer than {_OPS_LIMIT}; split it")
    result: JSON = dict(value)
    for number, operation in enumerate(patch, 1):
        try:
            result = _apply(result, operation)
        except Invalid as error:
            raise BadPatch(f"operation {number} of the patch: {error}") from error
    if not isinstance(result, dict):
        raise BadPatch("a patch cannot replace the whole by something that is no object")
    return result


def _apply(value: JSON, operation: JSON) -> JSON:
    if not isinstance(operation, dict):
        raise Invalid('must be an object like {"op": "replace", "path": "/speed", "value": 2}')
    op = operation.get("op")
    if op not in ("add", "replace", "remove"):
        raise Invalid(f"{str(op)[:40]!r} is not possible here; use add, replace or remove")
    if op != "remove" and "value" not in operation:
        raise Invalid(f'{op!r} needs a "value"')
    path = operation.get("path")
    if not isinstance(path, str) or not path.startswith("/"):
        raise Invalid('needs a "path" like "/speed"')
    return _at(value, pointer(path), str(op), operation.get("value"), path)


def pointer(path: str) -> list[str]:
    """The reference tokens of a JSON Pointer (RFC 6901) that is not empty. Raises Invalid for a wrong escape."""
    tokens = path.split("/")[1:]
    if len(tokens) > 100:
        raise Invalid("its path is more than 100 levels deep")
    for token in tokens:
        if token.count("~") != token.count("~0") + token.count("~1"):
            raise Invalid(f"{path[:140]!r}: write ~ as ~0 and / as ~1 inside a name")
    return [token.replace("~1", "/").replace("~0", "~") for token in tokens]


def _at(value: JSON, tokens: Sequence[str], op: str, new: JSON, path: str) -> JSON:
    name, rest = tokens[0], tokens[1:]
    if isinstance(value, dict):
        if name not in value and (rest or op != "add"):
            raise Invalid(f"there is nothing at {path[:140]!r} to {'go through' if rest else op}")
        changed = dict(value)
        if rest:
            changed[name] = _at(value[name], rest, op, new, path)
        elif op == "remove":
            del changed[name]
        else:
            changed[name] = new
        return changed
    if isinstance(value, list):
        index = _index(name, len(value), path, end=op == "add" and not rest)
        if rest:
            return [*value[:index], _at(value[index], rest, op, new, path), *value[index + 1 :]]
        if op == "remove":
            return [*value[:index], *value[index + 1 :]]
        return [*value[:index], new, *value[index + (op == "replace") :]]
    raise Invalid(f"{path[:140]!r} leads into a value that has no parts")


def _index(text: str, length: int, path: str, *, end: bool) -> int:
    if end and text == "-":
        return length
    plain = text.isascii() and text.isdigit() and len(text) < 10 and (text == "0" or text[0] != "0")
    if not plain or int(text) >= length + end:
        raise Invalid(f"{path[:140]!r}: {text[:20]!r} is no index into a list of {length}")
    return int(text)
