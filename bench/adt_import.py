"""How long does an import job take to load a campus, each twin and relationship checked against its type and logged?

`ectype serve` in a process of its own takes an NDJSON file by PUT /jobs/imports, and is watched until the job is over.
Then the node is stopped and started again: how long until it answers. Beside it, in the same run, the physical limit:
the same rows put into a bare SQLite file, unchecked and unlogged.
Bars, for 1 M twins and 3 M relationships: 240 s, 1.5 GB resident, start within 2 s.
"""

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

TWINS, EDGES_PER_TWIN = 1_000_000, 3
API = {"api-version": "2023-10-31"}
SPACE_TYPE, SENSOR_TYPE = "dtmi:bench:Space;1", "dtmi:bench:Sensor;1"


def interface(dtmi: str, *contents: dict[str, Any]) -> dict[str, Any]:
    return {"@context": "dtmi:dtdl:context;3", "@type": "Interface", "@id": dtmi, "contents": list(contents)}


def prop(name: str, schema: str) -> dict[str, Any]:
    return {"@type": "Property", "name": name, "schema": schema}


MODELS = [
    interface(
        SPACE_TYPE,
        prop("name", "string"),
        prop("area", "double"),
        prop("level", "integer"),
        prop("occupied", "boolean"),
        prop("changed", "dateTime"),
        {"@type": "Relationship", "name": "contains"},
        {"@type": "Relationship", "name": "near", "properties": [prop("metres", "double")]},
    ),
    interface(
        SENSOR_TYPE,
        prop("name", "string"),
        prop("unit", "string"),
        prop("value", "double"),
        prop("limit", "double"),
        prop("serial", "long"),
        {"@type": "Relationship", "name": "near", "properties": [prop("metres", "double")]},
        {"@type": "Relationship", "name": "contains"},
    ),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--twins", type=int)
    args = parser.parse_args()
    count = args.twins or (5_000 if args.quick else TWINS)
    with tempfile.TemporaryDirectory() as folder:
        space = Path(folder) / "campus.space"
        (space / "files").mkdir(parents=True)
        write_campus(space / "files" / "campus.ndjson", count)
        bare = bare_sqlite(Path(folder) / "bare.sqlite", count)
        result = {"twins": count, "relationships": count * EDGES_PER_TWIN, **measure(space)}
    result |= {"bare_sqlite_s": bare, "ratio": result["import_s"] / bare}
    if count == TWINS:
        result |= {"bar_import_s": 240, "bar_resident_mb": 1500, "bar_start_s": 2}
    print(json.dumps({k: round(v, 3) if isinstance(v, float) else v for k, v in result.items()}, indent=2))


def twins(count: int) -> Iterator[dict[str, Any]]:
    for n in range(count):
        if n % 4:
            values = {"name": f"sensor {n}", "unit": "degC", "value": n % 400 / 10, "limit": 40.0, "serial": n}
            yield {"$dtId": f"twin-{n}", "$metadata": {"$model": SENSOR_TYPE}, **values}
        else:
            values = {"name": f"room {n}", "area": 10 + n % 50 / 2, "level": n % 9, "occupied": n % 3 == 0}
            yield {
                "$dtId": f"twin-{n}",
                "$metadata": {"$model": SPACE_TYPE},
                **values,
                "changed": "2024-05-01T12:00:00Z",
            }


def edges(count: int) -> Iterator[tuple[str, str, str, str, dict[str, Any]]]:
    for n in range(count):
        source = f"twin-{n}"
        yield source, "a", "contains", f"twin-{(n * 7 + 1) % count}", {}
        yield source, "b", "near", f"twin-{(n + 1) % count}", {"metres": n % 100 / 4}
        yield source, "c", "near", f"twin-{(n + count // 2 + 1) % count}", {}


def write_campus(path: Path, count: int) -> None:
    with path.open("w") as file:
        for line in ({"Section": "Header"}, {"fileVersion": "1.0.0", "author": "bench", "organization": "bench"}):
            file.write(json.dumps(line) + "\n")
        for line in ({"Section": "Models"}, *MODELS, {"Section": "Twins"}):
            file.write(json.dumps(line) + "\n")
        for twin in twins(count):
            file.write(json.dumps(twin) + "\n")
        file.write('{"Section": "Relationships"}\n')
        for source, edge, name, target, values in edges(count):
            ends = {"$sourceId": source, "$relationshipId": edge, "$relationshipName": name, "$targetId": target}
            file.write(json.dumps(ends | values) + "\n")


def bare_sqlite(path: Path, count: int) -> float:
    """Seconds to put the same rows into SQLite by the thousand, with the indexes that a graph needs."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=NORMAL")
    db.execute("CREATE TABLE t(key INTEGER PRIMARY KEY, id TEXT UNIQUE, model TEXT, properties TEXT)")
    db.execute("CREATE TABLE r(source TEXT, id TEXT, name TEXT, target TEXT, properties TEXT, UNIQUE(source, id))")
    db.execute("CREATE INDEX r_in ON r(target)")
    began = time.perf_counter()
    db.execute("BEGIN")
    rows = ((each.pop("$dtId"), each.pop("$metadata")["$model"], json.dumps(each)) for each in twins(count))
    db.executemany("INSERT INTO t(id, model, properties) VALUES(?, ?, ?)", rows)
    db.executemany(
        "INSERT INTO r VALUES(?, ?, ?, ?, ?)",
        ((source, edge, name, target, json.dumps(values)) for source, edge, name, target, values in edges(count)),
    )
    db.execute("COMMIT")
    took = time.perf_counter() - began
    db.close()
    return took


def serve(space: Path) -> tuple[subprocess.Popen[str], str, float]:
    """A node on that space, where it is, and the seconds until it answered."""
    words = ["serve", str(space), "--port", "0", "--no-mqtt", "--no-estimate", "--json"]
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "ectype.cli.main", *words], stdout=subprocess.PIPE, text=True)
    url = json.loads(process.stdout.readline() if process.stdout else "")["url"]
    httpx.get(f"{url}/models", params=API).raise_for_status()
    return process, url, time.perf_counter() - began


def resident_mb(pid: int) -> float:
    """The most that a process ever had in memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return float("nan")


def measure(space: Path) -> dict[str, Any]:
    process, url, empty_s = serve(space)
    try:
        with httpx.Client(base_url=url, params=API, timeout=60) as http:
            began = time.perf_counter()
            http.put(
                "/jobs/imports/campus", json={"inputBlobUri": "campus.ndjson", "outputBlobUri": "told.ndjson"}
            ).raise_for_status()
            while (job := http.get("/jobs/imports/campus").json())["status"] in ("notstarted", "running"):
                time.sleep(0.2)
            took = time.perf_counter() - began
            assert job["status"] == "succeeded", job
            top = resident_mb(process.pid)
            found = http.post("/query", json={"query": "SELECT COUNT() FROM digitaltwins"}).json()["value"][0]
    finally:
        process.terminate()
        process.communicate(timeout=120)
    graph = sum(each.stat().st_size for each in (space / "folds" / "graph").glob("*"))
    process, url, start_s = serve(space)
    process.terminate()
    process.communicate(timeout=120)
    return {
        "counted": next(iter(found.values())),
        "import_s": took,
        "resident_mb": top,
        "state_bytes_per_twin": graph / max(1, next(iter(found.values()))),
        "start_empty_s": empty_s,
        "start_s": start_s,
        "cores": os.cpu_count(),
    }


if __name__ == "__main__":
    main()
