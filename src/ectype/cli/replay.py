"""`ectype replay FILE`: publish a recording over MQTT at any speed, as its twins would have."""

import argparse
import json
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.status import Status

from ectype.cli.options import add_json
from ectype.clock import from_iso, to_iso
from ectype.errors import Invalid, Misconfigured
from ectype.sources.replay import Control, Progress, Replay, replay


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("path", type=Path, metavar="FILE", help="a Parquet or CSV file: one row per twin and time")
    add("--id", required=True, metavar="COLUMN", help="the column that says whose row it is")
    add("--time", required=True, metavar="COLUMN", help="the column that says when")
    add("--columns", metavar="A,B=PROPERTY", help="columns to send, and their property's name if it is another")
    add("--host", default="127.0.0.1", help="where the MQTT endpoint or broker is (default %(default)s)")
    add("--port", type=int, default=1883, help="its port (default %(default)s)")
    add("--prefix", default="replay", help="topics are PREFIX/TWIN (default %(default)s)")
    add("--speed", type=float, default=1.0, help="seconds of the recording per second (default %(default)s)")
    add("--start", metavar="TIME", help="begin at this time of the recording")
    add("--stop", metavar="TIME", help="end before this time")
    add("--fast-until", metavar="TIME", help="send everything before this time at once")
    add("--loop", action="store_true", help="after the end begin again, with times that go on")
    add("--user", help="user name for the endpoint")
    add("--password-file", type=Path, metavar="FILE", help="file with the password, or the node's token")
    add("--cafile", metavar="FILE", help="speak TLS and trust these authorities (PEM)")
    add("--until-eof", action="store_true", help="end when standard input closes")
    add_json(parser)


def main(args: argparse.Namespace) -> None:
    """Run it until the end of the recording, SIGINT or SIGTERM."""
    settings = Replay(
        path=args.path,
        id_column=args.id,
        time_column=args.time,
        columns=read_columns(args.columns),
        host=args.host,
        port=args.port,
        prefix=args.prefix,
        speed=args.speed,
        start_ns=read_time(args.start, "--start"),
        stop_ns=read_time(args.stop, "--stop"),
        fast_until_ns=read_time(args.fast_until, "--fast-until"),
        loop=args.loop,
        username=args.user,
        password=read_password(args.password_file),
        cafile=args.cafile,
    )
    control = Control()

    def stop(number: int, frame: object) -> None:
        del number, frame
        control.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    if args.until_eof:
        threading.Thread(target=_stop_at_eof, args=(control,), daemon=True).start()
    if args.json:
        replay(settings, lambda p: print(json.dumps(as_json(p)), flush=True), control)
        return
    with Console(stderr=True).status("Connecting") as status:
        end = replay(settings, _shown_on(status), control)
    print(f"Sent {end.acknowledged} rows; the last is of {_when(end)}.")


def read_columns(text: str | None) -> dict[str, str] | None:
    """`a,b=power` as {"a": "a", "b": "power"}."""
    if text is None:
        return None
    pairs = [part.strip().partition("=") for part in text.split(",")]
    return {name: to or name for name, _, to in pairs}


def read_time(text: str | None, option: str) -> int | None:
    """An ISO time as nanoseconds."""
    try:
        return None if text is None else from_iso(text)
    except Invalid as error:
        raise Misconfigured(f"{option}: {error}") from error


def read_password(path: Path | None) -> str | None:
    """The one line of a password file."""
    try:
        return None if path is None else path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"--password-file {path}: {error}") from error


def as_json(p: Progress) -> dict[str, object]:
    """A report for programs."""
    at = None if p.at_ns is None else to_iso(p.at_ns)
    state = {"speed": p.speed, "paused": p.paused, "connected": p.connected}
    return {"sent": p.sent, "acknowledged": p.acknowledged, "at": at, "lap": p.lap, **state}


def _shown_on(status: Status) -> Callable[[Progress], None]:
    def show(p: Progress) -> None:
        state = "paused" if p.paused else f"{p.speed:g}x" if p.connected else "waiting for the connection"
        status.update(f"{_when(p)}  {p.acknowledged} rows acknowledged  {state}")

    return show


def _when(p: Progress) -> str:
    return "no row yet" if p.at_ns is None else to_iso(p.at_ns)


def _stop_at_eof(control: Control) -> None:
    with suppress(OSError):
        while os.read(0, 4096):  # not sys.stdin: a lock held by a daemon thread would abort the end of Python
            pass
    control.stop()
