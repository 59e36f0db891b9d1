"""What Hyperliquid's messages look like, as typed records; numbers come as text and are read leniently.

Bounds stand in the types, so that a price that is no number, not finite or not positive never leaves the decoder.
Fields that we do not use are left out.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from lanner.venues.errors import ErrorKind, VenueError

Px = Annotated[float, Meta(gt=0, lt=1e18)]
Qty = Annotated[float, Meta(ge=0, lt=1e24)]
Number = Annotated[float, Meta(gt=-1e24, lt=1e24)]
Ms = Annotated[int, Meta(ge=0, lt=10**14)]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Coin = Annotated[str, Meta(min_length=1, max_length=64)]
Side = Literal["A", "B"]
Exact = Annotated[str, Meta(pattern=r"^ ?-?\d{1,24}(\.\d{1,18})?\Z")]
"""A decimal number in plain text, kept as text until it is needed exactly."""
Positive = Annotated[str, Meta(pattern=r"^\d{1,24}(\.\d{1,18})?\Z")]

# -- market data ---------------------------------------------------------------------------------------


class Level(Struct, gc=False):
    """A level of a book."""

    px: Px
    sz: Qty


class Book(Struct, gc=False):
    """``l2Book``: a whole book, bids first; best levels first."""

    coin: Coin
    levels: tuple[list[Level], list[Level]]
    time: Ms


class Bbo(Struct, gc=False):
    """``bbo``: best bid and ask of a block."""

    coin: Coin
    time: Ms
    bbo: tuple[Level | None, Level | None]


class Print(Struct, gc=False):
    """A public trade; ``tid`` is a hash that is unique only together with time and coin."""

    coin: Coin
    side: Side
    px: Px
    sz: Qty
    time: Ms
    tid: Count | None = None
    hash: str = ""


class Candle(Struct, gc=False):
    """``candle``: ``t`` and ``T`` are the first and the last millisecond."""

    t: Ms
    T: Ms
    s: Coin
    i: str
    o: Px
    c: Px
    h: Px
    l: Px  # noqa: E741 - the venue's own name
    v: Qty
    n: Count = 0


class Context(Struct, gc=False):
    """The context of an asset; spot pairs have neither oracle price nor funding."""

    markPx: Px | None = None  # noqa: N815
    midPx: Px | None = None  # noqa: N815
    oraclePx: Px | None = None  # noqa: N815
    funding: Number | None = None


class AssetContext(Struct, gc=False):
    """``activeAssetCtx``."""

    coin: Coin
    ctx: Context


class Mids(Struct):
    """``allMids`` as a stream."""

    mids: dict[str, Px]


class SettledFunding(Struct, gc=False):
    """A row of ``fundingHistory``."""

    coin: Coin
    fundingRate: Number  # noqa: N815
    time: Ms


# -- instruments ---------------------------------------------------------------------------------------


class Perp(Struct):
    """A perpetual of the universe; its asset id is its place in it."""

    name: Coin
    szDecimals: Annotated[int, Meta(ge=0, le=6)]  # noqa: N815
    maxLeverage: Annotated[int, Meta(ge=1, le=1_000)] = 1  # noqa: N815
    isDelisted: bool | None = None  # noqa: N815


class Meta_(Struct):  # noqa: N801
    """``meta``."""

    universe: list[Perp]


class Token(Struct):
    """A token of ``spotMeta``."""

    name: Coin
    szDecimals: Annotated[int, Meta(ge=0, le=8)]  # noqa: N815
    index: Count


class Pair(Struct):
    """A spot pair: ``tokens`` are base and quote."""

    name: Coin
    tokens: tuple[int, int]
    index: Count
    isCanonical: bool = False  # noqa: N815


class SpotMeta(Struct):
    """``spotMeta``."""

    tokens: list[Token]
    universe: list[Pair]


# -- the account ---------------------------------------------------------------------------------------


class Fill(Struct):
    """An execution of ours; ``crossed`` says that we took."""

    coin: Coin
    px: Positive
    sz: Positive
    side: Side
    time: Ms
    oid: Count
    crossed: bool
    fee: Exact
    tid: Count | None = None
    startPosition: str = ""  # noqa: N815
    hash: str = ""
    dir: str = ""
    feeToken: str = "USDC"  # noqa: N815
    cloid: str | None = None
    liquidation: Any = None


class UserFills(Struct):
    """``userFills``: a snapshot first, then news."""

    fills: list[Fill]
    isSnapshot: bool = False  # noqa: N815


class Funding(Struct):
    """A funding payment; ``usdc`` is added to the account."""

    coin: Coin
    usdc: Exact
    fundingRate: Number  # noqa: N815
    time: Ms = 0


class UserFundings(Struct):
    """``userFundings``: a snapshot first, then news."""

    fundings: list[Funding]
    isSnapshot: bool = False  # noqa: N815


class NonUserCancel(Struct):
    """A cancel that the venue made by itself."""

    coin: Coin
    oid: Count


class UserEvent(Struct):
    """``user``: exactly one of its fields is there."""

    fills: list[Fill] | None = None
    funding: Funding | None = None
    liquidation: dict[str, Any] | None = None
    nonUserCancel: list[NonUserCancel] | None = None  # noqa: N815


class Order(Struct):
    """An order, with as many of its terms as the message at hand tells; ``sz`` is what is left of ``origSz``."""

    coin: Coin
    side: Side
    limitPx: Positive  # noqa: N815
    sz: Positive
    oid: Count
    timestamp: Ms
    origSz: Positive | None = None  # noqa: N815
    cloid: str | None = None
    isTrigger: bool = False  # noqa: N815
    triggerPx: Exact | None = None  # noqa: N815
    reduceOnly: bool | None = None  # noqa: N815
    orderType: str = "Limit"  # noqa: N815
    tif: str | None = None
    children: list[Order] | None = None


class OrderUpdate(Struct):
    """A step in an order's life."""

    order: Order
    status: str
    statusTimestamp: Ms  # noqa: N815


