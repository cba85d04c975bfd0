"""The API is what its description says, and no request that a machine can think of makes it fail."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ectype.server.adt.door import OPERATIONS
from tests.server.adt.conftest import MODELS, Place, room


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Place]:
    served = Place(tmp_path / "open.space", tls=False).start()
    with served.client() as client:
        client.create_models(MODELS)
        client.upsert_digital_twin("0", room(temperature=1))
    yield served
    served.stop()


def test_every_operation_is_described(plain: Place) -> None:
    with plain.http(None) as http:
        described = http.get("/openapi.json").json()
    assert set(described["paths"]) == set(OPERATIONS)
    for template, methods in OPERATIONS.items():
        assert set(described["paths"][template]) == {method.lower() for method in methods}
        for each in described["paths"][template].values():
            assert each["summary"]
            assert each["parameters"][0]["name"] == "api-version"


def test_no_request_is_a_server_error(plain: Place, tmp_path: Path) -> None:
    words = ["-m", "schemathesis.cli", "run", f"{plain.url}/openapi.json", "--checks", "not_a_server_error"]
    words += ["--max-examples", "6", "--seed", "1", "--phases", "examples,coverage,fuzzing", "--no-color"]
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=240, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
