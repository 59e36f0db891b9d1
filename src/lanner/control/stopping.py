"""End all trading of a managed session: by itself where it answers, around it where it does not."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from lanner.core.errors import LannerError
from lanner.live.killswitch import KillReport, cancelled_of, lock, working_of
from lanner.risk.gate import TradingState

if TYPE_CHECKING:
    from pathlib import Path

    from lanner.control.opening import FindKeys
    from lanner.live.config import SessionConfig
    from lanner.live.session import Session

CANCEL_S = 10.0
LOOK_S = 0.05
OUTSIDE_S = 60.0


@dataclass(slots=True)
class KillOutcome:
    """What a kill switch did to one session, counted; ``left`` and ``errors`` are in words."""

    session_id: str
    orders_cancelled: int = 0
    positions_closed: int = 0
    flat: bool = False
    left: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the outcome as plain data."""
        return asdict(self)


async def kill_in_loop(
    session: Session, reason: str, *, cancel_orders: bool, close_positions: bool
) -> KillOutcome:
    """Halt and latch a session, take its orders back, close what it holds; closing implies cancelling."""
    outcome = KillOutcome(session.id)
    working = working_of(session)
    if cancel_orders or close_positions:
        _take_over(outcome, await session.kill(reason, close=close_positions))
        await _wait_cancelled(session, working)
    else:
        lock(session.folder, reason)
        session.set_state(TradingState.HALTED, reason)
        outcome.left = [f"order {name}, kept" for name in working]
    outcome.orders_cancelled = max(outcome.orders_cancelled, len(cancelled_of(session, working)))
    return outcome


async def _wait_cancelled(session: Session, names: list[str]) -> None:
    """Give cancels that are still on their way time to arrive."""
    orders = session.engine.execution.orders
    end = asyncio.get_running_loop().time() + CANCEL_S
    while (
        any(name in orders and orders[name].is_open for name in names)
        and asyncio.get_running_loop().time() < end
    ):
        if session.fault is not None:
            return
        await asyncio.sleep(LOOK_S)


def _take_over(outcome: KillOutcome, report: KillReport) -> None:
    outcome.orders_cancelled = report.orders_cancelled
    outcome.positions_closed = report.positions_closed
    outcome.flat = report.flat
    outcome.left, outcome.errors = list(report.left), list(report.errors)


def joined(first: KillOutcome, rest: KillOutcome) -> KillOutcome:
    """Return what two goes at one session did together; how it stands is what the later one says."""
    return KillOutcome(
        rest.session_id,
        first.orders_cancelled + rest.orders_cancelled,
        first.positions_closed + rest.positions_closed,
        rest.flat,
        rest.left,
        [*first.errors, *rest.errors],
    )


def kill_from_outside(
    folder: Path, config: SessionConfig, reason: str, why: str, keys: FindKeys | None
) -> KillOutcome:
    """End at the venue what a session has there, with connections of our own; ``why`` says what is wrong with it.

    The session must send nothing more by then (see ``hosting.cut_off``).
    """
    from lanner.live.aftermath import end_session
    from lanner.net.loop import run
    from lanner.venues.keys import load_keys

    outcome = KillOutcome(folder.name, errors=[why])
    lock(folder, reason)
    name = config.recovery.watchdog_key or config.key
    find = keys or (lambda product: load_keys(product, name))

    def work() -> None:
        try:
            report = run(end_session(folder, reason, find))
        except (LannerError, OSError) as error:
            outcome.errors.append(str(error))
            outcome.left.append("nobody knows what is left at the venue")
            return
        said = outcome.errors
        _take_over(outcome, report)
        outcome.errors = [*said, *outcome.errors]

    helper = threading.Thread(target=work, name=f"ending-{folder.name}", daemon=True)
    helper.start()
    helper.join(OUTSIDE_S)
    if helper.is_alive():
        outcome.left.append("nobody knows yet what is left at the venue")
    return outcome
