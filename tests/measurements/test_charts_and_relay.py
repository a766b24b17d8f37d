"""What benchmarks draw and relay, without a measurement."""

from __future__ import annotations

import asyncio
from xml.etree import ElementTree

import pytest

from benchmarks.charts import line_chart
from benchmarks.relay import Link, relays


def test_chart_is_one_line_a_series_with_its_name() -> None:
    series = {"median": [(1000.0, 0.1), (1e6, 0.4)], "nine <deciles>": [(1000.0, 0.2), (1e6, 2.5)]}
    drawn = line_chart("seconds by records", "records", "seconds", series)
    root = ElementTree.fromstring(drawn)  # noqa: S314  # ours, not a stranger's
    lines = root.findall("{*}polyline")
    assert [len(line.attrib["points"].split()) for line in lines] == [2, 2]
    texts = [text.text for text in root.findall("{*}text")]
    assert {"median", "nine <deciles>", "1,000,000", "0.1"} <= set(texts)


@pytest.mark.anyio
async def test_relay_delays_every_byte_and_keeps_its_order() -> None:
    loop = asyncio.get_running_loop()
    got: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            got.put_nowait((loop.time(), data))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    link = Link(0.03, 8e6)  # a megabyte a second
    async with relays(link)({0: port, 1: port}) as port_of:
        _, writer = await asyncio.open_connection("127.0.0.1", port_of(1, 0, port))
        sent = bytes(range(256)) * 200
        started = loop.time()
        writer.write(sent)
        arrived, last = b"", started
        while len(arrived) < len(sent):
            last, data = await got.get()
            arrived += data
        writer.close()
    server.close()
    assert arrived == sent
    assert last - started >= 0.03 + len(sent) / 1e6  # no earlier, however slow the machine is
