"""`ectype model emit MODULE:CLASS`: the DTDL of a type written as a Python class."""

import argparse
import inspect
import json
from pathlib import Path

from ectype.errors import Misconfigured
from ectype.fidelity.recorded import import_named
from ectype.model.classes import Interface, documents_of
from ectype.model.parse import parse


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("type", metavar="MODULE:CLASS", help="such as plant.py:Turbine or my.package:Turbine")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write a file for each type instead of printing all")


def main(args: argparse.Namespace) -> None:
    """Run it."""
    where, _, what = args.type.rpartition(":")
    if not where:
        raise Misconfigured(f"'{args.type}' names no class; write package.module:Class or file.py:Class")
    found = getattr(import_named(where), what, None)
    if not (inspect.isclass(found) and issubclass(found, Interface) and found is not Interface):
        raise Misconfigured(f"{args.type} is no subclass of ectype.model.classes.Interface")
    documents = documents_of(found)
    parse(documents)  # what is wrong is told before anybody uses it
    if args.out is None:
        print(json.dumps(documents, indent=2))
        return
    args.out.mkdir(parents=True, exist_ok=True)
    for each in documents:
        name = (
            str(each["@id"] if isinstance(each, dict) else "").removeprefix("dtmi:").replace(":", "-").replace(";", "-")
        )
        path = args.out / f"{name}.json"
        path.write_text(json.dumps(each, indent=2) + "\n", "utf-8")
        print(path)
