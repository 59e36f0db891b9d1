"""The files that ``lanner new strategy`` writes."""

from __future__ import annotations

import keyword
from pathlib import Path

from lanner.core.errors import ConfigError

_CLASS = '''"""{title}: say in a line what it trades on.

Try it on invented data (the second command works on any data set or file):

    lanner data synth --timeframe 1h --days 365
    lanner backtest {file} --data BTC-USDT.SYNTH@1h --param fast=20 --param slow=60
"""

import lanner as ln


class {cls}(ln.Strategy):
    """Be long while the fast average is above the slow one."""

    timeframe = "1h"

    # Default, lowest, highest: what the command line, files and sweeps may set.
    fast = ln.Param(10, 2, 50, help="bars in the fast average")
    slow = ln.Param(30, 5, 200, help="bars in the slow average")

    def check_params(self):
        ln.require(self.fast < self.slow, "averages in the wrong order", "fast < slow", f"{{self.fast}}, {{self.slow}}")

    def on_start(self):
        # Declare indicators here; they are warm before on_bar is called for the first time.
        bars = self.bars()
        self.fast_ma = bars.ema(self.fast)
        self.slow_ma = bars.ema(self.slow)

    def on_bar(self, bar):
        # A decision at the close of a bar is filled at the open of the next one.
        if self.fast_ma.crossed_above(self.slow_ma):
            self.target(0.95, stop="5%")  # 95 % of equity, with a stop 5 % below the entry
        elif self.fast_ma.crossed_below(self.slow_ma):
            self.target(0)  # flat; on a perpetual a negative weight is short
'''

_SIGNAL = '''"""{title}: say in a line what it trades on.

Try it on invented data (the second command works on any data set or file):

    lanner data synth --timeframe 1h --days 365
    lanner backtest {file} --data BTC-USDT.SYNTH@1h --param fast=20 --param slow=60
"""

import lanner as ln


@ln.signal("1h", stop="5%")
def {name}(bars, fast=ln.Param(10, 2, 50), slow=ln.Param(30, 5, 200)):
    """Be long while the fast average is above the slow one."""
    ln.require(fast < slow, "averages in the wrong order", "fast < slow", f"{{fast}}, {{slow}}")
    # True is long, False is flat; a number is a weight from -1 to 1 (below 0 needs allow_short=True above).
    # Join conditions with & | ~, look back with .shift(1), choose with ln.where(condition, a, b).
    return bars.ema(fast) > bars.ema(slow)
'''

_TEST = '''"""What {name} does on prices made by hand: a fall, a rise, a fall. Run it with: python -m pytest {test}"""

from pathlib import Path

import lanner as ln

STRATEGY = Path(__file__).with_name("{file}")
HOUR = 3600


def write_bars(path):
    """Write hourly bars as a CSV file that any import understands."""
    closes = [100 - i * 0.2 for i in range(60)] + [88 + i * 0.3 for i in range(80)] + [112 - i * 0.4 for i in range(60)]
    lines = ["timestamp,open,high,low,close,volume"]
    for i, (before, close) in enumerate(zip([100, *closes], closes)):
        row = (1704067200 + i * HOUR, before, max(before, close) + 0.1, min(before, close) - 0.1, close, 10)
        lines.append(",".join(f"{{value:.2f}}" if i else str(value) for i, value in enumerate(row)))
    path.write_text("\\n".join(lines) + "\\n")
    return path


def test_buys_the_rise_and_leaves_the_fall(tmp_path):
    data = write_bars(tmp_path / "BTC-USDT.TEST@1h.csv")
    result = ln.backtest(STRATEGY, data, keep=False).result
    first = result.round_trips[0]
    assert first.side == 1
    assert 88 < first.entry_px < 100
    assert first.pnl > 0
'''


