"""What every way into Ectype gives: messages as they came, and readings once they are understood.

A source is one file named after its URL scheme, with two halves that do not know each other:
`messages()` moves bytes, `decode()` understands them. Reconnecting, repeats, setting bad payloads
aside and back-pressure are done once, in `ingest`, never in a source.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Protocol, runtime_checkable

from msgspec import Struct


class Message(Struct, frozen=True, gc=False):
    """Some bytes about something, as they arrived.

    topic: what they are about, levels parted by "/"; payload: the bytes, not looked at yet;
    at_ns: when they arrived; source: who sent them, as far as the transport knows ("": it does not).

    A msgspec Struct and not a dataclass, because there may be half a million of them a second (0.1 us
    each instead of 0.7). `gc=False` holds as long as no field can lead back to the message.
    """

    topic: str
    payload: bytes
    at_ns: int
    source: str = ""


class Reading(Struct, frozen=True, gc=False):
    """One number that somebody measured: `name` of `twin` was `value` at `at_ns`, in the property's unit."""

    twin: str
    name: str
    at_ns: int
    value: float


@runtime_checkable
class Source(Protocol):
    """A way in that Ectype opens itself (the MQTT endpoint is different: there the world comes to us).

    Implementers promise:
    - settings that cannot work (a missing file, a URL of the wrong shape) raise Misconfigured or Invalid
      when the source is made, before any message;
    - `messages()` yields in the order of the transport, per topic at least; it holds no more than a
      bounded piece in memory, and waits while the caller does;
    - a lost connection is Unavailable, raised out of `messages()`; calling `messages()` again starts anew;
    - `decode()` does no I/O and keeps no state; a message it cannot understand is Invalid, with a sentence
      that says what to send instead, and says nothing about any other message.

    Callers may count on nothing else: a message may come twice, and late.
    """

    def messages(self) -> AsyncIterator[Message]:
        """The bytes as they come. Cancelling the iteration closes the connection."""
        ...

    def decode(self, message: Message) -> Iterator[Reading]:
        """The readings in one message. Raises Invalid for this message alone."""
        ...