class FoundOrder(Struct):
    """``orderStatus``: ``status`` is ``order`` or ``unknownOid``."""

    status: str
    order: OrderUpdate | None = None


class OpenOrders(Struct):
    """``openOrders`` as a stream."""

    orders: list[Order]


class Leverage(Struct):
    """Leverage of a position; ``type`` is ``cross`` or ``isolated``."""

    type: str
    value: Number


class Position(Struct):
    """A position; ``szi`` is signed."""

    coin: Coin
    szi: Exact
    leverage: Leverage
    entryPx: Px | None = None  # noqa: N815
    liquidationPx: float | None = None  # noqa: N815
    positionValue: Number | None = None  # noqa: N815
    unrealizedPnl: Exact | None = None  # noqa: N815


class AssetPosition(Struct):
    """A position in its wrapper."""

    position: Position


class Margin(Struct):
    """Sums of an account."""

    accountValue: Exact  # noqa: N815
    totalMarginUsed: Exact  # noqa: N815


class Clearinghouse(Struct):
    """``clearinghouseState``: the perpetual account. Isolated margin is only in ``marginSummary``."""

    assetPositions: list[AssetPosition]  # noqa: N815
    marginSummary: Margin | None = None  # noqa: N815
    crossMarginSummary: Margin | None = None  # noqa: N815
    withdrawable: Exact | None = None
    time: Ms = 0


class SpotBalance(Struct):
    """A token of the spot account."""

    coin: Coin
    total: Exact
    hold: Exact


class SpotState(Struct):
    """``spotClearinghouseState``."""

    balances: list[SpotBalance]


class ClearinghouseNews(Struct):
    """``clearinghouseState`` as a stream."""

    clearinghouseState: Clearinghouse  # noqa: N815
    dex: str = ""


class SpotNews(Struct):
    """``spotState`` as a stream."""

    spotState: SpotState  # noqa: N815


class UserFees(Struct):
    """``userFees``: the account's own rates."""

    userCrossRate: Exact  # noqa: N815
    userAddRate: Exact  # noqa: N815
    userSpotCrossRate: Exact | None = None  # noqa: N815
    userSpotAddRate: Exact | None = None  # noqa: N815


class RoleOwner(Struct):
    """Whom an agent or sub-account belongs to."""

    user: str = ""
    master: str = ""


class Role(Struct):
    """``userRole``: user, agent, vault, subAccount or missing."""

    role: str
    data: RoleOwner | None = None


# -- answers to actions --------------------------------------------------------------------------------


class Resting(Struct):
    """The order rests in the book."""

    oid: Count


class Filled(Struct):
    """The order was filled at once, wholly or as far as it could be."""

    oid: Count
    totalSz: Positive  # noqa: N815
    avgPx: Positive  # noqa: N815


class Status(Struct):
    """What became of one order, cancel or change: exactly one field is there."""

    resting: Resting | None = None
    filled: Filled | None = None
    error: str | None = None


class Statuses(Struct):
    """What became of each part of an action; words are ``success``, ``waitingForFill``, ``waitingForTrigger``."""

    statuses: list[Status | str] = msgspec.field(default_factory=list)


class ActionResult(Struct):
    """The answer to an action that was understood."""

    type: str
    data: Statuses | None = None


class ActionAnswer(Struct):
    """The answer to an action: ``status`` is ``ok`` or ``err``, then ``response`` is a text."""

    status: str
    response: ActionResult | str


class PostResponse(Struct):
    """The inside of an answer over a socket."""

    type: str
    payload: msgspec.Raw


class PostData(Struct):
    """An answer over a socket, with the number of its request."""

    id: Count
    response: PostResponse


# -- reading -------------------------------------------------------------------------------------------


def reader(kind: Any) -> msgspec.json.Decoder[Any]:
    """Return a decoder that takes numbers as text."""
    return msgspec.json.Decoder(kind, strict=False)


def malformed(error: Exception) -> VenueError:
    """Return the one fault that a message which cannot be understood has."""
    return VenueError(ErrorKind.MALFORMED, f"hyperliquid: {error}")


def exact(text: str) -> Decimal:
    """Return the number that a text holds; the types above have checked its form."""
    return Decimal(text.strip())
