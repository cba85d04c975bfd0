"""Tables over HTTP into a real node: on disk and in history when answered, refused whole with the place."""

import asyncio
import errno
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import numpy as np
import pyarrow as pa

from ectype.log.stores import disk
from ectype.node.exposure import Exposure
from ectype.node.node import Node, Settings
from ectype.node.write import Draft
from ectype.server import push
from ectype.server.serve import serve
from ectype.trust.access import LOCAL_USER
from ectype.values.arrow import from_arrow

ARROW = {"content-type": "application/vnd.apache.arrow.stream"}
MODEL = {
    "@id": "dtmi:t:Dial;1",
    "@type": "Interface",
    "@context": "dtmi:dtdl:context;3",
    "contents": [{"@type": "Telemetry", "name": "level", "schema": "double"}],
}


def play(path: Path, scene: Callable[[httpx.AsyncClient, Node], Awaitable[None]]) -> None:
    async def run() -> None:
        settings = Settings(Exposure(), None, estimate=False)
        node = await Node.start(path, settings)
        view = node.view(LOCAL_USER)
        if not view.twins().twins:
            await view.write(Draft("model.put", f"model:{MODEL['@id']}", MODEL))
            await view.write(Draft("twin.put", "twin:d1", {"$dtId": "d1", "$metadata": {"$model": MODEL["@id"]}}))
        serving = await serve(node, settings.exposure, 0)
        try:
            async with httpx.AsyncClient(base_url=serving.url) as client:
                await scene(client, node)
        finally:
            await serving.close()
            await node.close()

    asyncio.run(run())


def table(n: int, series: str = "d1.level") -> bytes:
    sink = pa.BufferOutputStream()
    batch = pa.record_batch({"time": pa.array(np.arange(n), pa.timestamp("s")), series: np.arange(n) / 4})
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def test_an_arrow_table_is_in_history_when_its_answer_says_so(tmp_path: Path) -> None:
    async def first(client: httpx.AsyncClient, node: Node) -> None:
        answer = await client.post("/api/push", content=table(30_000), headers=ARROW)
        assert (answer.status_code, answer.json()["samples"]) == (200, 30_000)
        assert answer.json()["size"] == node.log.size
        await node.follower.reach(node.log.size)
        last = (await client.get("/api/last")).json()["series"]["d1.level"]
        assert last == [29_999_000, 29_999 / 4, None]

    async def again(client: httpx.AsyncClient, node: Node) -> None:
        (column,) = node.view(LOCAL_USER).history(["d1.level"], 0, 2**62, 100_000).columns
        assert np.array_equal(column.value, np.arange(30_000) / 4)

    play(tmp_path / "s", first)
    play(tmp_path / "s", again)


def test_json_readings_are_taken_the_same_way(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, node: Node) -> None:
        rows = [{"twin": "d1", "property": "level", "value": 2.5, "t": "2014-03-01T12:00:00Z"}]
        answer = await client.post("/api/push", json=rows)
        assert (answer.status_code, answer.json()["samples"]) == (200, 1)
        await node.follower.reach(node.log.size)
        assert (await client.get("/api/last")).json()["series"]["d1.level"][1] == 2.5

    play(tmp_path / "s", scene)


def test_what_cannot_be_taken_is_refused_whole_and_says_why(tmp_path: Path, monkeypatch) -> None:
    async def scene(client: httpx.AsyncClient, node: Node) -> None:
        size = node.log.size

        async def told(status: int, **request) -> str:
            answer = await client.post("/api/push", **request)
            assert answer.status_code == status
            return answer.json()["error"]["message"]

        rows = [{"twin": t, "property": "level", "value": 1} for t in ("d1", "d2")]
        assert "there is no twin 'd2'" in await told(400, json=rows)
        assert "declares no 'speed'" in await told(400, content=table(3, "d1.speed"), headers=ARROW)
        assert "names a facet" in await told(400, content=table(3, "d1.level@estimated"), headers=ARROW)
        assert "content type is text/csv" in await told(400, content=b"a,b", headers={"content-type": "text/csv"})
        assert "source=NAME" in await told(400, json=[], params={"sequence": 3})
        assert "not an Arrow IPC stream" in await told(400, content=b"ARROW1", headers=ARROW)
        monkeypatch.setattr(push, "MOST_BYTES", 1000)
        assert "send it as several" in await told(413, content=bytes(1001), headers=ARROW)
        monkeypatch.setattr(push, "_MOST_TOGETHER", 100)
        assert "send this one again" in await told(503, content=bytes(101), headers=ARROW)
        assert node.log.size == size

    play(tmp_path / "s", scene)


def test_a_table_that_comes_twice_is_taken_once(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, node: Node) -> None:
        found = []
        for sequence in (7, 7, 6, 9):
            answer = await client.post(
                "/api/push", content=table(2), headers=ARROW, params={"source": "gateway-1", "sequence": sequence}
            )
            found.append((answer.json()["samples"], answer.json()["repeated"]))
        assert found == [(2, False), (0, True), (0, True), (2, False)]
        counts = node.pushes.of["gateway-1"]
        assert (counts.tables, counts.samples, counts.repeated, counts.missed) == (2, 4, 2, 1)

    play(tmp_path / "s", scene)


def test_tables_that_come_together_share_an_entry_and_a_wrong_one_among_them_is_refused_alone(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, node: Node) -> None:
        before = node.log.size
        bodies = [table(4000 + k, "d1.level" if k != 5 else "d1.speed") for k in range(12)]
        answers = await asyncio.gather(*(client.post("/api/push", content=b, headers=ARROW) for b in bodies))
        assert [a.status_code for a in answers] == [400 if k == 5 else 200 for k in range(12)]
        assert [a.json()["samples"] for k, a in enumerate(answers) if k != 5] == [4000 + k for k in range(12) if k != 5]
        entries = [entry for _, entry in node.log.read(before)]
        assert 0 < len(entries) < 11
        told = [from_arrow(entry.body) for entry in entries if entry.body is not None]
        assert sum(map(len, told)) == sum(4000 + k for k in range(12) if k != 5)
        assert {block.names for block in told} == {("d1.level",)}

    play(tmp_path / "s", scene)


def test_all_tables_of_a_group_hear_that_the_disk_did_not_take_it(tmp_path: Path, monkeypatch) -> None:
    async def scene(client: httpx.AsyncClient, node: Node) -> None:
        def full(fd: int, data: bytes, at: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as stalled:
            stalled.setattr(disk, "write_at", full)
            answers = await asyncio.gather(
                *(client.post("/api/push", content=table(4000), headers=ARROW) for _ in range(6))
            )
            assert {a.status_code for a in answers} == {503}
            assert all("nothing was appended" in a.json()["error"]["message"] for a in answers)
        answer = await client.post("/api/push", content=table(4000), headers=ARROW)
        assert (answer.status_code, answer.json()["samples"]) == (200, 4000)

    play(tmp_path / "s", scene)
