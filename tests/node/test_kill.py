"""The plug is pulled: whatever a device or a person was told is kept, is kept."""

import json
import random
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as mqtt

from ectype.log.verify import verify_space
from tests.node.conftest import T0_NS, play, running

ROUNDS = 4


@contextmanager
def serving(space: Path) -> Iterator[tuple[subprocess.Popen[str], str, int]]:
    """`ectype serve` in a process of its own: (process, url, MQTT port)."""
    words = ["serve", str(space), "--port", "0", "--mqtt-port", "0", "--no-estimate", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "ectype.cli.main", *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    try:
        told = json.loads(process.stdout.readline())
        yield process, told["url"], told["mqtt_port"]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class Device:
    """Publishes numbers as fast as they are acknowledged and remembers which were; all of it in the client's thread."""

    def __init__(self, port: int, first: int) -> None:
        self.acknowledged: set[int] = set()
        self.enough = threading.Event()
        self._numbers: dict[int, int] = {}
        self._next = first
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="device")
        self._client.max_inflight_messages_set(50)
        self._client.on_connect = self._begin
        self._client.on_publish = self._acknowledge
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _begin(self, client: object, userdata: object, flags: object, reason: object, properties: object) -> None:
        for _ in range(50):
            self._send()

    def _send(self) -> None:
        at_s = T0_NS // 10**9 + self._next
        sent = self._client.publish("x/R80711", json.dumps({"t": at_s, "power": self._next}), qos=1)
        self._numbers[sent.mid] = self._next
        self._next += 1

    def _acknowledge(self, client: object, userdata: object, mid: int, reason: object, properties: object) -> None:
        self.acknowledged.add(self._numbers[mid])
        if len(self.acknowledged) >= 200:
            self.enough.set()
        self._send()

    def close(self) -> int:
        """The next number that nobody has sent."""
        self._client.loop_stop()
        return self._next


def test_after_kill_9_every_acknowledged_message_is_there_and_the_log_is_whole(tmp_path: Path) -> None:
    space = tmp_path / "farm.space"

    async def make() -> None:
        async with running(space):
            pass

    play(make)
    acknowledged: set[int] = set()
    number = 0
    dice = random.Random(7)
    for _ in range(ROUNDS):
        with serving(space) as (process, _, port):
            device = Device(port, number)
            assert device.enough.wait(30)
            threading.Event().wait(dice.random() * 0.2)  # some moment, not always the same one
            process.send_signal(signal.SIGKILL)
            process.wait()
            number = device.close()
            acknowledged |= device.acknowledged
    with serving(space) as (_, url, _):
        start, stop = T0_NS // 10**6, T0_NS // 10**6 + number * 1000
        question = f"{url}/api/history?series=R80711.power&from={start}&to={stop}&points=100000"
        with urllib.request.urlopen(question) as answer:
            columns = json.load(answer)["series"]["R80711.power"]
        there = {int(value) for value in columns["v"]}
    assert acknowledged <= there, f"{len(acknowledged - there)} acknowledged messages are lost"
    assert len(acknowledged) >= 200 * ROUNDS
    assert verify_space(space).size > 0
