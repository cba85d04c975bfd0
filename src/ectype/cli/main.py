"""`ectype`: finds the command, runs it, and turns errors into one sentence and an exit code.

Exit codes: 0 done, 1 it failed, 2 asked wrongly, 130 interrupted.
"""

import argparse
import importlib
import json
import os
import sys
from collections.abc import Sequence
from typing import Protocol, cast

from ectype import __version__
from ectype.errors import EctypeError, Misconfigured

# word(s) of the command -> (module that holds it, what it does). The module is imported only when it is used.
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("ectype.cli.demo", "a live twin of a real wind farm, on this machine"),
    "serve": ("ectype.cli.serve", "run a space: its API, its pages, its MQTT endpoint"),
    "replay": ("ectype.cli.replay", "publish a recording (CSV, Parquet) as if it were live"),
    "calibrate": ("ectype.cli.calibrate", "a twin's parameters from a recording, and what it cannot tell"),
    "forecast": ("ectype.cli.forecast", "what a twin will do, with quantiles, and what such forecasts are worth"),
    "whatif": ("ectype.cli.whatif", "what a twin would do if an input, a parameter or a state were another"),
    "steer": ("ectype.cli.steer", "the input that reaches a goal at least cost, as surely as asked"),
    "alarms": ("ectype.cli.alarms", "what is wrong with a twin's original, since when, and what explains it"),
    "alarms live": ("ectype.cli.alarms_live", "the alarms of a running node, and what explains them"),
    "life": ("ectype.cli.life", "how long until a state of a twin passes its threshold"),
    "life live": ("ectype.cli.life_live", "how long the twins of a running node still have"),
    "certify": ("ectype.cli.certify", "can anybody tell a twin from its original? A test with controls"),
    "behaviour add": ("ectype.cli.behaviour_add", "put a behaviour into a space, after looking whether it fits"),
    "behaviour list": ("ectype.cli.behaviour_list", "the behaviours of a space, and what is wrong with them"),
    "behaviour calibrated": ("ectype.cli.behaviour_calibrated", "follow twins with what `ectype calibrate` found"),
    "bind": ("ectype.cli.bind", "look at what comes in, and propose bindings, types and twins"),
    "model check": ("ectype.cli.model_check", "tell what is wrong with types written in DTDL"),
    "model show": ("ectype.cli.model_show", "draw the tree of a type"),
    "model emit": ("ectype.cli.model_emit", "print the DTDL of a type written as a Python class"),
    "fmu export": ("ectype.cli.fmu_export", "a behaviour as an FMU that other simulators run"),
    "fmu show": ("ectype.cli.fmu_show", "what is in an FMU, without running it"),
    "fmu run": ("ectype.cli.fmu_run", "an FMU as a simulated source: a recording of its outputs"),
    "fmu follow": ("ectype.cli.fmu_follow", "an FMU corrected by what was measured, and how sure it is"),
    "history": ("ectype.cli.history", "series of a running node as CSV, Arrow or Parquet"),
    "retention": ("ectype.cli.retention", "how long a running node keeps what of each series, and what is there"),
    "quality": ("ectype.cli.quality", "which series have suspect or bad readings: since when, and why"),
    "log verify": ("ectype.cli.log_verify", "check every byte, signature and hash of a space"),
    "log prove": ("ectype.cli.log_prove", "make, or check, a proof that an entry is in a log"),
    "log show": ("ectype.cli.log_show", "print the entries of a log"),
}


class Command(Protocol):
    """What a command's module offers."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare its options."""
        ...

    def main(self, args: argparse.Namespace) -> int | None:
        """Do it; the exit code, None being 0."""
        ...


def run(argv: Sequence[str] | None = None) -> None:
    """Entry point of the `ectype` script."""
    words = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in words
    try:
        code = dispatch(words)
    except EctypeError as error:
        complain(error, as_json)
        code = 2 if isinstance(error, Misconfigured) else 1
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:  # the reader of our output (head, less) has gone; nobody is left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


def dispatch(words: list[str]) -> int:
    """Run the command that `words` name."""
    if words and words[0] in ("--version", "-V"):
        print(f"ectype {__version__}")
        return 0
    name, rest = _split(words)
    if name is None:
        asked_for_help = not words or words[0] in ("-h", "--help", "help") or (len(words) == 1 and words[0] == "log")
        if asked_for_help:
            print(overview())
            return 0
        print(f"ectype: there is no command '{' '.join(words[:2])}'\n\n{overview()}", file=sys.stderr)
        return 2
    module, summary = COMMANDS[name]
    command = cast(Command, importlib.import_module(module))
    parser = argparse.ArgumentParser(prog=f"ectype {name}", description=f"{summary[0].upper()}{summary[1:]}.")
    command.arguments(parser)
    return command.main(parser.parse_args(rest)) or 0


def overview() -> str:
    """All commands, a line each."""
    width = max(map(len, COMMANDS))
    lines = [f"  ectype {name:<{width}}  {summary}" for name, (_, summary) in COMMANDS.items()]
    return "\n".join(
        ["Ectype: live digital twins on one signed log.", "", *lines, "", "Each has --help. Start with: ectype demo"]
    )


def complain(error: EctypeError, as_json: bool) -> None:
    """Tell people, or programs, what went wrong, on standard error."""
    if as_json:
        print(json.dumps({"error": {"code": type(error).__name__, "message": str(error)}}), file=sys.stderr)
    else:
        print(f"ectype: {error}", file=sys.stderr)


def _split(words: list[str]) -> tuple[str | None, list[str]]:
    for count in (2, 1):
        name = " ".join(words[:count])
        if len(words) >= count and name in COMMANDS:
            return name, words[count:]
    return None, words


if __name__ == "__main__":
    run()
