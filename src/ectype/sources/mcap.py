"""Recordings in MCAP: messages of many channels in the order of time. Those in JSON are read.

A channel's topic means what it means at the node's own endpoint, and bindings.toml says what foreign ones mean. A
message without a time of its own was measured when it was logged. Other encodings are left out; a file with no JSON
at all is Invalid. Reads a chunk at a time.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import final

from ectype.errors import Invalid, Misconfigured
from ectype.sources.base import Message

MAGIC = b"\x89MCAP0\r\n"
_CHUNK = 1024
_LARGEST_RECORD = 256 << 20
_log = logging.getLogger("ectype.mcap")


@final
class Mcap:
    """One file. Misconfigured without the mcap package, Invalid if it is damaged or has nothing in JSON."""

    def __init__(self, path: Path, source: str) -> None:
        try:
            from mcap.reader import SeekingReader  # an extra: only who has such files needs it
        except ImportError as error:
            raise Misconfigured(f"{path} needs a package that is not here; pip install 'ectype[mcap]'") from error
        self._path = path
        self._source = source
        self._reader = SeekingReader

    async def messages(self) -> AsyncIterator[Message]:
        """The messages of all JSON channels, in the order they were logged; the file is read on another thread."""
        found = self._found()
        while chunk := await asyncio.to_thread(lambda: [m for _, m in zip(range(_CHUNK), found, strict=False)]):
            for message in chunk:
                yield message

    def _found(self) -> Iterator[Message]:
        left: dict[str, str] = {}
        read = 0
        try:
            with self._path.open("rb") as file:
                reader = self._reader(file, record_size_limit=_LARGEST_RECORD)
                for _, channel, message in reader.iter_messages():
                    if channel.message_encoding != "json":
                        left[channel.topic] = channel.message_encoding
                        continue
                    read += 1
                    yield Message(channel.topic, message.data, message.log_time, self._source)
        except Exception as error:  # whatever the reader and its decompressors (zstd has an Exception of its own) raise
            raise Invalid(f"{self._path} is no whole MCAP file: {type(error).__name__}: {error}") from error
        if left:
            _log.warning("%s: left out %s; channels in JSON are read", self._path, left)
        if left and not read:
            raise Invalid(f"{self._path} has channels in {', '.join(sorted(set(left.values())))} only; JSON is read")