def write_starter(name: str, folder: Path, *, signal: bool) -> tuple[Path, Path]:
    """Write a strategy and its test; refuse names Python cannot use and files that are there already."""
    if not name.isidentifier() or keyword.iskeyword(name):
        raise ConfigError(
            f"{name!r} cannot be a strategy's name",
            expected="letters, digits and _, not beginning with a digit, and no word of Python's own",
            fix=f"For example: {_suggestion(name)}.",
        )
    title = name.replace("_", " ").strip().capitalize() or name
    parts = {
        "name": name,
        "title": title,
        "cls": _class_name(name),
        "file": f"{name}.py",
        "test": f"test_{name}.py",
    }
    target, test = folder / f"{name}.py", folder / f"test_{name}.py"
    for path in (target, test):
        if path.exists():
            raise ConfigError(
                f"{path} is there already", fix="Choose another name or folder; nothing is overwritten."
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(target, (_SIGNAL if signal else _CLASS).format(**parts))
        _write(test, _TEST.format(**parts))
    except OSError as error:
        raise ConfigError(
            f"cannot write to {folder}", found=error.strerror or str(error), fix="Choose another --dir."
        ) from error
    return target, test


def _write(path: Path, text: str) -> None:
    with path.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)


def _class_name(name: str) -> str:
    if name != name.lower():
        return name
    return "".join(word.capitalize() for word in name.split("_")) or name


def _suggestion(name: str) -> str:
    kept = "".join(letter if letter.isalnum() or letter == "_" else "_" for letter in name).strip("_").lower()
    if not kept.isidentifier() or keyword.iskeyword(kept):
        kept = f"my_{kept or 'strategy'}"
    return kept if kept.isidentifier() else "my_strategy"


_SESSION = """\
# Settings of a paper or live session. Show all of them, with their defaults: lanner paper {file} --dry-run
# Every one can be said by a variable (LANNER_RISK__MAX_ORDER_NOTIONAL=500) or an option, which win in this order.

strategy: {strategy}            # a name from `lanner strategies`, or file.py beside this file
params: {{}}
instruments: [{instrument}]
timeframe: 1m
cash: 10000
# leverage: 2                   # perpetuals: set at the venue (with margin_mode: cross or isolated) before it trades

risk:
  max_order_notional: 2500      # one order, in the currency of the session
  max_position_notional: 10000  # one instrument after it and everything that works
  max_open_orders: 20

latency: 20                     # milliseconds, on paper
journal: {{sync: intents}}        # what is on disk before an order leaves
recovery:
  foreign_orders: ignore        # orders at the venue that are not ours: adopt, ignore or cancel
  reconcile_s: 60               # how often everything is compared with the venue
retention: {{ended_orders: 10000}} # so many ended orders stay in memory; 0: all. The journal has every one
reload: {{watch: false}}          # true: what changes here in params and risk is taken while it runs

alerts:                         # try them: lanner alerts test {file}
  min_level: info               # debug, info, warning, critical or emergency
  # quiet_hours_start: 22       # UTC; critical and graver alerts come through
  # quiet_hours_end: 6
  # channels:                   # the terminal and a log file are there in any case
  #   telegram: {{bot_token: "env:TELEGRAM_TOKEN", chat_id: 123456789}}
  #   ops: {{type: webhook, url: "env:OPS_HOOK", min_level: warning}}
"""


def write_session(name: str, folder: Path, *, strategy: str, instrument: str) -> Path:
    """Write the settings of a session; refuse a file that is there already."""
    from lanner.venues.registry import instrument_at

    instrument_at(instrument)
    target = folder / f"{name}.yaml"
    if target.exists():
        raise ConfigError(
            f"{target} is there already", fix="Choose another name or folder; nothing is overwritten."
        )
    text = _SESSION.format(file=target.name, strategy=strategy, instrument=instrument)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(target, text)
    except OSError as error:
        raise ConfigError(
            f"cannot write to {folder}", found=error.strerror or str(error), fix="Choose another --dir."
        ) from error
    return target
