"""`ectype log prove`: make a proof that an entry is in a log, or check one that somebody sent."""

import argparse
import json
from pathlib import Path

from ectype.cli.options import add_json
from ectype.clock import to_iso
from ectype.errors import Misconfigured
from ectype.log.prove import check_proof, prove
from ectype.log.view import open_view


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("space", type=Path, nargs="?", metavar="SPACE", help="the space that holds the entry")
    parser.add_argument("index", type=int, nargs="?", metavar="INDEX", help="the index of the entry")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the proof here instead of printing it")
    parser.add_argument("--check", type=Path, metavar="FILE", help="check this proof instead; needs --key, no space")
    parser.add_argument("--key", metavar="VKEY", help="the verifier key of the log, as `ectype log verify` prints it")
    add_json(parser)


def main(args: argparse.Namespace) -> None:
    """Run it."""
    if args.check is not None:
        check(args.check, args.key, args.json)
        return
    if args.space is None or args.index is None:
        raise Misconfigured("say of what: ectype log prove SPACE INDEX, or ectype log prove --check FILE --key VKEY")
    view = open_view(args.space, args.key)
    text = prove(view, args.index)
    if args.out is not None:
        args.out.write_text(text, "utf-8")
        print(f"wrote {args.out}; anyone can check it: ectype log prove --check {args.out.name} --key '{view.vkey}'")
    elif args.json:
        print(json.dumps({"index": args.index, "proof": text, "key": view.vkey}))
    else:
        print(text, end="")


def check(path: Path, vkey: str | None, as_json: bool) -> None:
    """Check a proof offline. Raises ProofFailed when it does not hold."""
    if vkey is None:
        raise Misconfigured("a proof is checked against a key that you trust: add --key VKEY")
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"--check {path}: {error}") from error
    proved = check_proof(text, vkey)
    entry = proved.entry
    facts = {
        "index": proved.index,
        "size": proved.checkpoint.size,
        "log": proved.checkpoint.origin,
        "kind": entry.kind,
        "subject": entry.subject,
        "at": to_iso(entry.at_ns),
        "author": entry.author,
        "by": entry.on_behalf_of,
    }
    if as_json:
        print(json.dumps(facts))
        return
    print(f"Proved: entry {proved.index} of {facts['log']} ({facts['size']} entries) is")
    for name in ("kind", "subject", "at", "author", "by"):
        if facts[name] is not None:
            print(f"  {name:8} {facts[name]}")
