"""Whoever has not fetched the records is told so in a line, not by a traceback."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("example", ["zema", "turbofan", "skab", "cnc_mill"])
def test_an_example_without_its_records_says_what_to_give(example: str, tmp_path: Path) -> None:
    words = [sys.executable, "-m", f"examples.{example}", "--data", str(tmp_path / "none")]
    ended = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert ended.stderr.rstrip().endswith("give --data")
