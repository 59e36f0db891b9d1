"""What a session and a person at the keyboard both ask about an account: what it holds, what its key may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lanner.core.errors import RiskRefusedError
from lanner.model.accounts import AccountState, KeyRights, VenueFill

if TYPE_CHECKING:
    from lanner.venues.link import Link


async def ask_account(link: Link) -> AccountState | None:
    """Ask for balances and positions; several answers about one account are joined. None where there is no account."""
    state: AccountState | None = None
    for call in link.codec.account():
        part = await link.ask(call)
        state = part if state is None else _merged(state, part)
    return state


async def ask_fills(link: Link, instrument_id: str, since_ns: int) -> list[VenueFill]:
    """Ask for all fills of an instrument since a time, page after page."""
    fills: list[VenueFill] = []
    since: int | None = since_ns
    while since is not None:
        page = await link.ask(link.codec.fills(since, instrument_id))
        fills += page.rows
        since = page.next_ns if page.next_ns is not None and page.next_ns > since else None
    return fills


async def ask_rights(link: Link) -> KeyRights | None:
    """Ask what the key may do; None where nobody tells.

    Another product's server does not know what it may trade here.
    """
    call = link.codec.rights()
    own: KeyRights | None = None
    if call is not None:
        own = await link.ask(call)
    if link.rights_from is None:
        return own
    async with link.rights_from() as other:
        told = await ask_rights(other)
    if own is None or told is None:
        return own or told
    return msgspec.structs.replace(own, withdraw=told.withdraw, ip_bound=told.ip_bound)


async def check_rights(link: Link) -> None:
    """Refuse a key that may withdraw or may not trade, and an account in hedge mode; raise ``RiskRefusedError``."""
    rights = await ask_rights(link)
    if rights is None:
        return
    if rights.withdraw:
        raise RiskRefusedError(
            f"the key for {link.codec.spec.product} may withdraw",
            expected="a key that may trade and not withdraw",
            fix="Make another key without that right, and delete this one.",
        )
    if rights.trade is False:
        raise RiskRefusedError(
            f"the key for {link.codec.spec.product} may not trade", fix="Give it the right to trade."
        )
    if rights.hedge:
        raise RiskRefusedError(
            f"the account at {link.codec.spec.product} is in hedge mode",
            expected="one position for each instrument (one-way mode)",
            fix="Switch the account to one-way mode at the venue; it must be without positions and orders then.",
        )


def _merged(state: AccountState, part: AccountState) -> AccountState:
    return AccountState(
        state.venue,
        max(state.ts_event, part.ts_event),
        (*state.balances, *part.balances),
        (*state.positions, *part.positions),
        state.equity if state.equity is not None else part.equity,
        state.margin_used if state.margin_used is not None else part.margin_used,
    )
