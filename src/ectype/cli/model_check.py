"""`ectype model check FILE|DIR`: tell what is wrong with types written in DTDL, and where."""

import argparse
import dataclasses
import json
from pathlib import Path

from ectype.cli.options import add_json
from ectype.errors import NotFound
from ectype.model.language import Finding, check, located, told_once


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("path", type=Path, metavar="FILE|DIR", help="a JSON file, or a folder of them, read together")
    unknown = "refuse extensions that nobody here knows (by default, version 2 lets them through)"
    parser.add_argument("--strict", action="store_true", help=unknown)
    add_json(parser)


def main(args: argparse.Namespace) -> int:
    """Run it; 1 if anything is wrong."""
    files = files_of(args.path)
    texts = [file.read_text("utf-8", errors="replace") for file in files]
    found = located(check(texts, undefined=False if args.strict else None), texts)
    if args.json:
        for each in found:
            file = str(files[each.source - 1]) if each.source else ""
            print(json.dumps({"file": file, **dataclasses.asdict(each)}))
        return 1 if found else 0
    told = told_once(found)
    for each in told:
        print(_shown(each, files, texts))
    if told:
        print(f"{len(told)} {'thing is' if len(told) == 1 else 'things are'} wrong in {len(files)} files.")
        return 1
    print(f"{len(files)} files are valid DTDL.")
    return 0


def files_of(path: Path) -> list[Path]:
    """The file, or the JSON files in the folder. Raises NotFound."""
    files = sorted(path.rglob("*.json")) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise NotFound(f"{path}: there is no JSON file; name a file or a folder of DTDL")
    return files


def _shown(each: Finding, files: list[Path], texts: list[str]) -> str:
    """As a compiler tells it: place, sentence, the line of the text with a mark under it."""
    if not each.source:
        return f"error: {each}\n  {each.id}"
    lines = texts[each.source - 1].splitlines() or [""]
    line = lines[min(each.line, len(lines)) - 1]
    first = max(0, each.column - 80)  # a whole model may stand on one line
    number = f"{each.line:5} | "
    mark = " " * (len(number) - 2) + "| " + " " * (each.column - 1 - first) + "^"
    place = f"{files[each.source - 1]}:{each.line}:{each.column}"
    return f"{place}: error: {each}\n{number}{line[first : first + 110].expandtabs(1)}\n{mark} {each.id}"
