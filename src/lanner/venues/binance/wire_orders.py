# ruff: noqa: N815, E741 - the fields bear the venue's own names
"""Orders, fills and accounts as they come over the wire: answers and account events of both products.

What is traded is read exactly, as ``Decimal``. The venue leaves out or nulls what does not apply, so most fields have a
default; what an order cannot be without is checked where it is read.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec
from msgspec import Struct

from lanner.venues.binance.wire import Stamp

Amount = Decimal | None
Id = int | str | None

# -- answers -------------------------------------------------------------------------------------------


class FillBody(Struct, gc=False):
    """A fill inside the answer to an order (spot, response type FULL)."""

    price: Decimal
    qty: Decimal
    commission: Decimal = Decimal(0)
    commissionAsset: str | None = None
    tradeId: Id = None


class OrderBody(Struct):
    """An order as answers and queries tell it; an element of a batch may be a refusal (``code`` below 0)."""

    symbol: str = ""
    orderId: Id = None
    clientOrderId: str = ""
    origClientOrderId: str = ""
    transactTime: Stamp = 0
    updateTime: Stamp = 0
    time: Stamp = 0
    price: Amount = None
    origQty: Amount = None
    qty: Amount = None
    executedQty: Amount = None
    cummulativeQuoteQty: Amount = None
    avgPrice: Amount = None
    status: str = ""
    timeInForce: str = ""
    type: str = ""
    origType: str = ""
    side: str = ""
    stopPrice: Amount = None
    trailingDelta: int | None = None
    reduceOnly: bool = False
    fills: list[FillBody] = []
    orderListId: Id = -1
    expiryReason: str | int | None = None
    code: int = 0
    msg: str = ""


class AlgoBody(Struct):
    """A conditional futures order; ``actualOrderId`` is what it became when it was triggered."""

    algoId: Id = None
    clientAlgoId: str = ""
    orderType: str = ""
    type: str = ""
    symbol: str = ""
    side: str = ""
    timeInForce: str = ""
    quantity: Amount = None
    algoStatus: str = ""
    actualOrderId: Id = None
    actualPrice: Amount = None
    actualQty: Amount = None
    triggerPrice: Amount = None
    price: Amount = None
    reduceOnly: bool = False
    createTime: Stamp = 0
    updateTime: Stamp = 0
    triggerTime: Stamp = 0
    code: int = 0
    msg: str = ""


class AmendBody(Struct):
    """The answer to an amend that keeps priority (spot)."""

    amendedOrder: OrderBody
    transactTime: Stamp = 0


class ReplaceBody(Struct):
    """The answer to a replace (spot): what became of the cancel and of the new order."""

    cancelResult: str = ""
    newOrderResult: str = ""
    cancelResponse: msgspec.Raw = msgspec.Raw()
    newOrderResponse: msgspec.Raw = msgspec.Raw()


class ListBody(Struct):
    """The answer to an order list: the report of each of its orders."""

    orderReports: list[OrderBody] = []
    transactionTime: Stamp = 0
    orderListId: Id = -1


class Used(Struct):
    """How much of a limit is used up, as the venue counts."""

    rateLimitType: str
    interval: str
    intervalNum: int
    count: int = 0


class Reply(Struct):
    """A frame of the order socket."""

    status: int = 0
    result: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()
    rateLimits: msgspec.Raw = msgspec.Raw()


class Wait(Struct):
    """What a refusal for too many requests tells besides: when to come back."""

    retryAfter: int = 0


class TradeRow(Struct):
    """A fill of history."""

    symbol: str
    id: int
    orderId: Id
    price: Decimal
    qty: Decimal
    commission: Decimal
    time: Stamp
    commissionAsset: str = ""
    isBuyer: bool | None = None
    buyer: bool | None = None
    isMaker: bool | None = None
    maker: bool | None = None
    side: str = ""


# -- account events ------------------------------------------------------------------------------------


class ExecutionReport(Struct):
    """News of a spot order. ``c`` is its id, or the id of the cancel; then ``C`` is the order's."""

    s: str
    c: str
    S: str
    o: str
    f: str
    q: Decimal
    x: str
    X: str
    i: Id
    T: Stamp
    p: Amount = None
    P: Amount = None
    C: str = ""
    r: str | None = None
    l: Amount = None
    z: Amount = None
    L: Amount = None
    n: Amount = None
    N: str | None = None
    t: int | None = None
    w: bool = False
    m: bool = False
    O: Stamp = 0
    Z: Amount = None
    Y: Amount = None
    E: Stamp = 0
    d: int | None = None
    eR: str | int | None = None


