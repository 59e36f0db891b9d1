"""A position that is leaving at market is not sold a second time, whoever asks; against the simulator."""

from __future__ import annotations

from pathlib import Path

import pytest

from lanner.live.replaying import replay_session
from lanner.live.session import Session
from lanner.model.enums import OrderStatus, Side
from tests.integration.live.stage import Stage, on_stage

CLOSER = '''
import lanner as ln


class Closer(ln.Strategy):
    """Buy once, then ask at every quote for the position to be closed."""

    def on_start(self):
        self.n = 0

    def on_quote(self, quote):
        self.n += 1
        if self.n == 5:
            self.buy(0.01)
        elif self.position:
            CLOSE
'''


@pytest.mark.parametrize("close", ["self.target(0)", "self.close()", "self.target_qty(0)"])
@pytest.mark.parametrize(
    ("product", "name"), [("binance-spot", "BTC-USDT.BINANCE"), ("binance-usdm", "BTCUSDT-PERP.BINANCE")]
)
def test_a_position_that_is_leaving_is_closed_once(
    tmp_path: Path, product: str, name: str, close: str
) -> None:
    path = tmp_path / "closer.py"
    path.write_text(CLOSER.replace("CLOSE", close))

    async def play(stage: Stage) -> None:
        session = await stage.trade(await stage.plan(path, [name]), "s1", 5.0)
        orders = list(session.engine.execution.orders.values())
        assert [order.side for order in orders] == [Side.BUY, Side.SELL]
        assert session.engine.portfolio.positions["Closer", name].lots >= 0
        assert abs(session.engine.portfolio.positions["Closer", name].lots) <= 1
        _, _, found = replay_session(session.folder)
        assert found.differences == []

    on_stage(tmp_path, product, play, rate=400.0, latency_s=0.1)


HASTY = '''
import lanner as ln


class Hasty(ln.Strategy):
    """Change its mind about each entry before that has come back, and say so once."""

    def on_start(self):
        self.n = 0

    def on_quote(self, quote):
        self.n += 1
        if self.n % 40 == 5:
            self.target_qty("0.01"MORE)
        elif self.n % 40 == 7:
            self.close()
'''


@pytest.mark.parametrize("more", ["", ', stop="1%", take="2%"'])
@pytest.mark.parametrize(
    ("product", "name"), [("binance-spot", "BTC-USDT.BINANCE"), ("binance-usdm", "BTCUSDT-PERP.BINANCE")]
)
def test_an_entry_that_was_given_up_while_it_was_on_its_way_is_closed_again(
    tmp_path: Path, product: str, name: str, more: str
) -> None:
    path = tmp_path / "hasty.py"
    path.write_text(HASTY.replace("MORE", more))

    async def play(stage: Stage) -> None:
        async def look(session: Session) -> None:
            orders = session.engine.execution.orders
            position = session.engine.portfolio.position("Hasty", session.plan.instruments[name])
            for _ in range(4):
                started = len(orders)
                await stage.until(lambda before=started: len(orders) >= before + 2)  # type: ignore[misc]
                await stage.until(lambda: not any(order.is_open for order in orders.values()))
                assert position.lots * position.instrument.lot_float < 0.0001
            session.stop()

        session = await stage.trade(await stage.plan(path, [name]), "s1", 0.0, look)
        targets = [o for o in session.engine.execution.orders.values() if o.intent == "target"]
        assert [order.side for order in targets][:6] == [Side.BUY, Side.SELL] * 3
        assert {order.status for order in targets} <= {OrderStatus.FILLED}
        _, _, found = replay_session(session.folder)
        assert found.differences == []

    on_stage(tmp_path, product, play, rate=100.0, latency_s=0.1)
