"""Each decoder of bytes from outside under atheris: steered by coverage, for a second or two each, in its own process.

In full: python tests/ingest/test_atheris.py DECODER -max_total_time=3600
"""

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

DECODERS = ("mqtt", "turn", "sparkplug", "arrow", "json", "messages")


def decoder(name: str) -> Callable[[bytes], object]:
    """What takes any bytes and may raise Invalid, nothing else."""
    from ectype.ingest.decode import decode
    from ectype.ingest.table import blocks_of_arrow, blocks_of_json
    from ectype.sources.base import Message
    from ectype.sources.mqtt.reader import Reader
    from ectype.sources.mqtt.turn import Turn
    from ectype.sources.sparkplug import read_payload

    def mqtt(data: bytes) -> object:
        reader = Reader()
        connect = b"\x10\x0d\0\4MQTT\5\2\0\0\0\0\0" if data[:1] == b"5" else b"\x10\x0c\0\4MQTT\4\2\0\0\0\0"
        return [*reader.feed(connect), *reader.feed(data[1:40]), *reader.feed(data[40:])]

    def turn(data: bytes) -> object:
        topics = {b"f/a": "f/a", b"f/b": "f/b"}
        made: Turn[int] = Turn(topics, 1 << 20, lambda: None)
        version = 4 + data[0] % 2 if data else 4
        for who, piece in enumerate(data[1:].split(b"|")):
            made.add(who, "c", b"\x32" + piece, version)
        found, rest, _ = made.read(0)
        read = [message for each in found for message in each.run.packed.messages()]
        return decode(read, lambda *_: None), [Reader().feed(piece) for piece in rest.values()]

    def messages(data: bytes) -> object:
        topic, _, payload = data.partition(b"\n")
        message = Message(topic.decode("utf-8", "replace"), payload, 0)
        return decode([message, message, message, message, message], lambda *_: None)

    return {
        "mqtt": mqtt,
        "turn": turn,
        "sparkplug": read_payload,
        "arrow": blocks_of_arrow,
        "json": lambda data: blocks_of_json(data, 0),
        "messages": messages,
    }[name]


@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris is not installed: pip install atheris")
@pytest.mark.parametrize("name", DECODERS)
def test_no_bytes_break_a_decoder(name: str, tmp_path: Path) -> None:
    words = [
        sys.executable,
        str(Path(__file__).resolve()),
        name,
        "-max_total_time=1",
        "-rss_limit_mb=1024",
        "-timeout=5",
    ]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Done " in done.stderr


def main() -> None:
    import atheris

    with atheris.instrument_imports(include=["ectype.sources", "ectype.ingest"]):
        take = decoder(sys.argv[1])
    from ectype.errors import Invalid

    def once(data: bytes) -> None:
        with suppress(Invalid):
            take(data)

    atheris.Setup([sys.argv[0], *sys.argv[2:]], once)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    main()
