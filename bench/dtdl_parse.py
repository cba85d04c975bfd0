"""How long does it take to read, check and resolve an ontology of DTDL?

Question: RealEstateCore (1,364 interfaces) through `ectype.model.parse`, and that ontology several times under other
names, to show how cost grows. Baseline in the same run: json.loads of the same text; no parser can be faster.
Without the data beside the project, an ontology of the same size is made up.

    python bench/dtdl_parse.py [--quick] [--json]
"""

import argparse
import json
import time
from pathlib import Path

from ectype.model import JSON, parse

DATA = Path(__file__).parents[1] / "../shared/data/ontologies/realestatecore-dtdlv2/models.json"


def ontology() -> tuple[str, str]:
    """What it is, and its text."""
    if DATA.is_file():
        return "RealEstateCore", DATA.read_text("utf-8")
    made = [
        {
            "@context": "dtmi:dtdl:context;2",
            "@id": f"dtmi:bench:M{k};1",
            "@type": "Interface",
            "extends": f"dtmi:bench:M{k // 4};1" if k else [],
            "contents": [{"@type": "Property", "name": f"p{k}x{n}", "schema": "double"} for n in range(5)],
        }
        for k in range(1364)
    ]
    return "a made-up tree (RealEstateCore is not here)", json.dumps(made)


def copies(text: str, count: int) -> str:
    """The ontology `count` times, each time under names of its own."""
    made = [
        text.replace('"dtmi:', f'"dtmi:copy{k}:').replace(f'"dtmi:copy{k}:dtdl:', '"dtmi:dtdl:') for k in range(count)
    ]
    parts = [each.replace(f'"dtmi:copy{k}:standard:', '"dtmi:standard:').strip()[1:-1] for k, each in enumerate(made)]
    return "[" + ",".join(parts) + "]"


def best(text: str, times: int) -> tuple[int, float, float]:
    """(interfaces, seconds to parse, seconds of json.loads alone), the best of so many."""
    parsing, loading, count = float("inf"), float("inf"), 0
    for _ in range(times):
        start = time.perf_counter()
        documents: JSON = json.loads(text)
        loaded = time.perf_counter()
        count = len(parse([documents]))
        parsing = min(parsing, time.perf_counter() - loaded)
        loading = min(loading, loaded - start)
    return count, parsing, loading


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    name, text = ontology()
    rows: list[dict[str, object]] = []
    for factor in (1,) if args.quick else (1, 2, 4, 8):
        count, parsing, loading = best(copies(text, factor), 1 if args.quick else 3)
        rows.append({"interfaces": count, "parse_s": parsing, "json_s": loading, "ratio": parsing / loading})
    if args.json:
        print(json.dumps({"ontology": name, "rows": rows}))
        return
    print(name)
    for row in rows:
        print(
            f"{row['interfaces']:>7} interfaces: {row['parse_s']:.2f} s; json.loads alone {row['json_s'] or 0:.3f} s, "
            f"ratio {row['ratio']:.0f}"
        )


if __name__ == "__main__":
    main()
