"""Recognise columns by their names, whatever a vendor calls them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

ALIASES: dict[str, tuple[str, ...]] = {
    "time": (
        "tsopen", "opentime", "timestamp", "timestampms", "unixtimestamp", "unix", "opentimestamp", "starttime",
        "start", "ts", "tsevent", "time", "datetime", "date", "tradetime", "localtime", "gmttime", "t", "dt",
        "createdat", "timems", "epoch", "calctime", "transactiontime", "eventtime", "bucket", "snapped",
        "unnamed0", "index", "",
    ),
    "close_time": ("closetime", "endtime", "closetimestamp"),
    "recv": ("localtimestamp", "tsrecv", "receivetime", "recvts", "receivedat", "localts", "tsinit"),
    "open": ("open", "o", "openprice", "op", "first", "opening"),
    "high": ("high", "h", "highprice", "max", "hi"),
    "low": ("low", "l", "lowprice", "min", "lo"),
    "close": ("close", "c", "closeprice", "last", "cl", "closing"),
    "volume": ("volume", "vol", "v", "basevolume", "volumebase", "basevol", "volumefrom", "tickvolume", "tickvol"),
    "quote_volume": ("quotevolume", "quoteassetvolume", "quotevol", "volumequote", "turnover", "volumeto"),
    "trades": ("trades", "numberoftrades", "count", "tradecount", "numtrades", "n", "tradescount"),
    "taker_buy_volume": ("takerbuyvolume", "takerbuybaseassetvolume", "takerbuybasevolume", "takerbuybase"),
    "px": ("price", "px", "p", "rate", "tradeprice"),
    "qty": ("qty", "quantity", "amount", "size", "sz", "q", "volume", "vol", "baseqty", "lastsize", "v"),
    "side": ("side", "aggressor", "aggressorside", "takerside", "direction", "buysell"),
    "buyer_maker": ("isbuyermaker", "buyermaker", "m", "isbuyermarketmaker"),
    "id": ("id", "tradeid", "tid", "aggtradeid", "aggid", "execid", "matchid"),
    "symbol": ("symbol", "instrument", "instrumentid", "pair", "ticker", "coin", "market", "s", "instid"),
    "bid_px": ("bidprice", "bid", "bidpx", "bestbid", "bestbidprice", "b", "bp"),
    "bid_qty": ("bidsize", "bidqty", "bidamount", "bidquantity", "bestbidqty", "bestbidsize", "bidvolume", "bq"),
    "ask_px": ("askprice", "ask", "askpx", "bestask", "bestaskprice", "a", "ap", "offer"),
    "ask_qty": ("asksize", "askqty", "askamount", "askquantity", "bestaskqty", "bestasksize", "askvolume", "aq"),
    "seq": ("seq", "sequence", "updateid", "u"),
    "rate": ("fundingrate", "rate", "lastfundingrate", "realizedrate"),
    "interval": ("fundingintervalhours", "intervalhours"),
    "mark_px": ("markprice", "markpx"),
    "index_px": ("indexprice", "indexpx", "spotprice"),
    "last_px": ("lastprice", "lastpx"),
    "open_interest": ("openinterest", "sumopeninterest"),
}  # fmt: skip
"""Role → names in order of preference, lower case without anything but letters and digits."""

REQUIRED: dict[str, tuple[str, ...]] = {
    "bars": ("time", "open", "high", "low", "close", "volume"),
    "quotes": ("time", "bid_px", "ask_px"),
    "trades": ("time", "px", "qty"),
    "funding": ("time", "rate"),
    "mark": ("time", "mark_px"),
}
OPTIONAL: dict[str, tuple[str, ...]] = {
    "bars": ("close_time", "quote_volume", "trades", "taker_buy_volume", "symbol"),
    "quotes": ("recv", "bid_qty", "ask_qty", "seq", "symbol"),
    "trades": ("recv", "side", "buyer_maker", "id", "symbol"),
    "funding": ("recv", "interval", "symbol"),
    "mark": ("recv", "index_px", "last_px", "open_interest", "symbol"),
}


@dataclass(slots=True)
class Mapping:
    """Which column plays which role for a kind of data."""

    kind: str
    columns: dict[str, str] = field(default_factory=dict)

    def get(self, role: str) -> str | None:
        """Return the column of a role, or None."""
        return self.columns.get(role)


def fold(name: str) -> str:
    """Return a column's name in the form of the alias table."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def roles_of(names: list[str], kind: str) -> Mapping:
    """Return the roles that can be filled from the columns, required and optional ones."""
    folded: dict[str, str] = {}
    for name in names:
        folded.setdefault(fold(name), name)
    mapping = Mapping(kind)
    taken: set[str] = set()
    for role in (*REQUIRED[kind], *OPTIONAL[kind]):
        for alias in ALIASES[role]:
            if alias in folded and folded[alias] not in taken:
                mapping.columns[role] = folded[alias]
                taken.add(folded[alias])
                break
    if kind == "bars":
        _volume_by_currency(mapping, names, folded)
    return mapping


def missing_roles(mapping: Mapping) -> list[str]:
    """Return the required roles that no column fills."""
    return [role for role in REQUIRED[mapping.kind] if role not in mapping.columns]


def guess_kind(names: list[str]) -> str | None:
    """Return the kind of data that a table with these columns holds, or None."""
    for kind in ("bars", "quotes", "trades", "funding", "mark"):
        if not missing_roles(roles_of(names, kind)):
            return kind
    return None


def _volume_by_currency(mapping: Mapping, names: list[str], folded: dict[str, str]) -> None:
    """Understand ``Volume BTC`` next to ``Volume USD`` (or plain ``volume``): the first is base, the second quote."""
    priced = [
        name
        for name in names
        if re.fullmatch(r"volume[a-z0-9]{2,8}", fold(name)) and fold(name) not in _KNOWN_VOLUMES
    ]
    if not priced:
        return
    mapping.columns["volume"] = priced[0]
    second = priced[1] if len(priced) > 1 else folded.get("volume")
    if second is not None:
        mapping.columns.setdefault("quote_volume", second)


_KNOWN_VOLUMES = {alias for role in ("volume", "quote_volume") for alias in ALIASES[role]}
