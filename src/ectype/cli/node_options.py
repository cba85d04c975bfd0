"""Options of commands that ask a running node."""

import argparse
from pathlib import Path

from ectype.client.space import Space
from ectype.errors import Misconfigured


def add_node(parser: argparse.ArgumentParser) -> None:
    """Where the node is, and what it wants of callers."""
    parser.add_argument("--url", default="http://127.0.0.1:8787", help="where the node is (default %(default)s)")
    add_credentials(parser)


def add_credentials(parser: argparse.ArgumentParser) -> None:
    """What the node wants of callers, and how it is known."""
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="file with the token that the node wants")
    parser.add_argument("--ca", metavar="FILE", help="the certificate of the node's own authority")


def space_of(args: argparse.Namespace, url: str | None = None) -> Space:
    """The node at `url` (None: at --url). Raises Misconfigured for a token that cannot be read, or no address."""
    token = None
    if args.token_file is not None:
        try:
            token = args.token_file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Misconfigured(f"--token-file {args.token_file}: {error}") from error
    return Space(args.url if url is None else url, token=token, ca=args.ca)
