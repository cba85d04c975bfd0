"""`ectype serve SPACE`: run a space until somebody stops it."""

import argparse
import asyncio
import json
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from ectype.cli.options import add_exposure, exposure_of
from ectype.cli.progress import Bar
from ectype.errors import Misconfigured
from ectype.node.node import Node, Settings
from ectype.server.serve import Serving, serve

DEFAULT_PORT = 8787
MQTT_PORT = 1883

Alongside = Callable[[Node, Serving], Awaitable[None]]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("space", type=Path, metavar="SPACE", help="the folder of the space; made if it is not there")
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="for pages and API (default %(default)s; 0: any)"
    )
    parser.add_argument("--mqtt-port", type=int, default=MQTT_PORT, help="for devices (default %(default)s; 0: any)")
    parser.add_argument("--no-mqtt", action="store_true", help="open no MQTT endpoint")
    parser.add_argument("--no-estimate", action="store_true", help="run no estimator")
    parser.add_argument(
        "--tls", action="store_true", help="speak https, with a certificate authority of the space's own (keys/ca.pem)"
    )
    add_exposure(parser)


def main(args: argparse.Namespace) -> None:
    """Run it."""
    if args.tls:
        own_tls(args)
    settings = Settings(
        exposure_of(args), None if args.no_mqtt else check_port(args.mqtt_port, "--mqtt-port"), not args.no_estimate
    )
    run(run_space(args.space, settings, check_port(args.port, "--port"), args.json))


def own_tls(args: argparse.Namespace) -> None:
    """Let --tls stand for --tls-cert and --tls-key of a certificate made here."""
    from ectype.server.authority import own_certificate  # making certificates is slow to import, and rarely wanted

    if args.tls_cert is not None or args.tls_key is not None:
        raise Misconfigured("--tls makes a certificate; --tls-cert and --tls-key bring one: use either")
    ca, args.tls_cert, args.tls_key = own_certificate(args.space / "keys", args.host)
    if not args.json:
        print(f"TLS: trust {ca} once, for example")
        print(f"  Python      ectype.connect(URL, ca={str(ca)!r})")
        print(f"  JavaScript  NODE_EXTRA_CA_CERTS={ca} node app.js", flush=True)


def check_port(port: int, option: str) -> int:
    """A port number that can be one."""
    if not 0 <= port <= 65_535:
        raise Misconfigured(f"{option} {port}: a port is a number from 0 (any free one) to 65535")
    return port


def run(work: Awaitable[None]) -> None:
    """Run on uvloop where there is one."""

    async def main_task() -> None:
        await work

    try:
        import uvloop
    except ImportError:
        asyncio.run(main_task())
    else:
        uvloop.run(main_task())


async def run_space(
    path: Path, settings: Settings, port: int | None, as_json: bool, alongside: Alongside | None = None
) -> None:
    """Serve the space at `path` until SIGINT or SIGTERM; `alongside` runs beside it and ends with it.

    port: None takes the usual one, or any free one when that is taken.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    with Bar(f"Reading {path.name}", hidden=as_json) as bar:
        node = await Node.start(path, settings, progress=bar.update)
    tasks: list[asyncio.Future[None]] = []
    try:
        serving = await _serve(node, port)
        try:
            tell(node, serving, as_json)
            tasks = [asyncio.ensure_future(_until(stop)), asyncio.ensure_future(_fails(node))]
            if alongside is not None:
                tasks.append(asyncio.ensure_future(_lasting(alongside(node, serving))))
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await serving.close()
    finally:
        await node.close()


async def _serve(node: Node, port: int | None) -> Serving:
    if port is not None:
        return await serve(node, node.settings.exposure, port)
    try:
        return await serve(node, node.settings.exposure, DEFAULT_PORT)
    except Misconfigured:
        return await serve(node, node.settings.exposure, 0)


async def _until(stop: asyncio.Event) -> None:
    await stop.wait()


async def _fails(node: Node) -> None:
    await node.failed


async def _lasting(work: Awaitable[None]) -> None:
    """Wait for `work`; when it is over the node goes on, when it fails so does the node."""
    await work
    await asyncio.Event().wait()


def tell(node: Node, serving: Serving, as_json: bool) -> None:
    """Say where it is."""
    mqtt = None if node.mqtt is None else node.mqtt.port
    if as_json:
        print(json.dumps({"space": str(node.space.path), "url": serving.url, "mqtt_port": mqtt}), flush=True)
        return
    recovered = node.space.recovered
    if recovered is not None:
        print(f"! {recovered}")
    scheme = "mqtts" if node.settings.exposure.tls else "mqtt"
    print(f"Ectype is live: {serving.url}", flush=True)
    if mqtt is not None:
        print(f"  devices publish to {scheme}://{node.settings.exposure.host}:{mqtt}, topic ANYTHING/TWIN/PROPERTY")
    print(f"  the log ({node.log.size} entries) is in {node.space.path}; stop with Ctrl-C", flush=True)
