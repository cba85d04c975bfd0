"""`ectype serve` as a process: it starts, says where it is, ends cleanly, and says in a sentence why it cannot."""

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ECTYPE = [sys.executable, "-m", "ectype.cli.main"]
ANY_PORTS = ["--port", "0", "--mqtt-port", "0"]


def start(space: Path, *words: str) -> subprocess.Popen[str]:
    command = [*ECTYPE, "serve", str(space), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def refused(space: Path, *words: str) -> tuple[int, str]:
    """(exit code, what it said) of a start that cannot work."""
    done = subprocess.run([*ECTYPE, "serve", str(space), *words], capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str, int]]:
    """(space, url, MQTT port) of an empty space that is served."""
    space = tmp_path / "plant.space"
    process = start(space, *ANY_PORTS, "--json")
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        told = json.loads(process.stdout.readline())
        yield space, told["url"], told["mqtt_port"]
    finally:
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=30)[1]
    assert (process.returncode, said) == (0, "")


def test_an_empty_space_answers_and_ends_cleanly(served: tuple[Path, str, int]) -> None:
    _, url, _ = served
    with urllib.request.urlopen(f"{url}/api/space") as answer:
        space = json.load(answer)
    assert (space["name"], space["size"]) == ("plant", 0)


def test_a_port_that_is_taken_is_named_with_the_way_out(served: tuple[Path, str, int], tmp_path: Path) -> None:
    _, url, mqtt_port = served
    port = url.rsplit(":", 1)[1]
    code, said = refused(tmp_path / "other.space", "--port", port, "--mqtt-port", "0")
    assert (code, f"port {port}" in said, "--port" in said, said.count("\n")) == (2, True, True, 1)
    code, said = refused(tmp_path / "other.space", "--port", "0", "--mqtt-port", str(mqtt_port))
    assert (code, f"port {mqtt_port}" in said, said.count("\n")) == (2, True, 1)


def test_a_space_that_another_process_has_is_refused(served: tuple[Path, str, int]) -> None:
    space, _, _ = served
    code, said = refused(space, *ANY_PORTS)
    assert (code, "in use by process" in said, said.count("\n")) == (1, True, 1)


def test_the_log_can_be_checked_while_it_is_served(served: tuple[Path, str, int]) -> None:
    space, _, _ = served
    assert subprocess.run([*ECTYPE, "log", "verify", str(space)], capture_output=True).returncode == 0


def test_listening_to_others_without_a_guard_is_refused_with_the_way(tmp_path: Path) -> None:
    code, said = refused(tmp_path / "s.space", "--host", "0.0.0.0")
    assert (code, "--token-file" in said, "--tls-cert" in said) == (1, True, True)
    assert not (tmp_path / "s.space").exists()


def test_a_damaged_log_is_refused_and_named(tmp_path: Path) -> None:
    space = tmp_path / "plant.space"
    process = start(space, *ANY_PORTS, "--json")
    assert process.stdout is not None
    json.loads(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    (space / "checkpoint").write_text("nonsense")
    code, said = refused(space, *ANY_PORTS)
    assert (code, "checkpoint" in said, said.count("\n")) == (1, True, 1)


def test_a_folder_that_cannot_be_a_space_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    code, said = refused(file, *ANY_PORTS)
    assert (code, str(file) in said) == (2, True)


@pytest.mark.parametrize("words", [["--port", "99999"], ["--mqtt-port", "-2"], ["--token-file", "nowhere"]])
def test_a_wrong_setting_is_named_and_exits_with_2(tmp_path: Path, words: list[str]) -> None:
    code, said = refused(tmp_path / "s.space", *words)
    assert (code, words[0] in said) == (2, True)


def test_a_busy_port_0_is_never_busy(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        process = start(tmp_path / "s.space", *ANY_PORTS, "--json")
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["url"].startswith("http://127.0.0.1:")
        process.terminate()
        process.communicate(timeout=30)
