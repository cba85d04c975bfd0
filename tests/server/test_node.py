"""The application over a real node: what the made-up view promises elsewhere must hold there too."""

import asyncio
import inspect
import json
from pathlib import Path

import httpx
import pytest
from pycrdt import create_sync_message, create_update_message
from websockets.asyncio.client import connect

from ectype.node.exposure import Exposure
from ectype.node.node import Node, Settings
from ectype.node.view import View
from ectype.server.serve import serve
from tests.collab.browser import Browser
from tests.server.fake import FakeView


def test_the_made_up_view_is_asked_like_the_real_one() -> None:
    for name, made_up in inspect.getmembers(FakeView, inspect.isfunction):
        if name.startswith("_") or name == "row":
            continue
        real = getattr(View, name)
        assert list(inspect.signature(made_up).parameters) == list(inspect.signature(real).parameters)
        assert inspect.iscoroutinefunction(made_up) == inspect.iscoroutinefunction(real)
        assert inspect.isasyncgenfunction(made_up) == inspect.isasyncgenfunction(real)


def test_a_note_goes_through_the_log_to_the_feed_and_survives_a_restart(tmp_path: Path) -> None:
    async def scene() -> None:
        space = tmp_path / "farm.space"
        settings = Settings(Exposure(), None, estimate=False)
        node = await Node.start(space, settings)
        serving = await serve(node, settings.exposure, 0)
        url = serving.url.replace("http", "ws")
        page = Browser(1)
        async with connect(f"{url}/api/feed?from=0") as feed, connect(f"{url}/api/rooms/note-R1") as room:
            hello = json.loads(await feed.recv())
            await room.send(create_sync_message(page.doc))
            page.note.insert(0, "kept")
            await room.send(create_update_message(page.doc.get_update()))
            seen = json.loads(await feed.recv())
            assert (hello["next"], seen["first"], seen["next"]) == (0, 0, 1)
            assert [(e["kind"], e["subject"], e["by"]) for e in seen["entries"]] == [
                ("document.update", "doc:note-R1", "local user")
            ]
        async with httpx.AsyncClient(base_url=serving.url) as client:
            entries = (await client.get("/api/log/entries")).json()["entries"]
            proof = (await client.get("/api/log/proof?index=0")).json()
            assert (len(entries), proof["root"]) == (1, (await client.get("/api/space")).json()["root"])
        await serving.close()
        await node.close()

        node = await Node.start(space, settings)
        serving = await serve(node, settings.exposure, 0)
        late = Browser(2)
        async with connect(f"{serving.url.replace('http', 'ws')}/api/rooms/note-R1") as room:
            await room.send(create_sync_message(late.doc))
            late.take(bytes(await room.recv(decode=False)))
            late.take(bytes(await room.recv(decode=False)))
        assert late.says() == "kept"
        await serving.close()
        await node.close()

    asyncio.run(asyncio.wait_for(scene(), 30))


@pytest.mark.parametrize("path", ["/api/twins/R80711", "/api/forecast?series=nonsense", "/api/log/proof?index=0"])
def test_what_is_not_there_is_an_answer_and_no_failure(tmp_path: Path, path: str) -> None:
    async def scene() -> None:
        settings = Settings(Exposure(), None, estimate=False)
        node = await Node.start(tmp_path / "empty.space", settings)
        serving = await serve(node, settings.exposure, 0)
        async with httpx.AsyncClient(base_url=serving.url) as client:
            response = await client.get(path)
        assert response.status_code in (400, 404), response.text
        await serving.close()
        await node.close()

    asyncio.run(asyncio.wait_for(scene(), 30))
