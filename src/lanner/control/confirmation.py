"""The two things that stand before real orders: somebody says so, and types what is going to be traded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lanner.core.errors import RiskRefusedError

if TYPE_CHECKING:
    from lanner.live.config import SessionConfig


def phrase_of(products: Sequence[str]) -> str:
    """Return what has to be typed to trade on products with real orders."""
    return f"trade {' and '.join(products)}"


def need_live(live: bool, fix: str = "Add --live when you mean it.") -> None:
    """Refuse what changes something at a venue without a clear yes; raise ``RiskRefusedError``."""
    if not live:
        raise RiskRefusedError("real orders are sent only with --live", fix=fix)


def check_phrase(products: Sequence[str], typed: str) -> None:
    """Refuse real orders unless the phrase for these products was typed; raise ``RiskRefusedError``."""
    phrase = phrase_of(products)
    if typed != phrase:
        raise RiskRefusedError(
            "the confirmation was not given",
            expected=repr(phrase),
            found=repr(typed) if typed else "nothing",
            fix="Type it when asked, or give it with --confirm.",
        )


def check_live(config: SessionConfig, live: bool, confirm: str) -> None:
    """Refuse a session with real orders without ``live=True`` and its phrase; paper sessions need neither."""
    from lanner.live.build import products_of_session

    if config.mode != "live":
        return
    if not live:
        raise RiskRefusedError(
            "real orders are sent only with live=True",
            expected=f"live=True and confirm={phrase_of(products_of_session(config))!r}",
        )
    check_phrase(products_of_session(config), confirm)
