"""Run three strategies in Lanner, backtesting.py and vectorbt on the same signals, and print what each makes of them.

    python -m benchmarks.compare_engines DATA.csv[.gz] [--rows 20000]

The signals are computed once, so every difference is one of engines: when an order fills, what it costs, how a stop
meets a bar. The peers live in environments of their own under `.bench/`; with `--engine` this file is their script.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

CASH, FEE = 10_000, 0.001
EXITS: dict[str, dict[str, float]] = {
    "SMA cross": {},
    "RSI with a stop": {"stop": 0.03},
    "Bollinger with a bracket": {"stop": 0.02, "take": 0.04},
}


def main() -> None:
    """Print one table a strategy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--engine", choices=["backtesting.py", "vectorbt"])
    options = parser.parse_args()
    if options.engine:
        inputs = dict(np.load(options.data))
        run = run_backtesting if options.engine == "backtesting.py" else run_vectorbt
        print(json.dumps({name: run(inputs, name, exits) for name, exits in EXITS.items()}))
        return
    compare(options.data, options.rows)


def compare(data: Path, rows: int) -> None:
    """Run everything and print it."""
    from benchmarks.environments import BACKTESTING, VECTORBT, environment, ready

    frame = bars_of(data)
    frame = frame.head(rows) if rows else frame
    inputs = inputs_of(frame)
    made: dict[str, dict[str, Any]] = {}
    for label, settings in CONVENTIONS.items():
        made[label] = {
            name: run_lanner(frame, inputs, name, exits, **settings) for name, exits in EXITS.items()
        }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "inputs.npz"
        np.savez(path, **inputs)
        for peer in (BACKTESTING, VECTORBT):
            command = [str(ready(peer)), str(Path(__file__).resolve()), str(path), "--engine", peer.name]
            done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
            if done.returncode:
                raise SystemExit(f"{peer.name}: {done.stderr.strip().splitlines()[-1]}")
            made[peer.name] = json.loads(done.stdout.strip().splitlines()[-1])
    print(f"{frame.height:,} bars, {CASH:,} in cash, fee {FEE:.1%} a side, no slippage, all in")
    for name in EXITS:
        print(f"\n{name}\n{'':34}{'trades':>8}{'end equity':>14}{'fees':>12}{'first exit':>12}{'won':>8}")
        for label, runs in made.items():
            one = runs[name]
            print(
                f"{label:34}{one['trades']:>8}{one['end']:>14,.2f}{one['fees']:>12,.2f}{one['first_exit']:>12,.2f}"
                f"{one['won']:>8.1%}"
            )


# -- what is played ----------------------------------------------------------------------------------


def bars_of(data: Path) -> Any:
    """Read hourly bars with Lanner's importer."""
    import polars as pl

    from lanner.storage.catalog import Catalog
    from lanner.storage.open_data import open_source

    with tempfile.TemporaryDirectory() as folder:
        source = open_source(
            str(data),
            catalog=Catalog(Path(folder) / "catalog"),
            instrument="BTC-USD.COINBASE",
            timeframe="1h",
            cache_dir=Path(folder) / "cache",
        )
        one = source.datasets[0]
        return pl.concat(list(one.catalog.scan(one.kind, one.instrument_id, one.spec)))


def inputs_of(frame: Any) -> dict[str, Any]:
    """Return prices, and entries and exits of each strategy."""
    import lanner as ln

    @ln.signal("1h")
    def strength(bars):  # type: ignore[no-untyped-def]
        return bars.close.rsi(14)

    close = frame["close"]
    inputs = {name: frame[name].to_numpy() for name in ("ts_open", "open", "high", "low", "close", "volume")}
    gap = (close.rolling_mean(20) - close.rolling_mean(50)).to_numpy()
    before = np.append(np.nan, gap[:-1])
    rsi = np.asarray(ln.signal_array(strength, frame))
    upper = (close.rolling_mean(20) + 2 * close.rolling_std(20, ddof=0)).to_numpy()
    above = close.to_numpy() > upper
    signals = [
        ((gap > 0) & (before <= 0), (gap < 0) & (before >= 0)),
        (rsi < 30, rsi > 55),
        (above & ~np.append(True, above[:-1]), np.zeros(len(gap), bool)),
    ]
    for number, (entry, leave) in enumerate(signals):
        inputs[f"entry{number}"], inputs[f"exit{number}"] = entry, leave
    return inputs


def signals_of(inputs: dict[str, Any], name: str) -> tuple[Any, Any]:
    """Return a strategy's entries and exits."""
    number = list(EXITS).index(name)
    return inputs[f"entry{number}"], inputs[f"exit{number}"]


