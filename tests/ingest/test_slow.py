"""A disk that stands still, a source that is too fast, a subscriber that never reads, a disk that is full: memory is
bounded, nothing that was acknowledged is lost, and the node says who is slow.

The disk is stalled at the store: an append waits until the test lets it go, so that no time passes.
"""

import asyncio
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from ectype.errors import Unavailable
from ectype.log.stores.files import FilesStore
from ectype.node.exposure import Exposure
from ectype.node.node import Node, Settings
from ectype.node.write import Draft
from ectype.server.serve import serve
from ectype.sources.base import Message
from ectype.sources.mqtt.limits import USUAL
from ectype.trust.access import LOCAL_USER

MODEL = {
    "@id": "dtmi:t:Dial;1",
    "@type": "Interface",
    "@context": "dtmi:dtdl:context;3",
    "contents": [{"@type": "Telemetry", "name": "level", "schema": "double"}],
}


class Disk:
    """Stands between every store and its file: `stall` makes appends wait, `full` makes them fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go = threading.Event()
        self.go.set()
        self.full = False
        real = FilesStore.append

        def append(store: FilesStore, first: int, *frame: bytes) -> None:
            self.go.wait(60)
            if self.full:
                raise Unavailable("the disk is full: no space left on device")
            real(store, first, *frame)

        monkeypatch.setattr(FilesStore, "append", append)


async def opened(path: Path, now: list[int]) -> Node:
    node = await Node.start(path, Settings(mqtt_port=0, estimate=False), clock=lambda: now[0])
    view = node.view(LOCAL_USER)
    await view.write(Draft("model.put", f"model:{MODEL['@id']}", MODEL))
    await view.write(Draft("twin.put", "twin:d1", {"$dtId": "d1", "$metadata": {"$model": MODEL["@id"]}}))
    return node


def connect(port: int, name: bytes, *more: bytes) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout=30)
    rest = b"\0\4MQTT\4\2\0\0" + len(name).to_bytes(2, "big") + name
    sock.sendall(bytes((0x10, len(rest))) + rest + b"".join(more))
    return sock


def publish(k: int, body: bytes = b'{"level":%d.5,"t":%d}') -> bytes:
    payload = body % (k, k) if b"%d" in body else body
    rest = b"\0\2d1" + (k % 65_535 + 1).to_bytes(2, "big") + payload
    return b"\x32" + (bytes((len(rest),)) if len(rest) < 128 else bytes((len(rest) & 127 | 128, len(rest) >> 7))) + rest


def test_a_source_too_fast_for_a_stalled_disk_is_held_back_and_loses_nothing(tmp_path: Path, monkeypatch) -> None:
    disk, now = Disk(monkeypatch), [10**18]
    count = 200_000

    async def scene() -> None:
        node = await opened(tmp_path / "s", now)
        assert node.mqtt is not None
        mqtt = node.mqtt
        serving = await serve(node, Exposure(), 0)
        sock = connect(mqtt.port, b"fast")
        disk.go.clear()
        acked = 0

        def send() -> None:
            sock.sendall(b"".join(map(publish, range(count))))

        def hear() -> None:
            nonlocal acked
            assert sock.recv(4, socket.MSG_WAITALL) == b"\x20\x02\0\0"
            left = 4 * count
            while left:
                data = sock.recv(1 << 16)
                assert data
                left -= len(data)
                acked = count - left // 4

        sending, hearing = threading.Thread(target=send), threading.Thread(target=hear)
        sending.start()
        hearing.start()
        while not mqtt.paused():
            await asyncio.wait([node.failed], timeout=0.01)
        now[0] += 10 * 10**9
        held = mqtt.stats()
        assert acked == 0, "nothing is acknowledged that is not on disk"
        assert held.in_flight <= USUAL.endpoint + (1 << 21), "memory is bounded"
        assert held.received < count, "the sender waits"
        async with httpx.AsyncClient(base_url=serving.url) as client:
            slow = {each["who"]: each["why"] for each in (await client.get("/api/sources")).json()["slow"]}
        assert "the first for 10.0 s" in slow["disk"]
        assert "faster than the disk" in slow["fast"]
        disk.go.set()
        while hearing.is_alive():
            await asyncio.wait([node.failed], timeout=0.01)
        sending.join()
        sock.close()
        await node.follower.reach(node.log.size)
        (column,) = node.view(LOCAL_USER).history(["d1.level"], 0, 2**62, 100_000_000).columns
        assert len(column.value) == acked == count
        await serving.close()
        await node.close()

    asyncio.run(scene())


def test_a_subscriber_that_never_reads_is_named_and_does_not_grow(tmp_path: Path, monkeypatch) -> None:
    now = [10**18]

    async def scene() -> None:
        node = await opened(tmp_path / "s", now)
        assert node.mqtt is not None
        mqtt = node.mqtt
        deaf = connect(mqtt.port, b"deaf", b"\x82\x06\x00\x01\x00\x01#\x00")  # QoS 0: what it does not read is dropped
        while not mqtt.clients.subscriptions:
            await asyncio.wait([node.failed], timeout=0.01)
        sock = connect(mqtt.port, b"talks")
        large = b'{"level":1.5' + b" " * 15_000 + b"}"
        packets = b"".join(publish(k, large) for k in range(1500))
        sending = threading.Thread(target=sock.sendall, args=(packets,))
        sending.start()
        named = False
        while mqtt.stats().durable < 1500:
            await asyncio.wait([node.failed], timeout=0.005)
            named = named or any(each.who == "deaf" for each in node.view(LOCAL_USER).slow())
            assert mqtt.unread().get("deaf", 0) <= 9 << 20
        sending.join()
        assert named
        assert mqtt.stats().dropped > 0
        deaf.close()
        sock.close()
        await node.close()

    asyncio.run(scene())


def test_a_full_disk_refuses_writes_and_goes_on_when_there_is_room(tmp_path: Path, monkeypatch) -> None:
    disk, now = Disk(monkeypatch), [10**18]

    async def scene() -> None:
        node = await opened(tmp_path / "s", now)
        await node.ingest.deliver([Message("d1/level", b"1.5", 1, "g")])
        disk.full = True
        with pytest.raises(Unavailable, match="no space left"):
            await node.ingest.deliver([Message("d1/level", b"2.5", 2, "g")])
        view = node.view(LOCAL_USER)
        with pytest.raises(Unavailable, match="no space left"):
            await view.push(b'[{"twin":"d1","property":"level","value":3.5}]', "json")
        await node.follower.reach(node.log.size)
        assert [row[2] for row in view.last().samples.rows()] == [1.5], "reads go on"
        disk.full = False
        await node.ingest.deliver([Message("d1/level", b"4.5", 4, "g")])
        await node.follower.reach(node.log.size)
        assert [row[2] for row in view.last().samples.rows()] == [4.5]
        await node.close()

    asyncio.run(scene())


@contextmanager
def small_disk(path: Path, megabytes: int) -> Iterator[Path]:
    """A file system of that size; skips where nobody may mount one."""
    path.mkdir()
    mount = shutil.which("mount")
    words = [mount or "mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)]
    if mount is None or subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here: that needs root")
    try:
        yield path
    finally:
        subprocess.run(["umount", str(path)], check=True)


def test_a_disk_that_is_really_full_refuses_and_takes_again_when_space_is_freed(tmp_path: Path) -> None:
    now = [10**18]

    async def scene(disk: Path) -> None:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(20 << 20))
        node = await opened(disk / "s", now)
        kept: list[int] = []
        reason = ""
        for k in range(2000):
            try:
                await node.ingest.deliver(
                    [Message("d1/level", b"%d" % (k * 1000 + n), k * 1000 + n, "g") for n in range(1000)]
                )
            except Unavailable as error:
                reason = str(error)
                break
            kept.append(k)
        assert "space" in reason
        view = node.view(LOCAL_USER)
        await node.follower.reach(node.log.size)
        assert len(view.last().samples) == 1, "reads go on"
        ballast.unlink()
        await node.ingest.deliver([Message("d1/level", b"7", 10**9, "g")])
        kept_rows = 1000 * len(kept) + 1
        await node.close()
        node = await Node.start(disk / "s", Settings(estimate=False), clock=lambda: now[0])
        (column,) = node.view(LOCAL_USER).history(["d1.level"], 0, 2**62, 10_000_000).columns
        assert len(column.value) >= kept_rows, "nothing that was acknowledged is lost"
        await node.close()

    with small_disk(tmp_path / "disk", 40) as disk:
        asyncio.run(scene(disk))
