"""Events of a USD-M account: balances, positions, funding and settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec

from lanner.model.accounts import (
    Balance,
    BalancesReport,
    MarginMode,
    PositionsReport,
    VenuePosition,
)
from lanner.model.enums import Side
from lanner.model.instruments import Instrument
from lanner.model.reports import FundingPaid
from lanner.venues.binance.names import Symbols, exact, quantity_lots, to_ns
from lanner.venues.binance.spec import VENUE
from lanner.venues.binance.told import NAN, average
from lanner.venues.binance.wire_orders import (
    AccountUpdate,
    ConfigUpdate,
    FuturesPosition,
    MarginCall,
)
from lanner.venues.codec import Inbound, Notice, NoticeKind

FUNDING = "FUNDING_FEE"

_account = msgspec.json.Decoder(AccountUpdate, strict=False).decode
_config = msgspec.json.Decoder(ConfigUpdate, strict=False).decode
_margin = msgspec.json.Decoder(MarginCall, strict=False).decode


class UsdmPurseReader:
    """Read what happens to the balances and positions of a USD-M account."""

    __slots__ = ("_open", "_symbols", "events")

    def __init__(self, symbols: Symbols) -> None:
        self._symbols = symbols
        self._open: dict[str, Instrument] = {}
        self.events: dict[str, Callable[[bytes, int], Sequence[Inbound] | None]] = {
            "ACCOUNT_UPDATE": self.account,
            "ACCOUNT_CONFIG_UPDATE": self.config,
            "MARGIN_CALL": self.margin_call,
        }

    def account(self, raw: bytes, ts_recv: int) -> Sequence[Inbound]:
        """Read balances, positions and funding."""
        update = _account(raw)
        ts, change = to_ns(update.T), update.a
        positions = tuple(
            _position(instrument, one)
            for one in change.P
            if (instrument := self._symbols.by_symbol.get(one.s)) is not None
        )
        for one in positions:
            if one.lots:
                self._open[one.instrument_id] = self._symbols.by_id[one.instrument_id]
            elif one.side is None:
                self._open.pop(one.instrument_id, None)
        told: list[Inbound] = []
        if change.B:
            balances = tuple(wallet(one.a, one.wb, one.cw) for one in change.B)
            told.append(BalancesReport(VENUE, ts, ts_recv, balances))
        if positions:
            told.append(PositionsReport(VENUE, ts, ts_recv, positions))
        if change.m == FUNDING:
            told += self._funding(update, positions, ts, ts_recv)
        return told

    def _funding(
        self,
        update: AccountUpdate,
        positions: tuple[VenuePosition, ...],
        ts: int,
        ts_recv: int,
    ) -> list[Inbound]:
        """Name the instrument of a funding payment.

        The venue tells the position only where its margin is isolated. For cross margin it is the one open position
        that settles in the currency; where there are several, income history has to tell.
        """
        told: list[Inbound] = []
        for one in update.a.B:
            if not one.bc:
                continue
            places = [position.instrument_id for position in positions] or [
                name for name, instrument in self._open.items() if instrument.settle == one.a
            ]
            if len(set(places)) == 1:
                told.append(FundingPaid(places[0], ts, ts_recv, exact(one.bc), NAN))
            else:
                text = f"funding of {one.bc:f} {one.a} was settled for one of several positions"
                told.append(Notice(NoticeKind.OTHER, text, ts_recv))
        return told

    def seen(self, positions: Sequence[VenuePosition]) -> None:
        """Learn open positions from an answer, so that funding can be told whose it is."""
        for one in positions:
            if one.lots:
                self._open[one.instrument_id] = self._symbols.by_id[one.instrument_id]

    def config(self, raw: bytes, ts_recv: int) -> Sequence[Inbound]:
        """Read a changed setting."""
        change = _config(raw).ac
        text = "a setting of the account has changed"
        if change is not None and change.s:
            text = f"the leverage of {change.s} is {change.l}"
        return (Notice(NoticeKind.OTHER, text, ts_recv),)

    def margin_call(self, raw: bytes, ts_recv: int) -> Sequence[Inbound]:
        """Read which positions need more margin."""
        event = _margin(raw)
        known = self._symbols.by_symbol
        positions = tuple(_position(known[one.s], one) for one in event.p if one.s in known)
        text = f"margin call: {', '.join(one.s for one in event.p)}"
        notice = Notice(NoticeKind.OTHER, text, ts_recv)
        if not positions:
            return (notice,)
        return (PositionsReport(VENUE, to_ns(event.E), ts_recv, positions), notice)


def wallet(currency: str, total: Decimal, cross: Decimal) -> Balance:
    """Make a balance of a wallet: what isolated positions hold is locked."""
    available = min(exact(total), exact(cross))
    return Balance(currency, total, available, total - available)


def signed_lots(instrument: Instrument, amount: Decimal) -> int:
    """Turn a position's amount into lots; negative when short."""
    lots = quantity_lots(instrument, abs(amount))
    return lots if amount >= 0 else -lots


def number(value: Decimal | None) -> float:
    """Return a told number as a float; NaN where none was told."""
    return NAN if value is None else float(exact(value))


def _position(instrument: Instrument, one: FuturesPosition) -> VenuePosition:
    isolated = one.mt.lower() == "isolated"
    return VenuePosition(
        instrument.id,
        signed_lots(instrument, one.pa),
        average(one.ep),
        average(one.mp),
        unrealized_pnl=number(one.up),
        margin_mode=MarginMode.ISOLATED if isolated else MarginMode.CROSS,
        side=hedge_side(one.ps),
    )


def hedge_side(word: str) -> Side | None:
    """Return the side of a position in hedge mode; None where there is one position only."""
    return {"LONG": Side.BUY, "SHORT": Side.SELL}.get(word)
