"""The second half of ``lanner demo``: paper and live sessions against a simulated venue, and their parity reports."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lanner.live.config import SessionConfig
    from lanner.live.parity import ParityReport

PRODUCT = "binance-spot"
INSTRUMENT = "BTC-USDT@binance"
SECONDS = 10.0
MARKET = ("--dialect", PRODUCT, "--rate", "200", "--vol", "3", "--seed", "11")


def trade_demo(strategy: str, params: dict[str, Any]) -> list[tuple[ParityReport, Path]]:
    """Run a strategy for some seconds on paper and live against a venue of its own; return both comparisons.

    The sessions are kept like any others; the venue and its keys are gone afterwards.
    """
    from lanner.cli.demo_venue import demo_venue
    from lanner.cli.trading import new_session_id, session_folder
    from lanner.live.parity import compare_session, write_parity_page
    from lanner.net.loop import run
    from lanner.net.wallclock import wall_ns

    now = wall_ns()
    ids = {"paper": new_session_id(now), "live": new_session_id(now + 1_000_000)}
    with demo_venue(*MARKET) as ready:
        run(_both(ready, {mode: _config(mode, strategy, params, ready) for mode in ids}, ids))
    found = []
    for name in ids.values():
        folder = session_folder(name)
        report = compare_session(folder)
        found.append((report, write_parity_page(report, folder / "parity.html")))
    return found


def _config(mode: str, strategy: str, params: dict[str, Any], ready: dict[str, Any]) -> SessionConfig:
    from lanner.backtest.mistakes import validate
    from lanner.live.config import SessionConfig

    values = {
        "mode": mode,
        "strategy": strategy,
        "params": params,
        "instruments": [INSTRUMENT],
        "timeframe": "1s",
        "url": {PRODUCT: ready["dialects"][PRODUCT]["http"]},
    }
    config: SessionConfig = validate(SessionConfig, values)
    return config


async def _both(ready: dict[str, Any], configs: dict[str, SessionConfig], ids: dict[str, str]) -> None:
    """Run both sessions side by side: the same market for both."""
    tasks = [asyncio.create_task(_one(ready, config, ids[mode])) for mode, config in configs.items()]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _one(ready: dict[str, Any], config: SessionConfig, name: str) -> None:
    from lanner.cli.trading import plan_for, session_folder
    from lanner.live.connect import Where
    from lanner.live.ledger import attach_ledger
    from lanner.live.session import Session
    from lanner.venues.keys import Keys

    account = ready["accounts"][0]
    keys = Keys("hmac", account["api_secret"], api_key=account["api_key"])
    where = Where(config.url)
    plan = await plan_for(config, where)
    session = Session(plan, name, session_folder(name), where, keys=lambda _product: keys)
    loop = asyncio.get_running_loop()

    def ready_now() -> None:
        loop.call_later(SECONDS, session.stop)

    ledger = attach_ledger(session)
    fault: BaseException | None = None
    try:
        await session.run(on_ready=ready_now)
    except BaseException as error:
        fault = error
        raise
    finally:
        await ledger.aclose(fault)