# -- who plays it ------------------------------------------------------------------------------------

CONVENTIONS: dict[str, dict[str, Any]] = {
    "Lanner": {},
    "Lanner, as backtesting.py": {
        "size": 0.998 / (1 + FEE),
        "levels": "signal",
        "fills": {"gap_fill": "open"},
    },
    "Lanner, as vectorbt": {
        "fill": "same_close",
        "cooldown": 1,
        "fills": {"limit_on": "touch", "gap_fill": "open"},
    },
}


def run_lanner(
    frame: Any,
    inputs: dict[str, Any],
    name: str,
    exits: dict[str, float],
    levels: str = "entry",
    **settings: Any,
) -> dict[str, Any]:
    """Play a strategy with one set of conventions."""
    import lanner as ln
    from lanner.research.market import Market

    spot = ln.Instrument.spot("BTC-USD.COINBASE", tick="0.01", lot="1e-6", maker=str(FEE), taker=str(FEE))
    market = Market.from_frames(spot, "1h", [frame])
    entry, leave = signals_of(inputs, name)
    said: dict[str, Any] = dict(exits)
    if levels == "signal":
        said = {
            f"{key}_px": market.close * (1 + (1 if key == "take" else -1) * d) for key, d in exits.items()
        }
    made = ln.from_signals(market, entry, leave, capital=CASH, slippage=0, **said, **settings).result()
    closed = [trip for trip in made.round_trips if not trip.open]
    return {
        "trades": len(made.round_trips),
        "end": float(made.end_equity),
        "fees": float(made.fees),
        "first_exit": closed[0].exit_px,
        "won": sum(trip.pnl > 0 for trip in made.round_trips) / len(made.round_trips),
    }


def run_backtesting(inputs: dict[str, Any], name: str, exits: dict[str, float]) -> dict[str, Any]:
    """Play a strategy in backtesting.py."""
    import pandas as pd  # type: ignore[import-untyped]
    from backtesting import Strategy  # type: ignore[import-not-found]
    from backtesting.lib import FractionalBacktest  # type: ignore[import-not-found]

    entry, leave = signals_of(inputs, name)
    frame = pd.DataFrame(
        {key.capitalize(): inputs[key] for key in ("open", "high", "low", "close", "volume")},
        index=pd.to_datetime(inputs["ts_open"]),
    )

    class Follow(Strategy):  # type: ignore[misc]
        def init(self) -> None:
            pass

        def next(self) -> None:
            row, px = len(self.data) - 1, float(self._real[len(self.data) - 1])
            if self.position:
                if leave[row]:
                    self.position.close()
            elif entry[row] and not leave[row]:
                unit = float(self.data.Close[-1]) / px  # a fractional unit's price
                levels = {
                    key: px * unit * (1 + sign * exits[word])
                    for key, word, sign in (("sl", "stop", -1), ("tp", "take", 1))
                    if word in exits
                }
                self.buy(size=0.998, **levels)

        _real = inputs["close"]

    test = FractionalBacktest(
        frame, Follow, fractional_unit=1e-6, cash=CASH, commission=FEE, finalize_trades=True
    )
    stats = test.run()
    trades = stats["_trades"]
    return {
        "trades": int(stats["# Trades"]),
        "end": float(stats["Equity Final [$]"]),
        "fees": float(stats["Commissions [$]"]),
        "first_exit": float(trades["ExitPrice"].iloc[0]),
        "won": float((trades["PnL"] > 0).mean()),
    }


def run_vectorbt(inputs: dict[str, Any], name: str, exits: dict[str, float]) -> dict[str, Any]:
    """Play a strategy in vectorbt."""
    import pandas as pd
    import vectorbt as vbt  # type: ignore[import-not-found]

    index = pd.to_datetime(inputs["ts_open"])
    series = {key: pd.Series(inputs[key], index) for key in ("open", "high", "low", "close")}
    entry, leave = (pd.Series(one, index) for one in signals_of(inputs, name))
    made = vbt.Portfolio.from_signals(
        series["close"],
        entry & ~leave,
        leave,
        open=series["open"],
        high=series["high"],
        low=series["low"],
        sl_stop=exits.get("stop", np.nan),
        tp_stop=exits.get("take", np.nan),
        fees=FEE,
        init_cash=CASH,
        freq="1h",
    )
    trades = made.trades.records_readable
    return {
        "trades": len(trades),
        "end": float(made.final_value()),
        "fees": float(made.orders.records["fees"].sum()),
        "first_exit": float(trades["Avg Exit Price"].iloc[0]),
        "won": float((trades["PnL"] > 0).mean()),
    }


if __name__ == "__main__":
    main()
