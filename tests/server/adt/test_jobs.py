"""Import and delete jobs, through the stock client and through a kill."""

import asyncio
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.digitaltwins.core import DigitalTwinsClient

import ectype
from tests.server.adt.conftest import FLOOR, MODELS, ROOM, Place

HEADER = [{"Section": "Header"}, {"fileVersion": "1.0.0", "author": "tests", "organization": "house"}]


def lines(*values: object) -> bytes:
    return b"".join((each if isinstance(each, bytes) else json.dumps(each).encode()) + b"\n" for each in values)


def twin(name: str, **values: object) -> dict[str, object]:
    return {"$dtId": name, "$metadata": {"$model": ROOM}, **values}


def edge(source: str, name: str, target: str, **values: object) -> dict[str, object]:
    return {"$sourceId": source, "$relationshipId": name, "$relationshipName": "next", "$targetId": target, **values}


@pytest.fixture(params=[False, True], ids=["sync", "aio"])
def fresh(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    served = Place(tmp_path / "jobs.space", tls=False, aio=request.param).start()
    yield served
    served.stop()


def put(place: Place, name: str, data: bytes) -> None:
    folder = place.path / "files"
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)


def finished(client: DigitalTwinsClient, job_id: str) -> Any:
    until = time.monotonic() + 60
    while True:
        job = client._client.import_jobs.get_by_id(job_id)
        if job.status in ("succeeded", "failed", "cancelled"):
            return job
        assert time.monotonic() < until, job.status


def start(client: DigitalTwinsClient, job_id: str, source: str, output: str = "told.ndjson") -> Any:
    return client._client.import_jobs.add(job_id, {"inputBlobUri": source, "outputBlobUri": output})


def told(place: Place) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (place.path / "files" / "told.ndjson").read_text().splitlines()]


def test_a_file_is_imported_and_what_cannot_be_is_told_by_line(fresh: Place) -> None:
    twins = [twin(f"t{number}", temperature=number) for number in range(2500)]
    edges = [edge(f"t{number}", "n", f"t{number + 1}", door="oak") for number in range(2499)]
    bad = [twin("x1", colour="red"), b"{", twin("a b"), {"no": "id"}]
    data = lines(
        *HEADER,
        {"Section": "Models"},
        *MODELS,
        {"Section": "Twins"},
        *twins,
        *bad,
        {"Section": "Relationships"},
        *edges,
        edge("t1", "m", "nobody"),
        {"$dtId": "t1", "$relationshipId": "by-dt-id", "$relationshipName": "next", "$targetId": "t9"},
    )
    put(fresh, "house.ndjson", data)
    with fresh.client() as client:
        assert start(client, "one", "house.ndjson").status in ("notstarted", "running", "succeeded")
        job = finished(client, "one")
        assert (job.status, job.error) == ("succeeded", None)
        assert job.finished_date_time >= job.created_date_time
        assert next(iter(client.query_twins("SELECT COUNT() FROM digitaltwins"))) == {"COUNT": 2500}
        read = client.get_digital_twin("t1200")
        assert (read["temperature"], read["$metadata"]["$model"]) == (1200, ROOM)
        assert [each["$relationshipId"] for each in client.list_relationships("t1")] == ["by-dt-id", "n"]
        client.update_digital_twin("t1200", [{"op": "add", "path": "/temperature", "value": 1}])
        assert [each.id for each in client._client.import_jobs.list()] == ["one"]
        client._client.import_jobs.delete("one")
        with pytest.raises(ResourceNotFoundError):
            client._client.import_jobs.get_by_id("one")
    *faults, last = told(fresh)
    assert [each["line"] for each in faults] == [2509, 2510, 2511, 2512, 5013]
    assert last == {"summary": {"models": 4, "twins": 2500, "relationships": 2500, "errors": 5}}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (lines({"Section": "Twins"}), "sections come in the order"),
        (lines({"Section": "Header"}, {"fileVersion": "9"}), "fileVersion"),
        (lines(*HEADER, {"Section": "Models"}, {"@id": "x"}), ""),
        (lines(*HEADER, {"Section": "Nonsense"}), "no section"),
        (lines(*HEADER, {"Section": "Twins"}, {"Section": "Models"}), "order"),
        (lines(*HEADER, {"Section": "Twins"}, twin("x")), "none of the 1 lines"),
    ],
)
def test_a_file_that_is_none_fails_with_a_reason(fresh: Place, data: bytes, reason: str) -> None:
    put(fresh, "bad.ndjson", data)
    with fresh.client() as client:
        start(client, "bad", "bad.ndjson")
        job = finished(client, "bad")
        assert job.status == "failed"
        assert reason in job.error.message


def test_an_input_that_cannot_be_is_refused_or_fails(fresh: Place) -> None:
    with fresh.client() as client:
        for source, output in (("../x", "o"), ("ok", "https://x.test/o"), ("/etc/passwd", "o"), ("", "o")):
            with pytest.raises(HttpResponseError) as error:
                start(client, "j", source, output)
            assert error.value.status_code in (400, 403)
        start(client, "gone", "gone.ndjson")
        assert finished(client, "gone").status == "failed"
        with pytest.raises(HttpResponseError) as error:
            start(client, "gone", "gone.ndjson")
        assert error.value.status_code == 409
        with pytest.raises(ResourceNotFoundError):
            client._client.import_jobs.get_by_id("nothing")


