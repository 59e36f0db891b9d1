"""EMA cross on nautilus_trader 2.0 pre-release: native indicators, a Python strategy, market orders on each cross."""

from __future__ import annotations

import time
from decimal import Decimal
from importlib.metadata import version

from nautilus_trader.backtest import BacktestEngine, BacktestEngineConfig
from nautilus_trader.common import LoggerConfig
from nautilus_trader.execution import MakerTakerFeeModel
from nautilus_trader.indicators import ExponentialMovingAverage
from nautilus_trader.model import (
    AccountType,
    Bar,
    BarType,
    CryptoPerpetual,
    Currency,
    InstrumentId,
    Money,
    OmsType,
    OrderSide,
    Price,
    PriceType,
    Quantity,
    QuoteTick,
    Symbol,
    Venue,
)
from nautilus_trader.trading import Strategy, StrategyConfig

from benchmarks import contract, walk

VENUE = Venue("BINANCE")
INSTRUMENT_ID = InstrumentId(Symbol("BTCUSDT-PERP"), VENUE)
BAR_TYPE = BarType.from_str(f"{INSTRUMENT_ID}-1-MINUTE-LAST-EXTERNAL")


class EmaCross(Strategy):
    """Hold one unit long above the cross and one short below it."""

    def prepare(self, kind: str, fast: int, slow: int) -> EmaCross:
        self.kind = kind
        self.fast = ExponentialMovingAverage(fast, PriceType.MID if kind == "quotes" else PriceType.LAST)
        self.slow = ExponentialMovingAverage(slow, PriceType.MID if kind == "quotes" else PriceType.LAST)
        self.above: bool | None = None
        self.units = 1
        return self

    def on_start(self) -> None:
        if self.kind == "bars":
            self.register_indicator_for_bars(BAR_TYPE, self.fast)
            self.register_indicator_for_bars(BAR_TYPE, self.slow)
            self.subscribe_bars(BAR_TYPE)
        else:
            self.register_indicator_for_quote_ticks(INSTRUMENT_ID, self.fast)
            self.register_indicator_for_quote_ticks(INSTRUMENT_ID, self.slow)
            self.subscribe_quotes(INSTRUMENT_ID)

    def on_bar(self, bar: Bar) -> None:
        self.decide()

    def on_quote(self, quote: QuoteTick) -> None:
        self.decide()

    def decide(self) -> None:
        if not self.slow.initialized:
            return
        above = self.fast.value > self.slow.value
        if above == self.above:
            return
        crossed = self.above is not None
        self.above = above
        if crossed:
            quantity = Quantity(contract.ORDER_LOTS * self.units * walk.LOT, 3)
            self.units = 2
            side = OrderSide.BUY if above else OrderSide.SELL
            self.submit_order(self.order_factory.market(INSTRUMENT_ID, side, quantity))


def instrument() -> CryptoPerpetual:
    usdt = Currency.from_str("USDT")
    return CryptoPerpetual(
        instrument_id=INSTRUMENT_ID,
        raw_symbol=Symbol("BTCUSDT"),
        base_currency=Currency.from_str("BTC"),
        quote_currency=usdt,
        settlement_currency=usdt,
        is_inverse=False,
        price_precision=2,
        size_precision=3,
        price_increment=Price(0.01, 2),
        size_increment=Quantity(0.001, 3),
        ts_event=0,
        ts_init=0,
        margin_init=Decimal("0.05"),
        margin_maint=Decimal("0.025"),
    )


def load(kind: str, columns: list) -> list:
    px = lambda ticks: Price(ticks * walk.TICK, 2)  # noqa: E731
    qty = lambda lots: Quantity(lots * walk.LOT, 3)  # noqa: E731
    if kind == "bars":
        return [
            Bar(BAR_TYPE, px(o), px(h), px(lo), px(c), qty(v), ts, ts)
            for ts, o, h, lo, c, v in zip(*columns, strict=True)
        ]
    return [
        QuoteTick(INSTRUMENT_ID, px(bid), px(ask), qty(bq), qty(aq), ts, ts)
        for ts, bid, ask, bq, aq in zip(*columns, strict=True)
    ]


def run(kind: str, data: list, fast: int, slow: int) -> tuple[float, int, int]:
    config = BacktestEngineConfig(logging=LoggerConfig(bypass_logging=True), run_analysis=False)
    engine = BacktestEngine(config)
    engine.add_venue(
        venue=VENUE,
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        starting_balances=[Money(contract.BALANCE, Currency.from_str("USDT"))],
        fee_model=MakerTakerFeeModel(Decimal(contract.MAKER_FEE), Decimal(contract.TAKER_FEE)),
    )
    engine.add_instrument(instrument())
    engine.add_data(data)
    config = StrategyConfig(log_events=False, log_commands=False)
    engine.add_strategy(EmaCross(config).prepare(kind, fast, slow))
    started = time.process_time()
    engine.run()
    seconds = time.process_time() - started
    orders = engine.cache.orders()
    filled = sum(1 for order in orders if order.filled_qty.as_double() > 0)
    engine.dispose()
    return seconds, len(orders), filled


def main() -> None:
    args = contract.arguments()
    data = load(args.kind, walk.read(args.data, args.kind))
    run(args.kind, data[: contract.WARM_UP_ROWS], args.fast, args.slow)
    seconds, orders, fills = run(args.kind, data, args.fast, args.slow)
    contract.Measured(len(data), seconds, orders, fills, version("nautilus_trader")).emit()


if __name__ == "__main__":
    main()
