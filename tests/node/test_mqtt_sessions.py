"""MQTT sessions outlive a whole node, stopped or killed, in the eyes of clients that others wrote."""

import shutil
import signal
import subprocess
import threading
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from tests.node.test_kill import serving

pytestmark = pytest.mark.skipif(
    shutil.which("mosquitto_sub") is None or shutil.which("mosquitto_pub") is None,
    reason="mosquitto_pub and mosquitto_sub are not installed: apt install mosquitto-clients",
)
PATIENCE_S = 30
_TIMED_OUT = 27  # of mosquitto_sub -W, which acknowledges all before it goes; -C does not


def mosquitto(program: str, port: int, *words: str) -> str:
    command = [program, "-h", "127.0.0.1", "-p", str(port), *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=PATIENCE_S)
    assert done.returncode in (0, _TIMED_OUT)
    return done.stdout


def subscribe(port: int, *words: str) -> str:
    """As one client that has its session kept."""
    words = ("-c", "-i", "away", "-q", "1", "-t", "farm/#", *words)
    return mosquitto("mosquitto_sub", port, *words)


def publish(port: int, *payloads: str) -> None:
    for payload in payloads:
        mosquitto("mosquitto_pub", port, "-q", "2", "-t", "farm/p1/power", "-m", payload)


class Watcher:
    """A paho client with a session, which acknowledges only what it is told to."""

    def __init__(self, port: int) -> None:
        self.got: list[mqtt.MQTTMessage] = []
        self.present: bool | None = None
        self._news = threading.Condition()
        self._ready = threading.Event()
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "here", clean_session=False, manual_ack=True)
        self.client.on_connect = self._connected
        self.client.on_subscribe = lambda *_: self._ready.set()
        self.client.on_message = self._message
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self._ready.wait(PATIENCE_S)

    def _connected(self, client, _data, flags, reason, _properties) -> None:
        assert not reason.is_failure
        self.present = flags.session_present
        if self.present:
            self._ready.set()
        else:
            client.subscribe("farm/#", 1)

    def _message(self, _client, _data, message: mqtt.MQTTMessage) -> None:
        with self._news:
            self.got.append(message)
            self._news.notify()

    def wait(self, count: int) -> list[str]:
        with self._news:
            assert self._news.wait_for(lambda: len(self.got) >= count, PATIENCE_S)
            return [message.payload.decode() for message in self.got]

    def acknowledge(self, which: int) -> None:
        self.client.ack(self.got[which].mid, self.got[which].qos)

    def vanish(self) -> None:
        self.client.loop_stop()
        socket = self.client.socket()
        if socket is not None:
            socket.close()


def on_disk(space: Path, *wanted: bytes) -> bytes:
    """The file of the sessions, once it holds what is wanted."""
    for _ in range(20 * PATIENCE_S):
        path = space / "mqtt" / "sessions"
        data = path.read_bytes() if path.exists() else b""
        if all(piece in data for piece in wanted):
            return data
        threading.Event().wait(0.05)
    raise AssertionError(f"the sessions have no {wanted}")


def test_sessions_are_there_after_a_stop(tmp_path: Path) -> None:
    space = tmp_path / "farm.space"
    with serving(space) as (process, _, port):
        subscribe(port, "-E")
        watcher = Watcher(port)
        assert watcher.present is False
        publish(port, "1", "2", "3")
        assert watcher.wait(3) == ["1", "2", "3"]
        watcher.acknowledge(1)
        publish(port, "4")  # what it has read is behind the acknowledgement
        watcher.wait(4)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
        watcher.vanish()
    with serving(space) as (_, _, port):
        watcher = Watcher(port)
        assert watcher.present
        assert watcher.wait(3) == ["1", "3", "4"]
        assert all(message.dup for message in watcher.got)
        publish(port, "5")
        assert watcher.wait(4) == ["1", "3", "4", "5"]
        assert subscribe(port, "-W", "2", "-v").splitlines() == [f"farm/p1/power {k}" for k in range(1, 6)]
        watcher.vanish()


def test_sessions_are_there_after_kill_9_a_moment_later(tmp_path: Path) -> None:
    space = tmp_path / "farm.space"
    with serving(space) as (process, _, port):
        subscribe(port, "-E")
        watcher = Watcher(port)
        publish(port, "one", "two", "three")
        watcher.wait(3)
        watcher.acknowledge(0)
        publish(port, "four")
        watcher.wait(4)
        on_disk(space, b"three", b"four")
        process.send_signal(signal.SIGKILL)
        process.wait()
        watcher.vanish()
    with serving(space) as (_, _, port):
        watcher = Watcher(port)
        assert watcher.present
        assert watcher.wait(3) == ["two", "three", "four"]
        assert subscribe(port, "-W", "2").split() == ["one", "two", "three", "four"]
        watcher.vanish()


def test_a_damaged_file_stops_the_node_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "farm.space" / "mqtt" / "sessions"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\x92\xdd\0\0\0\0\xce\0\0\0\0")
    with pytest.raises(ValueError, match="Expecting value"), serving(path.parent.parent):
        pass  # it says nothing where it would say its port
    path.unlink()
    with serving(path.parent.parent) as (_, _, port):
        assert port
