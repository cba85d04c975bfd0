import asyncio
import datetime
import ipaddress
import socket
import ssl
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pycrdt import create_sync_message, create_update_message
from websockets.asyncio.client import connect

from ectype.errors import Misconfigured
from ectype.node.tls import certified_names, context
from ectype.server.serve import Serving, listen
from tests.collab.browser import Browser
from tests.server.fake import FakeView, app_of, frame


def play(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(coroutine, 20))


async def served(view: FakeView, host: str = "127.0.0.1", port: int = 0) -> Serving:
    return await listen(app_of(view), host, port)


def ws(serving: Serving) -> str:
    return serving.url.replace("http", "ws", 1)


def test_any_free_port_is_told_and_answers_at_once() -> None:
    async def scene() -> None:
        serving = await served(FakeView())
        assert serving.port > 0
        assert serving.url == f"http://127.0.0.1:{serving.port}"
        async with httpx.AsyncClient() as client:
            response = await client.get(f"{serving.url}/api/space")
        assert response.json()["name"] == "farm"
        assert "server" not in response.headers
        assert "date" in response.headers
        await serving.close()
        await serving.close()

    play(scene())


def test_a_port_that_is_taken_is_named_with_the_way_out() -> None:
    async def scene() -> None:
        first = await served(FakeView())
        with pytest.raises(Misconfigured, match=rf"port {first.port} of 127\.0\.0\.1 is taken .* --port 0"):
            await served(FakeView(), port=first.port)
        await first.close()
        again = await served(FakeView(), port=first.port)
        await again.close()

    play(scene())


def test_a_host_that_is_not_ours_is_named() -> None:
    async def scene() -> None:
        with pytest.raises(Misconfigured, match=r"192\.0\.2\.1"):
            await served(FakeView(), "192.0.2.1")
        with pytest.raises(Misconfigured, match="no such address"):
            await served(FakeView(), "not a host")

    play(scene())


def test_localhost_answers_on_every_address_it_has() -> None:
    async def scene() -> None:
        serving = await served(FakeView(), "localhost")
        found = await asyncio.get_running_loop().getaddrinfo("localhost", serving.port, type=socket.SOCK_STREAM)
        for address in {str(address[0]) for *_, address in found}:
            reader, writer = await asyncio.open_connection(address, serving.port)
            writer.write(b"GET /api/space HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 200")
            writer.close()
        await serving.close()

    play(scene())


def test_a_stock_client_follows_the_feed() -> None:
    async def scene() -> None:
        view = FakeView()
        serving = await served(view)
        async with connect(f"{ws(serving)}/api/feed?from=3") as client:
            assert '"next":3' in str(await client.recv())
            view.live.put_nowait(frame(3))
            assert '"next":5' in str(await client.recv())
        await serving.close()

    play(scene())


def test_closing_tells_feeds_and_rooms_to_come_back_and_is_quick() -> None:
    async def scene() -> None:
        view = FakeView()
        serving = await served(view)
        feed = await connect(f"{ws(serving)}/api/feed")
        room = await connect(f"{ws(serving)}/api/rooms/note-R80711")
        await feed.recv()
        await room.recv()
        began = time.monotonic()
        await serving.close()
        assert time.monotonic() - began < 2
        for client in (feed, room):
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await client.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012
        assert view.feeds_open == 0
        assert view.rooms["note-R80711"].idle

    play(scene())


def test_a_client_that_vanishes_leaves_nothing_behind() -> None:
    async def scene() -> None:
        view = FakeView()
        serving = await served(view)
        feed = await connect(f"{ws(serving)}/api/feed")
        room = await connect(f"{ws(serving)}/api/rooms/note-R80711")
        await feed.recv()
        await room.recv()
        feed.transport.abort()
        room.transport.abort()
        await serving.close()
        assert view.feeds_open == 0
        assert view.rooms["note-R80711"].idle

    play(scene())


def test_a_note_travels_between_real_sockets() -> None:
    async def scene() -> None:
        view = FakeView()
        serving = await served(view)
        ada, bob = Browser(1), Browser(2)
        url = f"{ws(serving)}/api/rooms/note-R80711"
        async with connect(url) as a, connect(url) as b:
            for client, page in ((a, ada), (b, bob)):
                await client.send(create_sync_message(page.doc))
                page.take(bytes(await client.recv(decode=False)))
                page.take(bytes(await client.recv(decode=False)))
            ada.note.insert(0, "hello")
            await a.send(create_update_message(ada.doc.get_update()))
            bob.take(bytes(await b.recv(decode=False)))
            assert bob.says() == "hello"
        await serving.close()

    play(scene())


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: localhost\r\n\r\n",
        b"PATCH /api/twins/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"GET /api/feed HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        b"\x00" * 1000,
    ],
)
def test_nonsense_on_the_socket_is_turned_away_and_the_next_is_served(nonsense: bytes) -> None:
    async def scene() -> None:
        serving = await served(FakeView())
        reader, writer = await asyncio.open_connection("127.0.0.1", serving.port)
        writer.write(nonsense)
        writer.write_eof()
        answer = await reader.read()
        assert b" 200 " not in answer.split(b"\r\n", 1)[0]
        writer.close()
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"{serving.url}/api/space")).status_code == 200
        await serving.close()

    play(scene())


def certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "twin.example")])
    now = datetime.datetime.now(datetime.UTC)
    names: list[x509.GeneralName] = [
        x509.DNSName("Twin.example"),
        x509.DNSName("*.farm.example"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert, secret = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert, secret


def test_over_tls_pages_and_sockets_work(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    assert certified_names(cert) == {"twin.example", "*.farm.example", "127.0.0.1"}

    async def scene() -> None:
        serving = await listen(app_of(FakeView()), "127.0.0.1", 0, tls=context(cert, key))
        assert serving.url.startswith("https://")
        trust = ssl.create_default_context(cafile=str(cert))
        async with httpx.AsyncClient(verify=trust) as client:
            assert (await client.get(f"{serving.url}/api/space")).status_code == 200
        async with connect(f"{ws(serving)}/api/feed", ssl=trust) as feed:
            await feed.recv()
        await serving.close()

    play(scene())


def test_certificates_that_are_none_are_named(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    with pytest.raises(Misconfigured, match="cannot be used together"):
        context(key, cert)
    with pytest.raises(Misconfigured, match="--tls-cert"):
        certified_names(key)
