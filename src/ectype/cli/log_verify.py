"""`ectype log verify SPACE`: check every byte, signature and hash of a space, also while it runs."""

import argparse
import dataclasses
import json
from pathlib import Path

from ectype.cli.options import add_json
from ectype.cli.progress import Bar
from ectype.log.verify import Report, verify_space
from ectype.trust.keys import to_base64url


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("space", type=Path, metavar="SPACE", help="the folder of the space")
    parser.add_argument("--key", metavar="VKEY", help="the verifier key it must be signed with (default: its own)")
    add_json(parser)


def main(args: argparse.Namespace) -> None:
    """Run it. Damaged and ProofFailed name file, byte and entry."""
    with Bar("Checking entries", hidden=args.json) as bar:
        report = verify_space(args.space, bar.update, vkey=args.key)
    if args.json:
        print(json.dumps(dataclasses.asdict(report) | {"root": to_base64url(report.root)}))
    else:
        print(describe(report))


def describe(report: Report) -> str:
    """The report for people."""
    lines = [
        f"{report.origin}: {report.size} entries are whole, signed and in the tree.",
        f"  the checkpoint vouches for {report.signed_size} of them, root {to_base64url(report.root)}",
        f"  verifier key  {report.vkey}",
        f"  {report.segments} segments, {report.tiles} tiles, {len(report.authors)} authors",
        f"  {report.erased} bodies erased",
    ]
    return "\n".join([*lines, *(f"  note: {note}" for note in report.notes)])
