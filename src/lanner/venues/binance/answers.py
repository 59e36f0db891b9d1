"""Answers to commands, read into reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from lanner.model.commands import AmendOrder, CancelOrder, SubmitOrder
from lanner.model.instruments import Instrument
from lanner.model.reports import (
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderRejected,
    OrderReport,
    OrderUnanswered,
)
from lanner.venues.binance.calls import Order, Read, ReadError, refusal
from lanner.venues.binance.codes import ErrorBody, error_of, fault_of
from lanner.venues.binance.memory import Known, OrderMemory
from lanner.venues.binance.names import client_id, quantity_lots, some_ticks, to_ns
from lanner.venues.binance.told import Execution, Prices, filled
from lanner.venues.binance.wire_orders import AlgoBody, AmendBody, ListBody, OrderBody, ReplaceBody
from lanner.venues.binance.words import expiry_of
from lanner.venues.errors import ErrorKind, Reason

_order = msgspec.json.Decoder(OrderBody, strict=False).decode
_orders = msgspec.json.Decoder(list[OrderBody], strict=False).decode
_algo = msgspec.json.Decoder(AlgoBody, strict=False).decode
_amend = msgspec.json.Decoder(AmendBody, strict=False).decode
_replace = msgspec.json.Decoder(ReplaceBody, strict=False).decode
_list = msgspec.json.Decoder(ListBody, strict=False).decode

_GONE = frozenset({"EXPIRED", "EXPIRED_IN_MATCH"})


class AnswerReader:
    """Make readers of answers; what they tell of our orders is remembered."""

    __slots__ = ("_memory", "_prices")

    def __init__(self, memory: OrderMemory, prices: Prices) -> None:
        self._memory = memory
        self._prices = prices

    # -- new orders ----------------------------------------------------------------------------------------

    def placed(self, command: SubmitOrder, instrument: Instrument) -> Read:
        """Return the reader of the answer to a new order."""
        return lambda body, ts_recv: self._new(command, instrument, _order(body), ts_recv)

    def _new(
        self, command: SubmitOrder, instrument: Instrument, body: OrderBody, ts_recv: int
    ) -> list[OrderReport]:
        if body.orderId is None:
            raise ValueError("the answer names no order")
        number, ts = str(body.orderId), _ts(body, ts_recv)
        known = self._memory.of_order(command.order_id)
        if known is not None:
            self._memory.named(known, instrument.id, number)
        name = (command.order_id, instrument.id, ts, ts_recv)
        if body.status == "REJECTED":
            return [OrderRejected(*name, "refused by the venue", Reason.OTHER)]
        reports: list[OrderReport] = [OrderAccepted(*name, number)]
        for fill in body.fills:
            execution = Execution(
                str(fill.tradeId),
                command.side,
                fill.price,
                fill.qty,
                ts,
                False,
                fill.commission,
                fill.commissionAsset or "",
            )
            reports.append(filled(instrument, command.order_id, execution, ts_recv, self._prices))
        if body.status in _GONE:
            reports.append(OrderExpired(*name, expiry_of(body.expiryReason)))
        elif body.status == "CANCELED":
            reports.append(OrderCanceled(*name))
        return reports

    def placed_algo(self, command: SubmitOrder, instrument: Instrument) -> Read:
        """Return the reader of the answer to a new conditional order."""

        def read(raw: bytes, ts_recv: int) -> list[OrderReport]:
            body = _algo(raw)
            if body.algoId is None:
                raise ValueError("the answer names no order")
            known = self._memory.of_order(command.order_id)
            if known is not None and not known.venue_order_id:
                self._memory.named(known, instrument.id, str(body.algoId))
            ts = to_ns(body.updateTime or body.createTime) or ts_recv
            return [OrderAccepted(command.order_id, instrument.id, ts, ts_recv, str(body.algoId))]

        return read

    def placed_list(self, commands: Sequence[SubmitOrder], instrument: Instrument) -> Read:
        """Return the reader of the answer to a list of orders."""

        def read(raw: bytes, ts_recv: int) -> list[OrderReport]:
            bodies = {body.clientOrderId: body for body in _list(raw).orderReports}
            reports: list[OrderReport] = []
            for command in commands:
                body = bodies.get(client_id(command.order_id))
                if body is None:
                    reports.append(_missing(command, ts_recv))
                else:
                    reports += self._new(command, instrument, body, ts_recv)
            return reports

        return read

    # -- cancels and amends --------------------------------------------------------------------------------

    def canceled(self, command: CancelOrder) -> Read:
        """Return the reader of the answer to a cancel; that of one order of a list takes the whole list back."""

        def read(raw: bytes, ts_recv: int) -> list[OrderReport]:
            told = _list(raw)
            if not told.orderReports:
                return self._canceled(command, _order(raw), ts_recv)
            reports: list[OrderReport] = []
            for body in told.orderReports:
                known = self._memory.find(
                    command.instrument_id, str(body.orderId), body.origClientOrderId, body.clientOrderId
                )
                if known is not None:
                    one = CancelOrder(known.order_id, command.instrument_id, command.ts, command.request)
                    reports += self._canceled(one, body, ts_recv)
            return reports

        return read

    def _canceled(self, command: CancelOrder, body: OrderBody, ts_recv: int) -> list[OrderReport]:
        if body.orderId is None:
            raise ValueError("the answer names no order")
        name = (command.order_id, command.instrument_id, _ts(body, ts_recv), ts_recv)
        known, before = self._memory.of_order(command.order_id), []
        if known is not None and not known.venue_order_id:
            # nobody had heard of it: without its number nobody would know its fills after a restart
            self._memory.named(known, command.instrument_id, str(body.orderId))
            before = [OrderAccepted(*name, str(body.orderId))]
        if body.status in _GONE:
            return [*before, OrderExpired(*name)]
        return [*before, OrderCanceled(*name)] if body.status in ("CANCELED", "") else [*before]

    def canceled_algo(self, command: CancelOrder) -> Read:
        """Return the reader of the answer to the cancel of a conditional order."""

        def read(raw: bytes, ts_recv: int) -> list[OrderReport]:
            body = _algo(raw)
            if body.algoId is None:
                raise ValueError("the answer names no order")
            return [OrderCanceled(command.order_id, command.instrument_id, ts_recv, ts_recv)]

        return read

    def amended(self, command: AmendOrder, known: Known, instrument: Instrument) -> Read:
        """Return the reader of the answer to an amend of a futures order."""

        def read(raw: bytes, ts_recv: int) -> list[OrderReport]:
            return self._amended(command, known, instrument, _order(raw), ts_recv)

        return read

    def amended_in_place(self, command: AmendOrder, known: Known, instrument: Instrument) -> Read:
        """Return the reader of the answer to an amend that keeps priority (spot)."""

        def read(raw: bytes, ts_recv: int) -> list[OrderReport]:
            answer = _amend(raw)
            body = answer.amendedOrder
            body.transactTime = body.transactTime or answer.transactTime
            return self._amended(command, known, instrument, body, ts_recv)

        return read

    def _amended(
        self, command: AmendOrder, known: Known, instrument: Instrument, body: OrderBody, ts_recv: int
    ) -> list[OrderReport]:
        qty = body.origQty or body.qty
        if body.orderId is None or qty is None:
            raise ValueError("the answer names no order")
        name = (command.order_id, instrument.id, _ts(body, ts_recv), ts_recv)
        known.lots = quantity_lots(instrument, qty)
        known.px_ticks = some_ticks(instrument, body.price)
        reports: list[OrderReport] = [
            OrderAmended(*name, known.lots, known.px_ticks, known.stop_ticks, command.request)
        ]
        if body.status in _GONE:
            reports.append(OrderExpired(*name, expiry_of(body.expiryReason)))
        elif body.status == "CANCELED":
            reports.append(OrderCanceled(*name))
        return reports

    def replaced(self, command: AmendOrder, known: Known, instrument: Instrument) -> tuple[Read, ReadError]:
        """Return the readers of the answers to a replace (spot): done, and half or wholly failed."""

        def read(raw: bytes, ts_recv: int) -> list[OrderReport]:
            body = _order(bytes(_replace(raw).newOrderResponse))
            if known.replacing is not None:
                known.replaced()
            name = (command.order_id, instrument.id, _ts(body, ts_recv), ts_recv)
            amended = OrderAmended(*name, known.lots, known.px_ticks, known.stop_ticks, command.request)
            side = known.side
            if side is None:
                raise ValueError("an order without a side")
            order = SubmitOrder(known.order_id, instrument.id, 0, side, known.type, known.lots)  # type: ignore[arg-type]
            return [amended, *self._new(order, instrument, body, ts_recv)]

        def failed(error: ErrorBody, ts_recv: int) -> list[OrderReport] | None:
            return _half_failed(command, known, error, ts_recv)

        return read, failed

    # -- batches (futures) ---------------------------------------------------------------------------------

    def batch(self, commands: Sequence[Order], instruments: Mapping[str, Instrument]) -> Read:
        """Return the reader of the answer to a batch: an element for each command, in order."""

        def read(raw: bytes, ts_recv: int) -> list[OrderReport]:
            bodies = _orders(raw)
            reports: list[OrderReport] = []
            for place, command in enumerate(commands):
                if place >= len(bodies):
                    reports.append(_missing(command, ts_recv))
                else:
                    reports += self._one(command, instruments, bodies[place], ts_recv)
            return reports

        return read

    def _one(
        self, command: Order, instruments: Mapping[str, Instrument], body: OrderBody, ts_recv: int
    ) -> list[OrderReport]:
        if body.code < 0:
            fault = fault_of(0, body.code, body.msg)
            if fault.kind is ErrorKind.UNANSWERED or fault.reason == Reason.DUPLICATE_ID:
                return [_missing(command, ts_recv)]
            return [refusal(command, fault, ts_recv)]
        instrument = instruments[command.instrument_id]
        if isinstance(command, SubmitOrder):
            return self._new(command, instrument, body, ts_recv)
        if isinstance(command, CancelOrder):
            return self._canceled(command, body, ts_recv)
        known = self._memory.of_order(command.order_id)
        if known is None:
            raise ValueError("an amend of an order that is not known")
        return self._amended(command, known, instrument, body, ts_recv)


def _half_failed(
    command: AmendOrder, known: Known, error: ErrorBody, ts_recv: int
) -> list[OrderReport] | None:
    """Read which half of a replace failed; a cancel that was done has ended the order."""
    raw = bytes(error.data)
    if error.code not in (-2021, -2022) or not raw or raw == b"null":
        known.replacing = None
        return None
    body = _replace(raw)
    known.replacing = None
    part = body.newOrderResponse if body.cancelResult == "SUCCESS" else body.cancelResponse
    why = error_of(bytes(part)) or error
    fault = fault_of(0, why.code, why.msg)
    refused = refusal(command, fault, ts_recv)
    if body.cancelResult != "SUCCESS":
        return [refused]
    if fault.kind is ErrorKind.UNANSWERED:
        return [_missing(command, ts_recv)]
    reason = f"cancelled to be replaced, and the new order was refused: {why.msg}"
    return [
        refused,
        OrderCanceled(command.order_id, command.instrument_id, ts_recv, ts_recv, reason),
    ]


def _missing(command: Order, ts_recv: int) -> OrderUnanswered:
    reason = "the answer does not tell of this order"
    return OrderUnanswered(command.order_id, command.instrument_id, ts_recv, ts_recv, reason)


def _ts(body: OrderBody, ts_recv: int) -> int:
    stamp = body.transactTime or body.updateTime or body.time
    return to_ns(stamp) if stamp else ts_recv
