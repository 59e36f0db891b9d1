"""A WebSocket that is stopped at any moment of its opening stays stopped."""

from __future__ import annotations

import asyncio
from pathlib import Path

from lanner.net.socket_settings import SocketSettings
from lanner.net.status import LinkState, LinkStatus
from lanner.net.websocket import WebSocket
from tests.integration.live.stage import Stage, on_stage


def test_a_socket_that_is_stopped_while_it_is_being_opened_stays_stopped(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        url = stage.where.url("binance-usdm").replace("http", "ws") + "/market/ws"
        opened = 0
        for turn in range(60):
            told: list[LinkStatus] = []
            socket = WebSocket(SocketSettings("test", url), on_frame=lambda *_: None, on_status=told.append)
            await socket.start()
            await asyncio.sleep(0.001 * turn)
            stopping = asyncio.create_task(socket.stop())
            await asyncio.sleep(0.1)
            await stopping
            opened += any(one.state is LinkState.CONNECTED for one in told)
            assert told[-1].state is LinkState.DISCONNECTED
        assert 0 < opened < 60, "some were stopped before they were open, some after"

    on_stage(tmp_path, "binance-usdm", play, latency_s=0.005)
