"""What a key may do, where another product's server tells it: a futures key that may withdraw is refused, too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from lanner.core.errors import RiskRefusedError
from lanner.live.accounts import ask_rights, check_rights
from lanner.live.connect import Where, connect
from lanner.simulator.config import make_config
from lanner.simulator.server import VenueServer
from lanner.venues.errors import VenueError
from lanner.venues.keys import Keys
from lanner.venues.link import Link

SECRET = "s" * 64
FUTURES = "binance-usdm"


@asynccontextmanager
async def futures(*permissions: str, secret: str = SECRET, hedge: bool = False) -> AsyncIterator[Link]:
    """Open a link to a futures server whose keys are known, with these rights, at a spot server."""
    key = {"key": "k" * 64, "kind": "hmac", "secret": SECRET, "permissions": list(permissions)}
    venue = VenueServer(
        make_config(
            {
                "dialects": ["binance-spot", FUTURES],
                "rate": 0,
                "history_s": 0,
                "accounts": [{"name": "owner", "keys": [key], "hedge_mode": hedge}],
            }
        ),
        note=print,
    )
    ready = await venue.start()
    where = Where({name: told["http"] for name, told in ready["dialects"].items()})
    keys = Keys("hmac", secret, api_key="k" * 64)
    try:
        async with connect(FUTURES, where, keys=keys) as link:
            assert link.rights_from is None  # servers of one's own need not know each other's keys
            link.rights_from = partial(connect, "binance-spot", where, keys=keys)
            yield link
    finally:
        await venue.stop()


async def test_a_futures_key_that_may_withdraw_is_refused() -> None:
    async with futures("read", "trade", "withdraw") as link:
        with pytest.raises(RiskRefusedError, match="may withdraw"):
            await check_rights(link)


async def test_a_futures_key_need_not_trade_spot() -> None:
    async with futures("read") as link:
        await check_rights(link)
        rights = await ask_rights(link)
        assert rights is not None
        assert (rights.withdraw, rights.trade) == (False, None)


async def test_an_account_in_hedge_mode_is_refused() -> None:
    async with futures("read", "trade", hedge=True) as link:
        with pytest.raises(RiskRefusedError, match="hedge mode"):
            await check_rights(link)


async def test_where_the_rights_cannot_be_had_the_key_is_not_trusted() -> None:
    async with futures("read", "trade", secret="x" * 64) as link:
        with pytest.raises(VenueError):
            await check_rights(link)


@pytest.mark.parametrize(
    ("product", "where", "asks"),
    [
        (FUTURES, Where(), True),
        (FUTURES, Where(testnet=True), False),
        (FUTURES, Where({"": "http://127.0.0.1:1"}), False),
        (FUTURES, Where({FUTURES: "http://127.0.0.1:1"}), False),
        ("binance-spot", Where(), False),
    ],
)
def test_only_the_venues_own_servers_share_their_keys(product: str, where: Where, asks: bool) -> None:
    from lanner.live.connect import _tells_rights
    from lanner.venues.registry import product_spec

    assert _tells_rights(product_spec(product), where) is asks
