"""The table of commands: what exists, where it lives and how it is summed up in one line."""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """One row: ``target`` is ``module:attribute``, imported when the command is called."""

    name: str
    target: str
    summary: str
    group: str


GROUPS = ("Start here", "Data", "Backtesting", "Venues", "Trading by hand", "System")

COMMANDS = (
    Command(
        "demo",
        "lanner.cli.commands.demo:demo",
        "Show the whole way offline: backtest, paper and live trading, parity.",
        "Start here",
    ),
    Command(
        "new", "lanner.cli.commands.new:app", "Write a strategy or settings to start from.", "Start here"
    ),
    Command(
        "data",
        "lanner.cli.commands.data:app",
        "Import, describe, resample and synthesise market data.",
        "Data",
    ),
    Command(
        "backtest",
        "lanner.cli.commands.backtest:backtest",
        "Run a strategy over past data.",
        "Backtesting",
    ),
    Command(
        "sweep",
        "lanner.cli.commands.sweep:sweep",
        "Search a strategy's parameters, walk forward, and judge whether the best is luck.",
        "Backtesting",
    ),
    Command(
        "check",
        "lanner.cli.commands.check:check",
        "Look for what makes a backtest lie: look-ahead, chance, warm-up.",
        "Backtesting",
    ),
    Command(
        "strategies",
        "lanner.cli.commands.strategies:strategies",
        "List the strategies that can be run by name.",
        "Backtesting",
    ),
    Command(
        "runs",
        "lanner.cli.commands.runs:app",
        "List, show, compare, repeat and delete finished runs.",
        "Backtesting",
    ),
    Command(
        "venues",
        "lanner.cli.commands.venues:venues",
        "Show what each venue can do.",
        "Venues",
    ),
    Command(
        "venue",
        "lanner.cli.commands.venue:app",
        "Serve a simulated venue that real clients can trade against.",
        "Venues",
    ),
    Command(
        "drill",
        "lanner.cli.commands.drill:drill",
        "Try the live engine, in virtual time, against a venue that misbehaves.",
        "Venues",
    ),
    Command(
        "price",
        "lanner.cli.commands.market:price",
        "Show bid, ask, last and mid of an instrument, live.",
        "Venues",
    ),
    Command(
        "book",
        "lanner.cli.commands.market:book",
        "Show an order book, live.",
        "Venues",
    ),
    Command(
        "trades",
        "lanner.cli.commands.market:trades",
        "Show public trades, live.",
        "Venues",
    ),
    Command(
        "keys",
        "lanner.cli.commands.keys:app",
        "Store, list, remove and check the keys of venues.",
        "Venues",
    ),
    Command(
        "paper",
        "lanner.cli.commands.paper:paper",
        "Run a strategy on live markets with simulated orders.",
        "Venues",
    ),
    Command(
        "live",
        "lanner.cli.commands.paper:live",
        "Run a strategy with real orders.",
        "Venues",
    ),
    Command(
        "run-strategy",
        "lanner.cli.commands.paper:run_strategy",
        "Run a strategy with a settings file, on paper or live.",
        "Venues",
    ),
    Command(
        "run-sessions",
        "lanner.cli.commands.run_sessions:run_sessions",
        "Run several sessions from one file.",
        "Venues",
    ),
    Command(
        "sessions",
        "lanner.cli.commands.sessions:sessions",
        "List paper and live sessions.",
        "Venues",
    ),
    Command(
        "ledger",
        "lanner.cli.commands.ledger:app",
        "Orders, fills and equity of sessions; rebuild them from the journals.",
        "Venues",
    ),
    Command(
        "alerts",
        "lanner.cli.commands.alerts:app",
        "Try the channels of alerts; show the alerts of a session.",
        "Venues",
    ),
    Command(
        "status",
        "lanner.cli.commands.session:status",
        "Show a running session.",
        "Venues",
    ),
    Command(
        "pause",
        "lanner.cli.commands.session:pause",
        "Let a session's strategies rest.",
        "Venues",
    ),
    Command(
        "resume",
        "lanner.cli.commands.session:resume",
        "Let a paused session's strategies work again.",
        "Venues",
    ),
    Command(
        "reload",
        "lanner.cli.commands.reload:reload",
        "Change a running session's parameters and limits.",
        "Venues",
    ),
    Command(
        "stop",
        "lanner.cli.commands.session:stop",
        "End a running session.",
        "Venues",
    ),
    Command(
        "kill",
        "lanner.cli.commands.session:kill",
        "Stop all trading of a session: cancel, close, confirm.",
        "Venues",
    ),
    Command(
        "watchdog",
        "lanner.cli.commands.watchdog:watchdog",
        "End a live session that can no longer end itself.",
        "Venues",
    ),
    Command(
        "reconcile",
        "lanner.cli.commands.session:reconcile",
        "Compare a live session with its venue now.",
        "Venues",
    ),
    Command(
        "replay",
        "lanner.cli.commands.sessions:replay",
        "Play a session's journal again and compare.",
        "Venues",
    ),
    Command(
        "parity",
        "lanner.cli.commands.parity:parity",
        "Compare a session with the backtest of its data, order by order.",
        "Venues",
    ),
    Command(
        "balance",
        "lanner.cli.commands.trade:balance",
        "Show what an account at a venue holds.",
        "Trading by hand",
    ),
    Command(
        "positions",
        "lanner.cli.commands.trade:positions",
        "Show open positions at a venue.",
        "Trading by hand",
    ),
    Command(
        "orders",
        "lanner.cli.commands.trade:orders",
        "Show working orders at a venue.",
        "Trading by hand",
    ),
    Command(
        "buy",
        "lanner.cli.commands.trade:buy",
        "Place an order that buys.",
        "Trading by hand",
    ),
    Command(
        "sell",
        "lanner.cli.commands.trade:sell",
        "Place an order that sells.",
        "Trading by hand",
    ),
    Command(
        "cancel",
        "lanner.cli.commands.trade:cancel",
        "Take one order back.",
        "Trading by hand",
    ),
    Command(
        "cancel-all",
        "lanner.cli.commands.trade:cancel_all",
        "Take all orders of an instrument or a venue back.",
        "Trading by hand",
    ),
    Command(
        "repl",
        "lanner.cli.commands.repl:repl",
        "Trade by hand at a prompt, with one connection for all commands.",
        "Trading by hand",
    ),
    Command(
        "doctor",
        "lanner.cli.commands.doctor:doctor",
        "Check this installation and say what to mend.",
        "System",
    ),
)
