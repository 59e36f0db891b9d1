# ruff: noqa: N815 - the fields bear the venue's own names
"""Accounts, fees and rights of a key as answers tell them."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from lanner.venues.binance.wire import Stamp

Amount = Decimal | None


class Restrictions(Struct):
    """What a key may do."""

    enableReading: bool | None = None
    enableWithdrawals: bool | None = None
    enableSpotAndMarginTrading: bool | None = None
    enableFutures: bool | None = None
    ipRestrict: bool | None = None


class PositionMode(Struct):
    """Whether long and short positions are kept apart."""

    dualSidePosition: bool


class AssetRow(Struct, gc=False):
    """A balance of a spot account."""

    asset: str
    free: Decimal
    locked: Decimal


class SpotAccount(Struct):
    """A spot account."""

    balances: list[AssetRow]
    updateTime: Stamp = 0
    canTrade: bool | None = None
    canWithdraw: bool | None = None


class Commission(Struct, frozen=True):
    """Fees of one kind; ``buyer`` and ``seller`` come on top."""

    maker: Decimal = Decimal(0)
    taker: Decimal = Decimal(0)
    buyer: Decimal = Decimal(0)
    seller: Decimal = Decimal(0)


class SpotCommission(Struct):
    """The fees of a spot account for a symbol: three kinds that are added up."""

    symbol: str
    standardCommission: Commission
    specialCommission: Commission = Commission()
    taxCommission: Commission = Commission()


class UsdmCommission(Struct):
    """The fees of a futures account for a symbol."""

    symbol: str
    makerCommissionRate: Decimal
    takerCommissionRate: Decimal


class WalletRow(Struct, gc=False):
    """A wallet of a futures account."""

    asset: str
    walletBalance: Decimal
    availableBalance: Decimal = Decimal(0)


class UsdmAccount(Struct):
    """A futures account; positions are asked for by themselves."""

    assets: list[WalletRow] = []
    totalMarginBalance: Amount = None
    totalInitialMargin: Amount = None


class PositionRow(Struct):
    """A position; version 3 tells margins instead of leverage and margin type."""

    symbol: str
    positionAmt: Decimal
    positionSide: str = "BOTH"
    entryPrice: Amount = None
    markPrice: Amount = None
    liquidationPrice: Amount = None
    unRealizedProfit: Amount = None
    notional: Amount = None
    positionInitialMargin: Amount = None
    isolatedMargin: Amount = None
    isolatedWallet: Amount = None
    leverage: Amount = None
    marginType: str = ""
    updateTime: Stamp = 0


class ListenKey(Struct):
    """A listen key."""

    listenKey: str


class IncomeRow(Struct):
    """A booking of a futures account."""

    income: Decimal
    time: Stamp
    symbol: str = ""
    asset: str = ""
    tranId: int | str | None = None
    incomeType: str = ""