def test_an_http_address_is_an_input_too(fresh: Place, tmp_path: Path) -> None:
    data = lines(*HEADER, {"Section": "Models"}, *MODELS, {"Section": "Twins"}, twin("far"))

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with fresh.client() as client:
            start(client, "far", f"http://127.0.0.1:{server.server_port}/house.ndjson")
            assert finished(client, "far").status == "succeeded"
            assert client.get_digital_twin("far")
        server.shutdown()
        thread.join()


def test_an_import_is_cancelled_and_what_it_put_stays_whole(fresh: Place) -> None:
    twins = [twin(f"t{number}") for number in range(60_000)]
    put(fresh, "long.ndjson", lines(*HEADER, {"Section": "Models"}, *MODELS, {"Section": "Twins"}, *twins))
    with fresh.client() as client:
        start(client, "long", "long.ndjson")
        client._client.import_jobs.cancel("long")
        assert finished(client, "long").status == "cancelled"
        count = next(iter(client.query_twins("SELECT COUNT() FROM digitaltwins")))["COUNT"]
        assert count < 60_000
        assert count % 1000 == 0


def test_a_delete_job_takes_everything_at_both_paths(fresh: Place) -> None:
    data = lines(*HEADER, {"Section": "Models"}, *MODELS, {"Section": "Twins"}, twin("a"), twin("b"))
    put(fresh, "few.ndjson", data + lines({"Section": "Relationships"}, edge("a", "n", "b")))
    with fresh.client() as client, fresh.http() as http:
        start(client, "few", "few.ndjson")
        assert finished(client, "few").status == "succeeded"
        poller = client._client.delete_jobs.begin_add(polling_interval=0)
        assert poller.result().status in ("succeeded", "notstarted", "running")
        assert list(client.list_models()) == []
        with pytest.raises(ResourceNotFoundError):
            client.get_digital_twin("a")
        client.create_models(MODELS)
        client.upsert_digital_twin("a", {"$metadata": {"$model": FLOOR}})
        answer = http.post("/jobs/delete", headers={"operation-id": "again"})
        assert (answer.status_code, answer.json()["id"]) == (202, "again")
        assert answer.headers["operation-location"].startswith(f"{fresh.url}/jobs/delete/again?")
        assert http.get("/jobs/delete/again").json()["id"] == "again"
        assert len(http.get("/jobs/deletions").json()["value"]) == 2
        assert http.get("/jobs/deletions/none").json()["error"]["code"] == "DeleteJobNotFound"


def test_a_killed_import_goes_on_where_it_was(tmp_path: Path) -> None:
    space, count = tmp_path / "killed.space", 40_000
    (space / "files").mkdir(parents=True)
    twins = [twin(f"t{number}", temperature=number) for number in range(count)]
    wrong = [twin(f"w{number}", colour="red") for number in range(5)]
    data = lines(*HEADER, {"Section": "Models"}, *MODELS, {"Section": "Twins"}, *wrong, *twins, *wrong)
    (space / "files" / "big.ndjson").write_bytes(data)

    def run() -> tuple[subprocess.Popen[str], DigitalTwinsClient]:
        words = ["serve", str(space), "--port", "0", "--no-mqtt", "--no-estimate", "--json"]
        process = subprocess.Popen([sys.executable, "-m", "ectype.cli.main", *words], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        return process, ectype.connect(json.loads(process.stdout.readline())["url"])

    process, client = run()
    start(client, "big", "big.ndjson")
    until, query = time.monotonic() + 60, "SELECT COUNT() FROM digitaltwins"
    while next(iter(client.query_twins(query)))["COUNT"] < 3000:
        assert time.monotonic() < until
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    client._client.close()
    process, client = run()
    try:
        assert finished(client, "big").status == "succeeded"
        assert next(iter(client.query_twins("SELECT COUNT() FROM digitaltwins"))) == {"COUNT": count}
    finally:
        client._client.close()
        process.terminate()
        process.communicate()
    *faults, last = [json.loads(line) for line in (space / "files" / "told.ndjson").read_text().splitlines()]
    assert [each["id"] for each in faults] == [each["$dtId"] for each in wrong * 2]
    assert last["summary"] == {"models": 4, "twins": count, "relationships": 0, "errors": 10}
    put_twice = asyncio.run(_rows(space))
    assert put_twice == count


async def _rows(space: Path) -> int:
    """How many rows all blocks of the log have together."""
    from ectype.node.node import Node, Settings

    node = await Node.start(space, Settings(mqtt_port=None, estimate=False))
    found = [entry for _, entry in node.log.read(0) if entry.kind == "graph.put"]
    count = sum(len(json.loads(entry.body or b"{}")["twins"]) for entry in found)
    await node.close()
    return count
