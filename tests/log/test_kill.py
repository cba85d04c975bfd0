"""A process killed under load loses nothing that it acknowledged. bench/kill9.py does this 200 times."""

import json
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parents[2] / "bench" / "kill9.py"


def test_nothing_acknowledged_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(BENCH), "--kills", "3", "--max-s", "0.15", "--folder", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["lost"] == 0
    assert 0 < result["acknowledged"] <= result["entries"]
