"""A node that speaks TLS with its own authority, in a thread beside the test, and stock clients for it."""

import asyncio
import inspect
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from azure.digitaltwins.core import DigitalTwinsClient

import ectype
from ectype.node.exposure import Exposure
from ectype.node.node import Node, Settings
from ectype.server.authority import own_certificate
from ectype.server.serve import Serving, serve
from tests.model.making import component, interface, prop, relationship, telemetry

VERSION = "2023-10-31"
MODELS = [
    interface("Thermostat", prop("target"), telemetry("now")),
    interface(
        "Room",
        prop("temperature"),
        prop("name", "string"),
        prop("many", "long"),
        component("thermostat", "Thermostat"),
        relationship("next", "Room", properties=[prop("door", "string")]),
        telemetry("motion"),
    ),
    interface("Floor", prop("level", "integer"), relationship("holds", "Room"), relationship("knows")),
    interface("Lab", prop("gas"), extends="dtmi:test:Room;1"),
]
ROOM, FLOOR, LAB, THERMOSTAT = (f"dtmi:test:{name};1" for name in ("Room", "Floor", "Lab", "Thermostat"))


class Asynchronous:
    """The asynchronous client, asked as if it were the other: so what is tested of one is tested of both."""

    def __init__(self, inner: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._inner = inner
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found):
            return Asynchronous(found, self._loop)

        def ask(*given: Any, **named: Any) -> Any:
            made = self._loop.run_until_complete(_whole(found, given, named))
            waits = inspect.iscoroutinefunction(getattr(made, "result", None))
            return Asynchronous(made, self._loop) if waits else made  # a poller is asked like the client

        return ask


async def _whole(ask: Callable[..., Any], given: Any, named: Any) -> Any:
    made = ask(*given, **named)
    if inspect.isawaitable(made):
        made = await made
    return iter([each async for each in made]) if hasattr(made, "__aiter__") else made


class Place:
    """A served space."""

    def __init__(self, path: Path, *, tls: bool = True, mqtt: bool = False, aio: bool = False) -> None:
        self.path = path
        self.tls = tls
        self.aio = aio  # which of the stock clients `client` gives
        self._mqtt_port = 0 if mqtt else None
        self.ca: Path | None = None
        self.url = ""
        self.node: Any = None
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._failure: BaseException | None = None

    def start(self) -> "Place":
        self._thread.start()
        assert self._ready.wait(30)
        if self._failure is not None:
            raise self._failure
        return self

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._stop = asyncio.Event()
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as failure:  # noqa: BLE001 - told by `start` and `stop`
            self._failure = failure
        finally:
            self._ready.set()
            self._loop.close()

    async def _serve(self) -> None:
        exposure = Exposure()
        if self.tls:
            self.ca, cert, key = own_certificate(self.path / "keys", "127.0.0.1")
            exposure = Exposure(cert=cert, key=key)
        self.node = await Node.start(self.path, Settings(exposure, self._mqtt_port, estimate=False))
        serving: Serving = await serve(self.node, exposure, 0, static=None)
        self.url = serving.url.replace("127.0.0.1", "localhost")
        self._ready.set()
        await self._stop.wait()
        await serving.close()
        await self.node.close()
        for transport in list(getattr(self._loop, "_transports", {}).values()):
            transport.abort()  # a client that never says goodbye to TLS would be waited for
        await asyncio.sleep(0)

    def do(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Run something in the node's own loop."""
        return asyncio.run_coroutine_threadsafe(work(), self._loop).result(60)

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(30)
        if self._failure is not None:
            raise self._failure

    @contextmanager
    def client(self, **more: Any) -> Iterator[DigitalTwinsClient]:
        if self.aio:
            loop = asyncio.new_event_loop()
            inner = loop.run_until_complete(self._asynchronous(**more))
            try:
                yield cast(DigitalTwinsClient, Asynchronous(inner, loop))
            finally:
                loop.run_until_complete(inner.close())
                loop.close()
            return
        made = ectype.connect(self.url, ca=self.ca, **more)
        try:
            yield made
        finally:
            made._client.close()

    async def _asynchronous(self, **more: Any) -> Any:
        return ectype.connect(self.url, ca=self.ca, aio=True, **more)

    def http(self, version: str | None = VERSION) -> httpx.Client:
        verify = ssl.create_default_context(cafile=str(self.ca)) if self.ca else True

        def versioned(request: httpx.Request) -> httpx.Request:
            if version is not None and "api-version" not in request.url.params:
                request.url = request.url.copy_add_param("api-version", version)
            return request

        return httpx.Client(base_url=self.url, auth=versioned, verify=verify, timeout=60)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A space with the models of a building."""
    served = Place(tmp_path_factory.mktemp("adt") / "house.space").start()
    with served.client() as client:
        client.create_models(MODELS)
    yield served
    served.stop()


@pytest.fixture(params=[False, True], ids=["sync", "aio"])
def client(place: Place, request: pytest.FixtureRequest) -> Iterator[DigitalTwinsClient]:
    place.aio = request.param
    with place.client() as made:
        yield made
    place.aio = False


@pytest.fixture
def http(place: Place) -> Iterator[httpx.Client]:
    with place.http() as made:
        yield made


def room(model: str = ROOM, **values: object) -> dict[str, object]:
    return {"$metadata": {"$model": model}, **values}