class FuturesOrder(Struct):
    """The order inside a futures order event."""

    s: str
    c: str
    S: str
    o: str
    f: str
    q: Decimal
    x: str
    X: str
    i: Id
    T: Stamp
    p: Amount = None
    ap: Amount = None
    sp: Amount = None
    l: Amount = None
    z: Amount = None
    L: Amount = None
    N: str | None = None
    n: Amount = None
    t: int | None = None
    m: bool = False
    R: bool = False
    ot: str | None = None
    er: str | int | None = None


class OrderTradeUpdate(Struct):
    """News of a futures order."""

    o: FuturesOrder
    T: Stamp
    E: Stamp = 0


class AlgoOrder(Struct):
    """The order inside an algo event; ``ai`` is the number of the order that it became."""

    caid: str
    aid: Id
    o: str
    s: str
    S: str
    f: str
    q: Decimal
    X: str
    ai: Id = None
    ap: Amount = None
    aq: Amount = None
    tp: Amount = None
    p: Amount = None
    R: bool = False
    tt: Stamp = 0
    rm: str | None = None


class AlgoUpdate(Struct):
    """News of a conditional futures order."""

    o: AlgoOrder
    T: Stamp
    E: Stamp = 0


class TradeLite(Struct):
    """A fill of a futures order, earlier and with less in it: no fee."""

    s: str
    c: str
    S: str
    L: Decimal
    l: Decimal
    t: int
    i: Id
    T: Stamp
    E: Stamp = 0
    m: bool = False


class SpotAsset(Struct, gc=False):
    """A balance of a spot event: free and locked."""

    a: str
    f: Decimal
    l: Decimal


class AccountPosition(Struct):
    """Spot balances that may have changed."""

    B: list[SpotAsset]
    E: Stamp = 0
    u: Stamp = 0


class FuturesAsset(Struct, gc=False):
    """A wallet of a futures event: total, part of cross positions, change."""

    a: str
    wb: Decimal
    cw: Decimal
    bc: Amount = None


class FuturesPosition(Struct, gc=False):
    """A position of a futures event."""

    s: str
    pa: Decimal
    ep: Amount = None
    up: Amount = None
    mt: str = ""
    iw: Amount = None
    ps: str = "BOTH"
    mp: Amount = None


class AccountChange(Struct):
    """What has changed, and why (``m``)."""

    m: str = ""
    B: list[FuturesAsset] = []
    P: list[FuturesPosition] = []


class AccountUpdate(Struct):
    """Balances and positions of a futures account that have changed."""

    a: AccountChange
    T: Stamp
    E: Stamp = 0


class MarginCall(Struct):
    """Positions that need more margin."""

    p: list[FuturesPosition]
    E: Stamp = 0


class Leveraged(Struct):
    """A symbol's new leverage."""

    s: str = ""
    l: int = 0


class ConfigUpdate(Struct):
    """A changed setting of the account."""

    ac: Leveraged | None = None
    T: Stamp = 0


class TriggerReject(Struct):
    """A conditional order that was refused when it was triggered (before 2025-12)."""

    s: str
    i: Id
    r: str = ""


class TriggerRejected(Struct):
    """The event around it."""

    or_: TriggerReject = msgspec.field(name="or")
    T: Stamp = 0
    E: Stamp = 0
