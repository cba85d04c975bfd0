"""`ectype model show ID`: the tree of a type, with what it inherits."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from ectype.cli.model_check import files_of
from ectype.cli.node_options import add_credentials, space_of
from ectype.cli.options import add_json
from ectype.errors import Misconfigured
from ectype.model.interface import Command, Component, Content, Interface, Property, Relationship, Telemetry
from ectype.model.models import Models
from ectype.model.parse import parse
from ectype.model.schema import JSON, Array, Enum, Map, Object, Primitive, Recursive, Schema

_DEEP = 6


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("id", nargs="?", metavar="ID", help="which type (default: all of them, a line each)")
    parser.add_argument("--from", dest="path", type=Path, metavar="FILE|DIR", help="read the types there")
    parser.add_argument("--url", default="http://127.0.0.1:8787", help="else ask this node (default %(default)s)")
    add_credentials(parser)
    add_json(parser)


def main(args: argparse.Namespace) -> None:
    """Run it."""
    models = _read(args)
    if args.id is None:
        for each in models:
            print(json.dumps({"id": each.id, "extends": each.extends}) if args.json else _line(each))
        return
    interface = models.interface(args.id)
    if args.json:
        print(json.dumps(interface.document))
        return
    print("\n".join([_line(interface), *_contents(interface, models, "", 0)]))


def _read(args: argparse.Namespace) -> Models:
    if args.path is None:
        return parse(space_of(args).models())
    documents: list[JSON] = []
    for file in files_of(args.path):
        try:
            documents.append(json.loads(file.read_text("utf-8")))
        except (ValueError, OSError) as error:
            raise Misconfigured(f"{file}: is no JSON: {error}") from error
    return parse(documents)


def _line(interface: Interface) -> str:
    above = f" extends {', '.join(interface.extends)}" if interface.extends else ""
    words = interface.display_name.get("en", "")
    return f"{interface.id}{above}{f'  # {words}' if words else ''}"


def _contents(interface: Interface, models: Models, indent: str, depth: int) -> Iterator[str]:
    shown = sorted(interface.contents.values(), key=lambda each: (type(each).__name__, each.name))
    for index, each in enumerate(shown):
        last = index == len(shown) - 1
        origin = f"  (from {each.owner})" if each.owner != interface.id else ""
        yield f"{indent}{'└─' if last else '├─'} {_told(each)}{origin}"
        if isinstance(each, Component) and depth < _DEEP:
            yield from _contents(models.interface(each.schema), models, indent + ("   " if last else "│  "), depth + 1)


def _told(content: Content) -> str:
    kinds = "".join(f" {each}" for each in content.types)
    match content:
        case Property(unit=unit, schema=schema) | Telemetry(unit=unit, schema=schema):
            free = " writable" if isinstance(content, Property) and content.writable else ""
            return f"{content.name}: {_schema(schema)}{f' [{unit}]' if unit else ''}{kinds}{free} {_kind(content)}"
        case Relationship(target=target):
            least, most = content.min_multiplicity or 0, content.max_multiplicity
            inner = ", ".join(content.properties)
            count = f" {least}..{most or '*'}"
            return f"{content.name} → {target or 'any'}{count}{f' ({inner})' if inner else ''}{kinds} {_kind(content)}"
        case Component(schema=schema):
            return f"{content.name}: {schema}{kinds} {_kind(content)}"
        case Command(request=request, response=response):
            asked = f"{request.name}: {_schema(request.schema)}" if request else ""
            told = f" → {_schema(response.schema)}" if response else ""
            return f"{content.name}({asked}){told}{kinds} {_kind(content)}"


def _kind(content: Content) -> str:
    return f"· {type(content).__name__}"


def _schema(schema: Schema, depth: int = 0) -> str:
    if depth > _DEEP:
        return "…"
    match schema:
        case Primitive(name):
            return name
        case Enum(_, values):
            return " | ".join(list(values)[:8]) + (" | …" if len(values) > 8 else "")
        case Array(element):
            return f"[{_schema(element, depth + 1)}]"
        case Map(_, value):
            return f"{{*: {_schema(value.schema, depth + 1)}}}"
        case Object(fields):
            return "{" + ", ".join(f"{field.name}: {_schema(field.schema, depth + 1)}" for field in fields) + "}"
        case Recursive(id_):
            return id_
