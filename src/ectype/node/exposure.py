"""Where a node may listen: on its own machine freely, beyond it only with a token and TLS."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import final

from ectype.errors import Misconfigured, Refused

_HOW = (
    "to let others in, give it a token and TLS: "
    "--token-file FILE (one line, at least 20 characters) --tls-cert CERT.pem --tls-key KEY.pem"
)


@final
@dataclass(frozen=True, slots=True)
class Exposure:
    """Where a node listens, and with what it guards itself.

    token: what every caller must present, or None on loopback; cert and key: PEM files, both or neither;
    device_ca: PEM file of the authority whose certificates stand for a device's password over MQTT, and, where it
    holds them, its lists of those that do not any more.
    """

    host: str = "127.0.0.1"
    token: str | None = None
    cert: Path | None = None
    key: Path | None = None
    device_ca: Path | None = None

    @property
    def tls(self) -> bool:
        """Whether it speaks TLS."""
        return self.cert is not None

    @property
    def loopback(self) -> bool:
        """Whether nothing but this machine can reach it."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether an address or name means this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def expose(
    host: str,
    token_file: Path | None = None,
    cert: Path | None = None,
    key: Path | None = None,
    device_ca: Path | None = None,
) -> Exposure:
    """The exposure that these settings ask for.

    Raises Refused when it would be open to others unguarded, Misconfigured when a file is wrong.
    """
    if (cert is None) != (key is None):
        raise Misconfigured("TLS needs both --tls-cert and --tls-key")
    if device_ca is not None and cert is None:
        raise Misconfigured(
            "--device-ca checks certificates of devices, which needs TLS: --tls, or --tls-cert and --tls-key"
        )
    for option, path in (("--tls-cert", cert), ("--tls-key", key), ("--device-ca", device_ca)):
        if path is not None and not path.is_file():
            raise Misconfigured(f"{option} {path}: there is no such file")
    token = None if token_file is None else _read_token(token_file)
    exposure = Exposure(host, token, cert, key, device_ca)
    if not exposure.loopback and not (exposure.token and exposure.tls):
        missing = " and ".join(["a token"] * (not exposure.token) + ["TLS"] * (not exposure.tls))
        raise Refused(f"will not listen on {host}, where other machines can reach it, without {missing}; {_HOW}")
    return exposure


def _read_token(path: Path) -> str:
    try:
        token = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"--token-file {path}: {error}") from error
    if len(token) < 20 or not token.isprintable() or " " in token:
        raise Misconfigured(
            f"--token-file {path}: a token is one line of at least 20 printable characters without spaces; "
            'make one with: python3 -c "import secrets; print(secrets.token_urlsafe(32))"'
        )
    return token
