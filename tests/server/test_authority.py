"""`--tls`: an authority of the space's own that ordinary TLS clients accept once they trust it."""

import json
import signal
import ssl
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

import ectype
from ectype.errors import Misconfigured
from ectype.node.tls import certified_names, context
from ectype.server.authority import own_certificate

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_it_is_made_once_and_its_keys_are_nobody_elses(tmp_path: Path) -> None:
    paths = own_certificate(tmp_path / "keys", "127.0.0.1", NOW)
    before = [path.read_bytes() for path in paths]
    assert own_certificate(tmp_path / "keys", "127.0.0.1", NOW + timedelta(days=100)) == paths
    assert [path.read_bytes() for path in paths] == before
    for name in ("ca.key", "server.key"):
        assert stat.S_IMODE((tmp_path / "keys" / name).stat().st_mode) == 0o600
    assert {"localhost", "127.0.0.1", "::1"} <= certified_names(paths[1])
    context(paths[1], paths[2])


@pytest.mark.parametrize(("host", "days"), [("127.0.0.1", 380), ("twins.example.org", 0)])
def test_the_certificate_is_renewed_under_the_same_authority(tmp_path: Path, host: str, days: int) -> None:
    ca, cert, _ = own_certificate(tmp_path, "127.0.0.1", NOW)
    authority, old = ca.read_bytes(), cert.read_bytes()
    own_certificate(tmp_path, host, NOW + timedelta(days=days))
    assert ca.read_bytes() == authority
    assert cert.read_bytes() != old
    assert host in certified_names(cert)
    leaf, above = x509.load_pem_x509_certificates(cert.read_bytes())
    leaf.verify_directly_issued_by(above)


def test_files_that_are_no_certificates_are_named(tmp_path: Path) -> None:
    for name in ("ca.pem", "ca.key"):
        (tmp_path / name).write_text("nonsense")
    with pytest.raises(Misconfigured, match="--tls: the certificates in"):
        own_certificate(tmp_path, "127.0.0.1")


def test_serve_speaks_tls_with_one_flag(tmp_path: Path) -> None:
    space = tmp_path / "safe.space"
    words = ["serve", str(space), "--tls", "--port", "0", "--no-mqtt", "--no-estimate", "--json"]
    process = subprocess.Popen([sys.executable, "-m", "ectype.cli.main", *words], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        url = json.loads(process.stdout.readline())["url"]
        trusting = ssl.create_default_context(cafile=str(space / "keys" / "ca.pem"))
        with urllib.request.urlopen(f"{url}/api/space", context=trusting) as answer:
            assert json.load(answer)["name"] == "safe"
        with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
            urllib.request.urlopen(f"{url}/api/space")
        client = ectype.connect(url, ca=space / "keys" / "ca.pem")
        assert list(client.list_models()) == []
        client._client.close()
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def test_an_address_or_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="no address"):
        ectype.connect("localhost:8787")
    with pytest.raises(Misconfigured, match="no such file"):
        ectype.connect("https://localhost:8787", ca=tmp_path / "gone.pem")
