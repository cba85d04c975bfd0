"""`ectype model check FILE|DIR`: tell what is wrong with types written in DTDL."""

import argparse
import dataclasses
import json
from pathlib import Path

from ectype.cli.options import add_json
from ectype.errors import NotFound
from ectype.model.language import check


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("path", type=Path, metavar="FILE|DIR", help="a JSON file, or a folder of them, read together")
    add_json(parser)


def main(args: argparse.Namespace) -> int:
    """Run it; 1 if anything is wrong."""
    path: Path = args.path
    files = sorted(path.rglob("*.json")) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise NotFound(f"{path}: there is no JSON file; name a file or a folder of DTDL")
    found = check([file.read_text("utf-8", errors="replace") for file in files])
    for each in found:
        print(json.dumps(dataclasses.asdict(each)) if args.json else f"{each}\n  {each.id}  {each.value}".rstrip())
    if not found and not args.json:
        print(f"{len(files)} files are valid DTDL.")
    return 1 if found else 0
