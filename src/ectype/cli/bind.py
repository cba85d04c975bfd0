"""`ectype bind URL|SPACE`: look at what comes in, and propose what it means: bindings, types and twins."""

import argparse
import asyncio
import json
import queue
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from ectype.cli.options import add_json
from ectype.clock import system_clock
from ectype.errors import Misconfigured, Unavailable
from ectype.ingest.bindings import NAME
from ectype.ingest.propose import Proposal, checked, propose
from ectype.log.view import open_view
from ectype.node.node import Node, Settings
from ectype.node.write import Draft
from ectype.sources.base import Message
from ectype.trust.access import LOCAL_USER

_MOST = 100_000


class _Aside(msgspec.Struct):
    topic: str
    payload_b64: bytes
    at_ns: str
    source: str


class _Asides(msgspec.Struct):
    items: list[_Aside]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "source", metavar="URL|SPACE", help="mqtt://host:port[/filter], or a space: what it set aside as not understood"
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="how long to listen (default %(default)s)")
    parser.add_argument("--space", type=Path, help="the space that gets it with --accept (default: SPACE itself)")
    parser.add_argument("--accept", action="store_true", help="write it: types and twins into the log, bindings.toml")
    add_json(parser)


def main(args: argparse.Namespace) -> int:
    """Run it; 1 if there is nothing to propose."""
    outside = "://" in args.source
    space: Path | None = args.space or (None if outside else Path(args.source))
    if args.accept and space is None:
        raise Misconfigured("--accept needs --space SPACE, the space that is to understand it")
    traffic = listen(args.source, args.seconds) if outside else set_aside(Path(args.source))
    proposal = propose(traffic)
    tell(proposal, len(traffic), args.json)
    if args.accept and space is not None and proposal.twins:
        asyncio.run(accept(space, proposal))
    return 0 if proposal.twins else 1


def listen(url: str, seconds: float) -> list[Message]:
    """What a broker or a node forwards in that time."""
    import paho.mqtt.client as paho
    from paho.mqtt.enums import CallbackAPIVersion  # only here: `bind SPACE` needs no client

    parts = urlsplit(url)
    if parts.scheme != "mqtt" or not parts.hostname:
        raise Misconfigured(f"{url}: listens to mqtt://host:port[/filter] only")
    came: queue.SimpleQueue[Message] = queue.SimpleQueue()
    client = paho.Client(CallbackAPIVersion.VERSION2)
    if parts.username:
        client.username_pw_set(parts.username, parts.password)

    def connected(client: paho.Client, *_: Any) -> None:
        client.subscribe(filter_of(url))

    def arrived(_client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        if came.qsize() < _MOST:
            came.put(Message(message.topic, bytes(message.payload), system_clock()))

    client.on_connect = connected
    client.on_message = arrived
    try:
        client.connect(parts.hostname, parts.port or 1883)
    except OSError as error:
        raise Unavailable(f"{parts.hostname}:{parts.port or 1883}: {error}") from error
    client.loop_start()
    time.sleep(seconds)
    client.disconnect()
    client.loop_stop()
    return [came.get() for _ in range(came.qsize())]


def filter_of(url: str) -> str:
    """The filter in a URL, everything without one; `#` is no fragment there."""
    return url.partition("://")[2].partition("/")[2] or "#"


def set_aside(space: Path) -> list[Message]:
    """What a space received and did not understand; also while it runs."""
    view = open_view(space)
    found: list[Message] = []
    decode = msgspec.json.Decoder(_Asides).decode
    for _, entry in view.read(0):
        if entry.kind == "set-aside" and entry.body is not None:
            for item in decode(entry.body).items:
                found.append(
                    Message(item.topic, msgspec.convert(item.payload_b64, bytes), int(item.at_ns), item.source)
                )
        if len(found) > _MOST:
            break
    return found


def tell(proposal: Proposal, messages: int, as_json: bool) -> None:
    """Print the proposal."""
    if as_json:
        rules = [msgspec.to_builtins(rule) for rule in proposal.rules]
        told = {"rules": rules, "models": proposal.models, "twins": proposal.twins, "left": proposal.left}
        print(json.dumps(told))
        return
    print(f"# {messages} messages: {len(proposal.twins)} twins of {len(proposal.models)} types\n")
    print(proposal.toml(), end="")
    for model in proposal.models:
        print(json.dumps(model, indent=2))
    for twin, model in proposal.twins.items():
        print(f"# {twin} is a {model}")
    for topic, reason in proposal.left.items():
        print(f"# left out: {topic}: {reason}")


async def accept(space: Path, proposal: Proposal) -> None:
    """Write types and twins that are not there yet into the log, and the rules behind those that are in the file."""
    checked(proposal.rules)
    node = await Node.start(space, Settings(estimate=False))
    try:
        view = node.view(LOCAL_USER)
        there = {each.id for each in view.twins().twins}
        known = node.graph.models()
        for model in proposal.models:
            if model["@id"] not in known:
                await view.write(Draft("model.put", f"model:{model['@id']}", model))
        for twin, model in proposal.twins.items():
            if twin not in there:
                body: Any = {"$dtId": twin, "$metadata": {"$model": model}}
                await view.write(Draft("twin.put", f"twin:{twin}", body))
    finally:
        await node.close()
    if proposal.rules:
        path = space / NAME
        before = path.read_text("utf-8") if path.exists() else ""
        path.write_text(f"{before}\n{proposal.toml()}" if before else proposal.toml(), "utf-8")
