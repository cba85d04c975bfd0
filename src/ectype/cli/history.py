"""`ectype history`: series of a running node as CSV or Arrow."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false

import argparse
import io
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv

from ectype.client.space import Space
from ectype.errors import Misconfigured


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("series", nargs="+", metavar="TWIN.PROPERTY", help="which series")
    add("--url", default="http://127.0.0.1:8787", help="where the node is (default %(default)s)")
    add("--token-file", type=Path, metavar="FILE", help="file with the token that the node wants")
    add("--ca", metavar="FILE", help="the certificate of the node's own authority")
    add("--when", metavar="PERIOD", help="a year, month or day in UTC, like 2014-03")
    add("--from", dest="start", metavar="TIME", help="begin here, ISO 8601")
    add("--to", dest="stop", metavar="TIME", help="end here, included")
    add("--every", metavar="TIME", help="all series on one clock: 10min, 1h, 1d")
    add("--how", default="last", choices=("last", "mean", "min", "max", "count"), help="default %(default)s")
    add("--max-age", metavar="TIME", help="how old a last value may be (default 1d)")
    add("--points", type=int, help="at most about so many samples of each series, no peak lost")
    add("--quality", action="store_true", help="what is thought of each sample, and why")
    add("--only", choices=("good", "usable"), help="leave out what is not good, or what is bad")
    add("--out", type=Path, metavar="FILE", help="write FILE.csv, FILE.arrow or FILE.parquet instead of printing CSV")


def main(args: argparse.Namespace) -> None:
    """Run it."""
    token = None
    if args.token_file is not None:
        try:
            token = args.token_file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Misconfigured(f"--token-file {args.token_file}: {error}") from error
    if args.out is not None and args.out.suffix not in (".csv", ".arrow", ".parquet"):
        raise Misconfigured(f"--out {args.out}: end the name in .csv, .arrow or .parquet")
    table: pa.Table = Space(args.url, token=token, ca=args.ca).history(
        args.series,
        args.when,
        start=args.start,
        stop=args.stop,
        every=args.every,
        how=args.how,
        max_age=args.max_age,
        points=args.points,
        quality=args.quality,
        only=args.only,
        frame="arrow",
    )
    if args.out is None:
        sink = io.BytesIO()
        pa_csv.write_csv(table, sink)
        sys.stdout.write(sink.getvalue().decode())
        return
    write(table, args.out)
    print(f"wrote {table.num_rows} rows to {args.out}", file=sys.stderr)


def write(table: pa.Table, path: Path) -> None:
    """As its name says."""
    try:
        if path.suffix == ".csv":
            pa_csv.write_csv(table, path)
        elif path.suffix == ".arrow":
            with pa.ipc.new_file(path, table.schema) as writer:
                writer.write_table(table)
        else:
            import pyarrow.parquet as pq  # here: only this needs it

            pq.write_table(table, path)
    except OSError as error:
        raise Misconfigured(f"--out {path}: {error}") from error
