"""`ectype behaviour calibrated SPACE FILE`: follow twins with what `ectype calibrate --out FILE` found.

Each calibration becomes an entry of the log, so it is signed, in history, and can be proved.
"""

import argparse
import asyncio
import json
from pathlib import Path
from typing import Any, cast

from ectype.cli.node_options import add_credentials, space_of
from ectype.cli.options import add_json
from ectype.errors import Misconfigured, Refused
from ectype.node.node import Node, Settings
from ectype.node.view import Draft
from ectype.trust.access import LOCAL_USER


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("space", type=Path, metavar="SPACE", help="the folder of the space")
    parser.add_argument("file", type=Path, metavar="FILE", help="what `ectype calibrate --out` wrote")
    parser.add_argument(
        "--url", default="http://127.0.0.1:8787", help="where it runs, if it does (default %(default)s)"
    )
    add_credentials(parser)
    add_json(parser)


def main(args: argparse.Namespace) -> None:
    """Run it."""
    documents = read(args.file)
    try:
        indices = asyncio.run(_write(args.space, documents))
    except Refused:  # it runs: ask the node
        node = space_of(args)
        name = args.space.resolve().name.removesuffix(".space")
        if node.name() != name:
            raise Misconfigured(f"{args.space} runs, but not at {args.url}; say where with --url") from None
        indices = [node.calibrated(d["twin"], d) for d in documents]
    for document, index in zip(documents, indices, strict=True):
        told = {"twin": document["twin"], "entry": index}
        print(json.dumps(told) if args.json else f"{document['twin']} is followed with it (entry {index}).")


def read(path: Path) -> list[dict[str, Any]]:
    """The calibrations in a file. Raises Misconfigured for what is none."""
    try:
        told: Any = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise Misconfigured(
            f"{path} cannot be read: {error}; write it with `ectype calibrate … --out {path}`"
        ) from error
    every = cast(list[Any], told) if isinstance(told, list) else [told]
    found = [cast(dict[str, Any], d) for d in every if isinstance(d, dict)]
    if not every or len(found) < len(every) or not all(isinstance(d.get("twin"), str) for d in found):
        raise Misconfigured(f"{path} is no calibration; write it with `ectype calibrate … --out {path}`")
    return found


async def _write(space: Path, documents: list[dict[str, Any]]) -> list[int]:
    if not space.is_dir():
        raise Misconfigured(f"there is no space at {space}")
    node = await Node.start(space, Settings(mqtt_port=None, estimate=False))
    try:
        view = node.view(LOCAL_USER)
        return [await view.write(Draft("calibration.put", f"calibration:{d['twin']}", d)) for d in documents]
    finally:
        await node.close()
