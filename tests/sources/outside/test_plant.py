"""Connectors of the plant floor against servers of their own libraries: OPC UA and Modbus TCP; and a folder."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import asyncio
import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest
from asyncua import Server, ua
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from ectype.errors import Unavailable
from ectype.sources.modbus import Point, runs
from tests.sources.outside.bed import first, free_port, opening, play, until_open, values


def test_nodes_of_an_opc_ua_server_come_in_with_the_times_of_their_device() -> None:
    async def work() -> None:
        port = free_port()
        server = Server()
        await server.init()
        server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
        space = await server.register_namespace("urn:test")
        speed = await server.nodes.objects.add_variable(ua.NodeId("Line1.Speed", space), "Speed", 1.5)
        broken = await server.nodes.objects.add_variable(ua.NodeId("Line1.Broken", space), "Broken", 7.0)
        async with server:
            bind = {
                f"ns={space};s=Line1.Speed": "conveyor-1.speed",
                f"ns={space};s=Line1.Broken": "conveyor-1.load",
                f"ns={space};s=Line1.Absent": "conveyor-1.other",
            }
            told = opening(f"opc.tcp://127.0.0.1:{port}", bind, every_ms=20)
            coming = asyncio.ensure_future(first(told, lambda c: any(each.value == 2.5 for each in c)))
            at = datetime(2014, 3, 1, 12, tzinfo=UTC)
            while not coming.done():
                bad = ua.DataValue(ua.Variant(9.0), ua.StatusCode(ua.StatusCodes.BadSensorFailure))
                await server.write_attribute_value(broken.nodeid, bad)
                await server.write_attribute_value(speed.nodeid, ua.DataValue(ua.Variant(2.5), SourceTimestamp=at))
                await asyncio.wait([coming], timeout=0.2)
            came = await coming
        assert set(values(came)["conveyor-1.speed"]) <= {1.5, 2.5}
        assert 9.0 not in values(came).get("conveyor-1.load", [])
        assert [each.at_ns for each in came if each.value == 2.5] == [1_393_675_200 * 10**9]

    play(work)


def test_an_opc_ua_server_that_knows_none_of_the_nodes_is_unavailable() -> None:
    async def work() -> None:
        port = free_port()
        server = Server()
        await server.init()
        server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
        async with server:
            with pytest.raises(Unavailable, match="none of the bound nodes"):
                await first(opening(f"opc.tcp://127.0.0.1:{port}", {"ns=2;s=Absent": "t.a"}), bool)

    play(work)


def test_registers_of_a_modbus_device_come_in() -> None:
    big = list(struct.unpack(">2H", struct.pack(">f", 21.5)))
    held = [7, 65_535, *big, *([0] * 196)]

    async def work() -> None:
        port = free_port()
        registers = SimData(0, values=held, datatype=DataType.REGISTERS)
        bits = SimData(0, values=[False, True, False, False] * 4, datatype=DataType.BITS)
        device = SimDevice(1, simdata=([bits], [bits], [registers], [registers]))
        server = ModbusTcpServer(device, address=("127.0.0.1", port))
        serving = asyncio.ensure_future(server.serve_forever())
        await until_open(port)
        try:
            bind = {
                "holding:0": "m.count",
                "holding:1:int16:0.5": "m.level",
                "holding:2:float32": "m.temperature",
                "input:199": "m.last",
                "coil:1": "m.on",
                "discrete:2": "m.off",
            }
            came = await first(opening(f"modbus://127.0.0.1:{port}/1", bind, every_s=0.01), lambda c: len(c) >= 12)
        finally:
            await server.shutdown()
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
        assert {name: set(seen) for name, seen in values(came).items()} == {
            "m.count": {7.0},
            "m.level": {-0.5},
            "m.temperature": {21.5},
            "m.last": {0.0},
            "m.on": {1.0},
            "m.off": {0.0},
        }

    play(work)


def test_a_modbus_device_that_is_not_there_is_unavailable() -> None:
    async def work() -> None:
        with pytest.raises(Unavailable):
            await first(opening(f"modbus://127.0.0.1:{free_port()}/1", {"coil:1": "m.on"}, timeout_s=0.5), bool)

    play(work)


@given(st.lists(st.tuples(st.sampled_from(["holding", "coil"]), st.integers(0, 3000), st.integers(1, 4)), max_size=40))
def test_every_register_is_in_one_question_that_a_device_can_answer(asked: list[tuple[str, int, int]]) -> None:
    points = [Point(table, address, words, None, 1.0, "t.a") for table, address, words in asked]

    found = runs(points)

    assert sorted(map(repr, points)) == sorted(repr(p) for run in found for p in run)
    for run in found:
        assert len({p.table for p in run}) == 1
        assert max(p.address + p.words for p in run) - run[0].address <= (120 if run[0].table == "holding" else 1900)


def test_files_put_into_a_folder_are_read_once_and_moved(tmp_path: Path) -> None:
    async def work() -> None:
        (tmp_path / "a.csv").write_text(
            "twin,t,power\npump-1,2014-03-01T12:00:00Z,1.5\npump-1,2014-03-01T12:00:01Z,2.5\n"
        )
        (tmp_path / "b.csv").write_text("this is,no\nrecording,at all\n")
        told = opening(tmp_path.as_uri(), every_s=0.05, columns={"power": "power"})
        coming = asyncio.ensure_future(first(told, lambda c: len(c) >= 3))
        while not (tmp_path / "failed" / "b.txt").exists():
            await asyncio.wait([coming], timeout=0.02)
        (tmp_path / "c.csv").write_text("twin,t,power\npump-2,2014-03-01T12:00:02Z,3.5\n")
        came = await coming
        assert values(came) == {"pump-1.power": [1.5, 2.5], "pump-2.power": [3.5]}
        assert (tmp_path / "read" / "a.csv").exists()
        assert (tmp_path / "failed" / "b.csv").exists()

    play(work)
