"""`ectype demo`: a live twin of the La Haute Borne wind farm, on this machine."""

import argparse
import os
import shutil
import sys
import webbrowser
from contextlib import suppress
from pathlib import Path

from ectype.cli.options import add_json
from ectype.cli.progress import Bar
from ectype.cli.serve import DEFAULT_PORT, check_port, run, run_space
from ectype.demo.replaying import BACKFILL_NS, replay_into
from ectype.demo.space import Recording, settle
from ectype.errors import Damaged, Misconfigured, Refused
from ectype.log.space import is_space, open_space
from ectype.node.node import Node, Settings
from ectype.server.serve import Serving
from ectype.trust.access import LOCAL_USER


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--space", type=Path, help="folder of the demo's space (default: in your data folder)")
    parser.add_argument("--fresh", action="store_true", help="throw the demo's space away and begin again")
    parser.add_argument("--port", type=int, help=f"for the page (default {DEFAULT_PORT}, or any free one)")
    parser.add_argument("--mqtt-port", type=int, default=0, help="for the turbines (default: any free one)")
    parser.add_argument("--no-open", action="store_true", help="do not open the browser")
    add_json(parser)


def main(args: argparse.Namespace) -> None:
    """Run it."""
    path: Path = args.space or default_space()
    if args.fresh:
        throw_away(path)
    settings = Settings(mqtt_port=check_port(args.mqtt_port, "--mqtt-port"))
    port = None if args.port is None else check_port(args.port, "--port")

    async def alongside(node: Node, serving: Serving) -> None:
        recording = Recording()
        view = node.view(LOCAL_USER)
        await settle(view, recording)
        if not args.no_open and can_open():
            webbrowser.open(serving.url)
        with Bar("Replaying the first three weeks", hidden=args.json) as bar:

            def told(at_ns: int) -> None:
                bar.update(min(at_ns - recording.from_ns, BACKFILL_NS) // 10**9, BACKFILL_NS // 10**9)
                if at_ns >= recording.from_ns + BACKFILL_NS:
                    bar.finish()

            await replay_into(view, node.mqtt.port if node.mqtt else 0, recording, told)

    run(run_space(path, settings, port, args.json, alongside))


def default_space() -> Path:
    """Where the demo lives when nobody says: below XDG_DATA_HOME, as desktop programs do."""
    data = os.environ.get("XDG_DATA_HOME", "")
    return (Path(data) if data else Path.home() / ".local" / "share") / "ectype" / "la-haute-borne.space"


def throw_away(path: Path) -> None:
    """Remove the space at `path`. Refused when it is in use, Misconfigured when it is something else."""
    if not path.exists():
        return
    if not is_space(path):
        raise Misconfigured(f"--fresh would delete {path}, which is no space; choose another with --space")
    with suppress(Damaged):  # whatever state it is in, it goes; but not while another process has it
        open_space(path).close()
    try:
        shutil.rmtree(path)
    except OSError as error:
        raise Refused(f"{path} cannot be deleted: {error.strerror}") from error


def can_open() -> bool:
    """Whether somebody sits in front of a screen here."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
