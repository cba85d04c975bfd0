"""How much one MQTT endpoint takes on."""

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class Limits:
    """How much one endpoint takes on, so that nobody outside decides how much memory it needs.

    packet: bytes of one packet; connection, endpoint: bytes on their way to the disk before reading stops;
    connections: clients at a time; away: sessions whose client may come back.
    """

    packet: int = 1 << 20
    connection: int = 8 << 20
    endpoint: int = 64 << 20
    connections: int = 10_000
    away: int = 10_000  # as many as connections: after a restart all of those are away


USUAL = Limits()
