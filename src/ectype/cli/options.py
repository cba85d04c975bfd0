"""Options that several commands share."""

import argparse
from pathlib import Path

from ectype.node.exposure import Exposure, expose


def add_json(parser: argparse.ArgumentParser) -> None:
    """--json: output for programs."""
    parser.add_argument("--json", action="store_true", help="print one JSON object a line, for programs")


def add_exposure(parser: argparse.ArgumentParser) -> None:
    """Where to listen, and with what guard."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--token-file", type=Path, help="file with the token that every caller must present")
    parser.add_argument("--tls-cert", type=Path, help="PEM file with the certificate chain")
    parser.add_argument("--tls-key", type=Path, help="PEM file with the private key")
    parser.add_argument(
        "--device-ca", type=Path, help="PEM file of the authority whose certificates stand for a device's MQTT password"
    )
    add_json(parser)


def exposure_of(args: argparse.Namespace) -> Exposure:
    """What these options ask for; Refused when it would be open to others unguarded."""
    return expose(args.host, args.token_file, args.tls_cert, args.tls_key, args.device_ca)
