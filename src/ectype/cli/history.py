"""`ectype history`: series of a running node as CSV or Arrow."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false

import argparse
import io
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv

from ectype.cli.node_options import add_node, space_of
from ectype.errors import Misconfigured


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("series", nargs="+", metavar="TWIN.PROPERTY", help="which series")
    add_node(parser)
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
    if args.out is not None and args.out.suffix not in (".csv", ".arrow", ".parquet"):
        raise Misconfigured(f"--out {args.out}: end the name in .csv, .arrow or .parquet")
    table: pa.Table = space_of(args).history(
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
