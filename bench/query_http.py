"""How long does a query take over HTTP, as a campus grows from ten thousand twins to a million?

    python bench/query_http.py            10,000 and 100,000 twins
    python bench/query_http.py --million  and 1,000,000: some minutes
    python bench/query_http.py --quick    10,000 twins, a few seconds, for CI

A campus of RealEstateCore (see campus.py) is loaded by an import job into `ectype serve`, a process of its own; then
one client with one connection asks, each time a text that was not seen before. Baseline in the same run: GET of a twin
by its id over the same connection, which is what HTTP itself and a lookup cost.

  filter  one property, equal to a value, that was filtered on before: p50
  hops    MATCH of three hops from one sensor to its building: p50
  count   COUNT over all twins: p50
  first   a filter on a property that all twins have and nobody filtered on before, once
  then    the same from then on: p50
"""

import argparse
import http.client
import json
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from adt_import import resident_mb, serve
from campus import PER_BUILDING, rows, types

API = "api-version=2023-10-31"
UP = "(s)-[:isPointOf]->(r)-[:isPartOf]->(l)-[:isPartOf]->(b)"


class Asker:
    """One connection that stays open."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._to = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=600)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        text = None if body is None else json.dumps(body)
        self._to.request(method, f"{path}?{API}", text, {"content-type": "application/json"} if text else {})
        answer = self._to.getresponse()
        value = json.loads(answer.read() or "null")
        assert answer.status < 300, value
        return value

    def rows(self, text: str) -> list[Any]:
        return self.ask("POST", "/query", {"query": text})["value"]


def p50_ms(do: Any, count: int) -> float:
    took: list[float] = []
    for number in range(count):
        began = time.perf_counter()
        assert do(number)
        took.append(1e3 * (time.perf_counter() - began))
    return median(took)


def write(path: Path, twins: int) -> None:
    """The campus as an import job takes it."""
    with path.open("w") as file:
        for line in ({"Section": "Header"}, {"fileVersion": "1.0.0", "author": "bench", "organization": "bench"}):
            file.write(json.dumps(line) + "\n")
        for line in ({"Section": "Models"}, *types()):
            file.write(json.dumps(line) + "\n")
        for section, list_ in (("Twins", "twins"), ("Relationships", "relationships")):
            file.write(json.dumps({"Section": section}) + "\n")
            for name, row in rows(twins):
                if name == list_:
                    file.write(json.dumps(row) + "\n")


def measure(twins: int, folder: Path, count: int) -> dict[str, Any]:
    space = folder / f"campus-{twins}.space"
    (space / "files").mkdir(parents=True)
    write(space / "files" / "campus.ndjson", twins)
    process, url, _ = serve(space)
    try:
        asker = Asker(url)
        began = time.perf_counter()
        asker.ask("PUT", "/jobs/imports/campus", {"inputBlobUri": "campus.ndjson", "outputBlobUri": "told.ndjson"})
        while (job := asker.ask("GET", "/jobs/imports/campus"))["status"] in ("notstarted", "running"):
            time.sleep(0.1)
        assert job["status"] == "succeeded", job
        result: dict[str, Any] = {"twins": twins, "import_s": time.perf_counter() - began}
        assert asker.rows("SELECT COUNT() FROM DIGITALTWINS") == [{"COUNT": twins}]
        result |= queries(asker, twins, count)
        return result | {"resident_mb": resident_mb(process.pid)}
    finally:
        process.terminate()
        process.communicate(timeout=120)


def queries(asker: Asker, twins: int, count: int) -> dict[str, float]:
    buildings = max(1, twins // PER_BUILDING)

    def asset(k: int) -> str:
        return f"SELECT * FROM DIGITALTWINS T WHERE T.identifiers.asset = 'A-{k * 7919 % twins:08d}'"

    def hops(k: int) -> str:
        return f"SELECT b FROM DIGITALTWINS MATCH {UP} WHERE s.$dtId = 'b{k % buildings}-l{k % 7}-r2-s3'"

    def named(k: int) -> str:
        return f"SELECT * FROM DIGITALTWINS T WHERE T.name = 'b{k % buildings}-l1-r{k % 13} of campus'"

    asker.rows(asset(1))
    lookup = p50_ms(lambda k: asker.ask("GET", f"/digitaltwins/b{k % buildings}-l1"), count)
    found = {
        "lookup_ms": lookup,
        "filter_ms": p50_ms(lambda k: asker.rows(asset(k)), count),
        "hops_ms": p50_ms(lambda k: asker.rows(hops(k)), count),
        "count_ms": p50_ms(lambda k: asker.rows(f"SELECT COUNT() AS n{k} FROM DIGITALTWINS"), count),
        "first_ms": p50_ms(lambda k: asker.rows(named(k)), 1),
    }
    return found | {"then_ms": p50_ms(lambda k: asker.rows(named(k + 1)), count)}


BARS = {"filter_ms": 3, "hops_ms": 4, "count_ms": 10, "first_ms": 1500, "then_ms": 5}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--million", action="store_true")
    args = parser.parse_args()
    sizes = [10_000] if args.quick else [10_000, 100_000, *([1_000_000] if args.million else [])]
    with tempfile.TemporaryDirectory() as folder:
        for twins in sizes:
            found = measure(twins, Path(folder), 50 if args.quick else 300)
            print(
                f"{twins:,} twins: imported in {found['import_s']:.1f} s, {found['resident_mb']:,.0f} MB resident; "
                f"GET of a twin {found['lookup_ms']:.2f} ms"
            )
            for name, bar in BARS.items():
                ratio = found[name] / found["lookup_ms"]
                print(f"  {name.removesuffix('_ms'):8}{found[name]:9.2f} ms   bar {bar:5,} ms   {ratio:.1f} lookups")


if __name__ == "__main__":
    main()
