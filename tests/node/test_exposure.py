"""A node listens beyond loopback only with a token and TLS, and says how."""

from pathlib import Path

import pytest

from ectype.errors import Misconfigured, Refused
from ectype.node.exposure import expose, is_loopback

TOKEN = "a-token-of-at-least-twenty-characters"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_this_machine_alone_needs_nothing(host: str) -> None:
    assert is_loopback(host)
    assert expose(host).token is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])
def test_other_machines_need_a_token_and_tls_and_the_refusal_says_how(host: str) -> None:
    with pytest.raises(Refused, match=r"--token-file FILE .* --tls-cert CERT.pem --tls-key KEY.pem"):
        expose(host)


def test_a_token_alone_or_tls_alone_is_not_enough(tmp_path: Path) -> None:
    token, pem = tmp_path / "token", tmp_path / "x.pem"
    token.write_text(TOKEN)
    pem.write_text("")
    with pytest.raises(Refused, match="without TLS"):
        expose("0.0.0.0", token)
    with pytest.raises(Refused, match="without a token"):
        expose("0.0.0.0", None, pem, pem)
    assert expose("0.0.0.0", token, pem, pem).token == TOKEN


@pytest.mark.parametrize("text", ["", "short", "with a space in it, long enough", "two-lines-two-lines\nsecond"])
def test_a_token_that_is_easy_to_guess_or_to_get_wrong_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "token"
    file.write_text(text)
    with pytest.raises(Misconfigured, match="at least 20"):
        expose("127.0.0.1", file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="nowhere"):
        expose("127.0.0.1", tmp_path / "nowhere")
    with pytest.raises(Misconfigured, match=r"--tls-cert .*nowhere"):
        expose("127.0.0.1", None, tmp_path / "nowhere", tmp_path / "nowhere")
    with pytest.raises(Misconfigured, match="both"):
        expose("127.0.0.1", None, tmp_path / "x", None)
