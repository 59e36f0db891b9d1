"""A small venue for tests: one spot market, one perpetual, a few customers."""

from __future__ import annotations

from decimal import Decimal

from lanner.model.enums import OrderType, Side, TimeInForce
from lanner.model.instruments import Instrument
from lanner.simulator.accounts import Account
from lanner.simulator.events import ExchangeEvent
from lanner.simulator.exchange import Exchange
from lanner.simulator.markets import Market, Rules
from lanner.simulator.orders import Ack, NewOrder

SPOT, PERP = "BTCUSDT", "BTCPERP"


def markets(*, fees: bool = True, rules: Rules | None = None) -> list[Market]:
    maker, taker = ("0.001", "0.002") if fees else ("0", "0")
    spot = Instrument.spot("BTC-USDT.BINANCE", tick="0.5", lot="0.001", symbol=SPOT, maker=maker, taker=taker)
    perp = Instrument.perp(
        "BTCUSDT-PERP.BINANCE",
        tick="0.5",
        lot="0.001",
        symbol=PERP,
        maker=maker,
        taker=taker,
        max_leverage=50,
        maintenance_margin="0.01",
    )
    return [Market(spot, rules or Rules()), Market(perp, rules or Rules(liquidation_fee=Decimal("0.005")))]


class Venue:
    """An exchange with customers, its clock and the events it told."""

    def __init__(
        self, names: str = "abc", *, fees: bool = True, rules: Rules | None = None, usdt: str = "1000000"
    ) -> None:
        self.exchange = Exchange("test", markets(fees=fees, rules=rules))
        self.spot, self.perp = self.exchange.markets[SPOT], self.exchange.markets[PERP]
        for name in names:
            self.exchange.add_account(Account(name, balances={"USDT": usdt, "BTC": "100"}))
        self.events: list[ExchangeEvent] = []
        self.exchange.listen(self.events.append)
        self.now = 0

    def new(self, account: str, side: Side, lots: int, ticks: int = 0, **more: object) -> NewOrder:
        more.setdefault("market", SPOT)
        more.setdefault("type", OrderType.LIMIT if ticks else OrderType.MARKET)
        return NewOrder(account=account, side=side, lots=lots, ticks=ticks, **more)  # type: ignore[arg-type]

    def send(self, account: str, side: Side, lots: int, ticks: int = 0, **more: object) -> Ack:
        self.now += 1
        return self.exchange.submit(self.new(account, side, lots, ticks, **more), self.now)

    def buy(self, account: str, lots: int, ticks: int = 0, **more: object) -> Ack:
        return self.send(account, Side.BUY, lots, ticks, **more)

    def sell(self, account: str, lots: int, ticks: int = 0, **more: object) -> Ack:
        return self.send(account, Side.SELL, lots, ticks, **more)

    def cancel(self, ack: Ack) -> Ack:
        assert ack.order is not None
        self.now += 1
        return self.exchange.cancel(ack.order.account, self.now, order_id=ack.order.order_id)

    def money(self) -> dict[str, int]:
        """Return all there is of each asset: everybody's wallets and the venue's treasury."""
        found = dict(self.exchange.treasury)
        for account in self.exchange.accounts.values():
            for asset, held in account.balances.items():
                found[asset] = found.get(asset, 0) + held.total
        return {asset: atoms for asset, atoms in found.items() if atoms}

    def wealth(self) -> dict[str, int]:
        """Return the money with the open profit of all positions counted at one price."""
        found = self.money()
        for account in self.exchange.accounts.values():
            for (symbol, _), position in account.positions.items():
                market = self.exchange.markets[symbol]
                gain = position.lots * market.reference_ticks * market.unit - position.cost
                found["USDT"] = found.get("USDT", 0) + gain
        return found


IOC, FOK, GTC, GTD = TimeInForce.IOC, TimeInForce.FOK, TimeInForce.GTC, TimeInForce.GTD
BUY, SELL = Side.BUY, Side.SELL
