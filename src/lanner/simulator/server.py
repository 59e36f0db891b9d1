"""The venue as a program: hosts, feeds, faults and the control endpoint in one event loop."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import msgspec

from lanner.net.wallclock import mono_ns, wall_ns
from lanner.simulator.config import ServeConfig
from lanner.simulator.control import Control
from lanner.simulator.credentials import Credentials, account_from, make_account
from lanner.simulator.exchange import Exchange
from lanner.simulator.faults import FaultPlan, LogLine, read_log
from lanner.simulator.feed import Feed, SyntheticFeed
from lanner.simulator.feeds import make_feed
from lanner.simulator.host import DialectHost
from lanner.simulator.journal import BookJournal
from lanner.simulator.listing import markets_of
from lanner.simulator.registry import make_dialect

TICK_S = 0.005
HISTORY_RATE = 0.5
"""Actions a second of the market's past."""
BURST = 100
PATIENCE_NS = 8_000_000
"""A feed that is behind acts in bursts, and after so long clients come first again."""


@dataclass(slots=True)
class _Market:
    """One dialect's part of the venue."""

    host: DialectHost
    feed: Feed | None


class VenueServer:
    """Serve a configuration until told to stop. Every ``tick_s`` what is due happens."""

    def __init__(
        self, config: ServeConfig, *, note: Callable[[str], None] | None = None, tick_s: float = TICK_S
    ) -> None:
        self.config = config
        self.tick_s = tick_s
        self.credentials: list[Credentials] = []
        self.paused = False
        """Whether the feeds stand still."""
        self._note = note or _unheard
        self._wall0, self._mono0 = wall_ns(), mono_ns()
        self._log: IO[bytes] | None = None
        self.faults = FaultPlan(config.seed, log=self._write_log)
        self.faults.start(self.now_ns())
        for name, params in config.fault_orders():
            self.faults.add(name, params)
        if config.fault_replay:
            self.faults.replay(read_log(_lines(Path(config.fault_replay))))
        self._parts = [self._part(name) for name in config.served]
        self._control = Control(self)
        self._ca_file: Path | None = None
        self._task: asyncio.Task[None] | None = None
        self._feed_ns = 0
        self._fed_at = 0

    @property
    def hosts(self) -> list[DialectHost]:
        """Return the dialects' hosts."""
        return [part.host for part in self._parts]

    def host(self, name: str) -> DialectHost | None:
        """Return the host of a dialect."""
        return next((host for host in self.hosts if host.name == name), None)

    def now_ns(self) -> int:
        """Return the venue's time: the wall's at the start, going on with the monotonic clock."""
        return self._wall0 + mono_ns() - self._mono0

    def _part(self, name: str) -> _Market:
        config, now = self.config, self.now_ns()
        past = int(config.history_s * 1e9) if config.feeds.get(name, config.feed) == "synthetic" else 0
        listed = [
            one for one in markets_of(name) if not config.markets or one.instrument.id in config.markets
        ]
        exchange = Exchange(name, listed, first_order_id=1_000_001, now_ns=now - past)
        for market in exchange.markets.values():
            if not market.is_spot:
                every = market.rules.funding_interval_ns
                market.next_funding_ns = now // every * every + every
        self._open_accounts(name, exchange)
        feed = make_feed(config, name, exchange)
        if feed is not None:
            feed.open(now - past)
        if past and isinstance(feed, SyntheticFeed):
            feed.live_through(now - past, now, int(config.history_s * HISTORY_RATE))
        dialect = make_dialect(name, exchange, config.options.get(name, {}), config.seed)
        host = DialectHost(
            dialect, exchange, self.faults, self.now_ns, journal=BookJournal(exchange), note=self._note
        )
        return _Market(host, feed)

    def _open_accounts(self, dialect: str, exchange: Exchange) -> None:
        seed = self.config.seed if self.config.key_seed is None else self.config.key_seed
        made = [make_account(dialect, "test", seed)]
        for row in self.config.accounts:
            if row.get("dialect", dialect) == dialect:
                if row["name"] == "test":
                    made.clear()
                made.append(account_from(dialect, row, seed))
        for account, credentials in made:
            exchange.add_account(account)
            self.credentials.append(credentials)

    # -- life --------------------------------------------------------------------------------------------

    async def start(self) -> dict[str, Any]:
        """Open all ports and return the ready line as plain data."""
        config = self.config
        tls = self._tls()
        port = config.port
        for host in self.hosts:
            await host.start(config.address, port, tls)
            port += bool(port)
        wanted = config.control_port if config.control_port is not None else port
        await self._control.start(config.address, wanted)
        if config.fault_log:
            self._log = Path(config.fault_log).open("wb")  # noqa: SIM115 - open for as long as the venue is
        self._fed_at = mono_ns()
        self._task = asyncio.create_task(self._run())
        return self.ready()

    def _tls(self) -> ssl.SSLContext | None:
        from lanner.simulator import certificates

        if self.config.tls_cert:
            return certificates.server_context(Path(self.config.tls_cert), Path(self.config.tls_key))
        if self.config.tls:
            context, self._ca_file = certificates.self_signed(self.config.address, self.now_ns())
            return context
        return None

    def ready(self) -> dict[str, Any]:
        """Return where everything is, with the test accounts' keys."""
        secure = "s" if self.config.tls or self.config.tls_cert else ""
        where = self.config.address if self.config.address != "0.0.0.0" else "127.0.0.1"
        found: dict[str, Any] = {
            "dialects": {
                host.name: {
                    "http": f"http{secure}://{where}:{host.port}",
                    "ws": f"ws{secure}://{where}:{host.port}{'/ws' if host.name == 'hyperliquid' else ''}",
                }
                for host in self.hosts
            },
            "control": f"http://{where}:{self._control.port}",
            "accounts": [one.shown() for one in self.credentials],
            "seed": self.config.seed,
            "pid": os.getpid(),
        }
        if self._ca_file is not None:
            found["ca_file"] = str(self._ca_file)
        return found

    async def stop(self) -> None:
        """Close everything."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for host in self.hosts:
            await host.stop()
        await self._control.stop()
        if self._log is not None:
            self._log.close()
            self._log = None
        if self._ca_file is not None:
            shutil.rmtree(self._ca_file.parent, ignore_errors=True)

    # -- the clockwork -------------------------------------------------------------------------------------

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        following = loop.time()
        while True:
            self.turn()
            following = max(following + self.tick_s, loop.time() + 0.0005)
            await asyncio.sleep(following - loop.time())

    def turn(self) -> None:
        """Do what is due: faults, feeds, dialects."""
        now = self.now_ns()
        for act in self.faults.due(now):
            for host in self.hosts:
                host.strike(act)
        passed = mono_ns() - self._fed_at
        self._fed_at += passed
        if not self.paused:
            self._feed_ns += int(passed * self.config.speed)
        for part in self._parts:
            try:
                if part.feed is not None and not self.paused:
                    self._run_feed(part.feed, part.host)
                part.host.tick()
            except Exception as error:  # noqa: BLE001 - the outermost loop: the venue goes on, and says what went wrong
                self._note(f"{part.host.name}: {error!r}")

    def _run_feed(self, feed: Feed, host: DialectHost) -> None:
        until = mono_ns() + PATIENCE_NS
        while feed.run(self._feed_ns, host.now_ns(), BURST) == BURST and mono_ns() < until:
            pass

    def _write_log(self, line: LogLine) -> None:
        if self._log is not None:
            self._log.write(msgspec.json.encode(line) + b"\n")
            self._log.flush()


def _unheard(text: str) -> None:
    """Drop a note where nobody listens."""


def _lines(path: Path) -> list[bytes]:
    from lanner.core.errors import NotFoundError

    if not path.exists():
        raise NotFoundError("the fault log does not exist", found=path)
    return path.read_bytes().splitlines()
