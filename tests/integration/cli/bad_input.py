"""What users get wrong, and exactly what they are told: one row a mistake, checked by ``test_bad_input.py``.

``{work}`` in a message is the folder of the command, ``{home}`` Lanner's home.
"""

# ruff: noqa: E501 - messages stand here as they are printed

from __future__ import annotations

from typing import NamedTuple


class Case(NamedTuple):
    """A command line that must fail: its exit code, its message and the files it finds beside the usual two."""

    name: str
    words: str
    code: int
    message: str
    files: dict[str, str] = {}  # noqa: RUF012 - never changed


GOOD = """\
timestamp,open,high,low,close,volume
1704067200000,100,110,90,105,1
1704070800000,105,115,95,110,2
1704074400000,110,120,100,115,3
1704078000000,115,125,105,120,4
1704081600000,120,130,110,125,5
1704085200000,125,135,115,130,6
1704088800000,130,140,120,135,7
1704092400000,135,145,125,140,8
1704096000000,140,150,130,145,9
1704099600000,145,155,135,150,10
1704103200000,150,160,140,155,11
1704106800000,155,165,145,160,12
"""
HOLD = """\
import lanner as ln


class Hold(ln.Strategy):
    size = ln.Param(0.5, 0.1, 1.0, help="fraction of equity")
    mode = ln.Param("long", choices=("long", "flat"))
    go = ln.Param(True)

    def on_start(self):
        self.bars("1h")

    def on_bar(self, bar):
        self.target(self.size)
"""
BASE = "strategy: hold.py\ndata: btc.csv\ninstrument: BTC-USDT.TEST\n"
RUN = "backtest hold.py --data btc.csv --instrument BTC-USDT.TEST"


def yaml(extra: str, base: str = BASE) -> dict[str, str]:
    """Return a settings file: the usual one and some more lines."""
    return {"run.yaml": base + extra}


def code(body: str) -> dict[str, str]:
    """Return a strategy file with the body of one class."""
    return {"mine.py": "import lanner as ln\n\n\nclass Mine(ln.Strategy):\n" + body}


MINE = "backtest mine.py --data btc.csv --instrument BTC-USDT.TEST"
Y = "backtest run.yaml"
CASES = [
    Case(
        "no such command",
        "backtset x",
        4,
        """\
lanner: no command 'backtset'
  expected  one of demo, new, data, backtest, sweep, check, strategies, runs, venues, venue, drill, price, book, trades, keys, paper, live, run-strategy, run-sessions, sessions, ledger, alerts, status, pause, resume, reload, stop, kill, watchdog, reconcile, replay, parity, balance, positions, orders, buy, sell, cancel, cancel-all, repl, doctor
  fix       Did you mean `lanner backtest`?
""",
    ),
    Case(
        "no strategy",
        "backtest",
        4,
        """\
lanner backtest: STRATEGY is missing
  expected  a name from `lanner strategies`, file.py[:Class], module:Class, or settings.yaml
  fix       See `lanner backtest --help`.
""",
    ),
    Case(
        "no data",
        "backtest hold.py",
        4,
        """\
--data is missing
  expected  what to play: BTC-USDT.BINANCE@1h or a file
  fix       `lanner data list` shows the data sets; `lanner demo` makes one.
""",
    ),
    Case(
        "an option that does not exist",
        RUN + " --fats 3",
        4,
        """\
lanner backtest: no option --fats
  fix       Did you mean --format?
""",
    ),
    Case(
        "an option without its value",
        RUN + " --cash",
        4,
        """\
lanner backtest: --cash needs a value
  expected  money at the start; 10000 unless told
  fix       See `lanner backtest --help`.
""",
    ),
    Case(
        "too many words",
        RUN + " again",
        4,
        """\
lanner backtest: more words than the command takes
  found     again
  fix       See `lanner backtest --help`.
""",
    ),
    Case(
        "a number that is none",
        "runs list --limit ten",
        4,
        """\
lanner runs list: --limit is wrong
  expected  a whole number
  found     'ten'
  fix       See `lanner runs list --help`.
""",
    ),
    Case(
        "a parameter without a value",
        RUN + " --param size",
        4,
        """\
--param is wrong
  expected  name=value, e.g. fast=10
  found     'size'
""",
    ),
    Case(
        "a parameter given twice",
        RUN + " --param size=0.2 --param size=0.3",
        4,
        """\
--param size is given twice
  expected  every parameter once
""",
    ),
    Case(
        "a setting without a path",
        RUN + " --set =3",
        4,
        """\
--set is wrong
  expected  name=value, e.g. risk.max_open_orders=5
  found     '=3'
""",
    ),
    Case(
        "a setting that does not exist",
        RUN + " --set fills.market_one=close",
        4,
        """\
--set fills.market_one is not a known key
  expected  one of bar_participation, gap_fill, limit_on, market_on, participation, walk_ticks
  fix       Did you mean market_on?
""",
    ),
    Case(
        "a setting with broken YAML",
        RUN + " --set risk.max_open_orders=[",
        4,
        """\
--set risk.max_open_orders is wrong
  expected  a value in YAML
  found     '['
""",
    ),
    Case(
        "cash that is no number",
        RUN + " --cash lots",
        4,
        """\
--cash is wrong
  expected  a number
  found     'lots'
""",
    ),
    Case(
        "cash below zero",
        RUN + " --cash -5",
        4,
        """\
--cash is out of range
  expected  at least 0
  found     '-5'
""",
    ),
    Case(
        "no cash at all",
        RUN + " --cash 0",
        4,
        """\
there is no money to trade with
  expected  cash > 0
  found     0
""",
    ),
    Case(
        "a fee in per cent",
        RUN + " --fee-taker 1",
        4,
        """\
--fee-taker is out of range
  expected  at most 0.1
  found     '1'
""",
    ),
    Case(
        "slippage below zero",
        RUN + " --slippage-bps -1",
        4,
        """\
--slippage-bps is out of range
  expected  at least 0
  found     '-1'
""",
    ),
    Case(
        "latency of a day",
        RUN + " --latency-ms 86400000",
        4,
        """\
--latency-ms is out of range
  expected  at most 3600000
  found     '86400000'
""",
    ),
    Case(
        "a clock that does not exist",
        RUN + " --clock mine",
        4,
        """\
--clock is wrong
  expected  one of venue, recorded
  found     'mine'
""",
    ),
    Case(
        "recorded receive times and a delay of the feed",
        RUN + " --clock recorded --latency-ms 20",
        4,
        """\
both clock: recorded and latency.feed are given
  expected  clock: venue with a delay of the feed, or clock: recorded without one
  fix       Leave latency.feed out; latency.entry and latency.response go with either clock.
""",
    ),
    Case(
        "leverage below one",
        RUN + " --leverage 0.5",
        4,
        """\
--leverage is out of range
  expected  at least 1
  found     '0.5'
""",
    ),
    Case(
        "a fill convention that does not exist",
        RUN + " --fill-on next_close",
        4,
        """\
--fill-on is wrong
  expected  one of next_open, close
  found     'next_close'
  fix       Did you mean next_open?
""",
    ),
    Case(
        "a limit convention that does not exist",
        RUN + " --limit-on touched",
        4,
        """\
--limit-on is wrong
  expected  one of through, touch
  found     'touched'
  fix       Did you mean touch?
""",
    ),
    Case(
        "a funding mode that does not exist",
        RUN + " --funding zero",
        4,
        """\
--funding is wrong
  expected  one of data, assume-zero
  found     'zero'
""",
    ),
    Case(
        "a date that does not exist",
        RUN + " --since 2024-02-30",
        4,
        """\
--since is wrong
  expected  2024, 2024-03, 2024-03-01, 2024-03-01T12:30 (UTC) or UNIX time in s, ms, us or ns
  found     '2024-02-30'
""",
    ),
    Case(
        "a span that ends before it begins",
        RUN + " --since 2024-02 --until 2024-01",
        4,
        """\
the time span is empty: since 2024-02-01, until 2024-01-01
  expected  since before until
""",
    ),
    Case(
        "a span without data",
        RUN + " --since 2025",
        2,
        """\
there is no data from 2025-01-01 to the end
  expected  a span that meets 2024-01-01T01:00:00Z to 2024-01-01T12:00:00Z
  fix       Change since and until, or import more data.
""",
    ),
    Case(
        "a negative seed",
        RUN + " --seed -1",
        4,
        """\
--seed is out of range
  expected  at least 0
  found     '-1'
""",
    ),
    Case(
        "a timeframe that does not exist",
        RUN + " --timeframe 1hour",
        4,
        """\
--timeframe is wrong
  expected  one of 1s, 1m, 3m, 5m, 15m, 30m, 1h, 2h, 4h, 6h, 8h, 12h, 1d, 3d, 1w, 1M or e.g. 100tick, 50vol, 1000000usd
  found     '1hour'
  fix       Check the spelling: 1m is a minute, 1M a month.
""",
    ),
    Case(
        "an instrument without a venue",
        "backtest hold.py --data btc.csv --instrument BTCUSDT",
        4,
        """\
--instrument is wrong
  expected  SYMBOL.VENUE, e.g. BTC-USDT.BINANCE or BTC-PERP.HYPERLIQUID
  found     'BTCUSDT'
""",
    ),
    Case(
        "detail that is not there",
        RUN + " --detail 1m",
        2,
        """\
no bars of 1m of BTC-USDT.TEST to decide fills with
  expected  the data set BTC-USDT.TEST@1m
  fix       Import them, or leave out detail: 1m.
""",
    ),
    Case(
        "several wrong options at once",
        RUN + " --cash x --leverage 0 --since soon",
        4,
        """\
3 mistakes
  --since is wrong; expected 2024, 2024-03, 2024-03-01, 2024-03-01T12:30 (UTC) or UNIX time in s, ms, us or ns; found 'soon'
  --cash is wrong; expected a number; found 'x'
  --leverage is out of range; expected at least 1; found '0'
""",
    ),
    Case(
        "a settings file that does not exist",
        "backtest none.yaml",
        2,
        """\
no file none.yaml
  fix       Check the path.
""",
    ),
    Case(
        "an empty settings file",
        Y,
        4,
        """\
run.yaml is empty
  expected  at least `strategy:` and `data:`
""",
        {"run.yaml": ""},
    ),
    Case(
        "a settings file that is a list",
        Y,
        4,
        """\
run.yaml: the file is not a mapping
  expected  `key: value` lines at the top level
""",
        {"run.yaml": "- a\n- b\n"},
    ),
    Case(
        "a tab in YAML",
        Y,
        4,
        """\
run.yaml, line 2: not legal YAML
  expected  `key: value` lines, indented with spaces
  found     character '\\t' that cannot start any token
""",
        {"run.yaml": "strategy: hold.py\n\tdata: btc.csv\n"},
    ),
    Case(
        "an unclosed bracket in YAML",
        Y,
        4,
        """\
run.yaml, line 3: not legal YAML
  expected  `key: value` lines, indented with spaces
  found     expected ',' or ']', but got '<stream end>'
""",
        {"run.yaml": "strategy: hold.py\ndata: [btc.csv\n"},
    ),
    Case(
        "a key given twice",
        Y,
        4,
        """\
run.yaml, line 5: cash is given twice
  expected  every key once
  found     it on line 4 too
""",
        yaml("cash: 1\ncash: 2\n"),
    ),
    Case(
        "an unknown key",
        Y,
        4,
        """\
run.yaml, line 4: csh is not a known key
  expected  one of cash, catalog, clock, currency, data, detail, fees, fills, format, funding, instrument, instruments, latency, leverage, name, params, rates, report, risk, seed, since, slippage, strategies, strategy, timeframe, until
  fix       Did you mean cash?
""",
        yaml("csh: 1\n"),
    ),
    Case(
        "an unknown key inside",
        Y,
        4,
        """\
run.yaml, line 5: fills.market_no is not a known key
  expected  one of bar_participation, gap_fill, limit_on, market_on, participation, walk_ticks
  fix       Did you mean market_on?
""",
        yaml("fills:\n  market_no: close\n"),
    ),
    Case(
        "a wrong word among choices",
        Y,
        4,
        """\
run.yaml, line 4: fills.market_on is wrong
  expected  one of next_open, close
  found     'clsoe'
  fix       Did you mean close?
""",
        yaml("fills: {market_on: clsoe}\n"),
    ),
    Case(
        "no strategy in the file",
        Y,
        4,
        """\
run.yaml: no strategy is given
  expected  a name from `lanner strategies`, file.py, file.py:Class or module:Class
""",
        {"run.yaml": "data: btc.csv\n"},
    ),
    Case(
        "no data in the file",
        Y,
        4,
        """\
run.yaml: data is missing
  expected  what to play: BTC-USDT.BINANCE@1h (see `lanner data list`) or a file
""",
        {"run.yaml": "strategy: hold.py\n"},
    ),
    Case(
        "an empty list of data",
        Y,
        4,
        """\
run.yaml, line 2: data is empty
  expected  what to play: BTC-USDT.BINANCE@1h (see `lanner data list`) or a file
""",
        {"run.yaml": "strategy: hold.py\ndata: []\n"},
    ),
    Case(
        "strategy and strategies",
        Y,
        4,
        """\
run.yaml: both strategy and strategies are given
  expected  one of the two
""",
        yaml("strategies: [{strategy: hold.py}]\n"),
    ),
    Case(
        "allocations above one",
        Y,
        4,
        """\
run.yaml: the allocations add up to 1.4
  expected  a sum of at most 1
""",
        {
            "run.yaml": "data: btc.csv\nstrategies:\n  - {strategy: hold.py, allocation: 0.7}\n  - {strategy: hold.py, allocation: 0.7}\n"
        },
    ),
    Case(
        "two strategies of one id",
        Y,
        4,
        """\
two strategies have the id 'a'
  expected  a different id for each
""",
        {
            "run.yaml": "data: btc.csv\nstrategies:\n  - {strategy: hold.py, id: a}\n  - {strategy: hold.py, id: a}\n"
        },
    ),
    Case(
        "a strategy that wants an absent instrument",
        Y,
        2,
        """\
strategy Hold wants BTC-USD.TEST, but there is no data
  expected  one of BTC-USDT.TEST
  fix       Did you mean BTC-USDT.TEST?
""",
        {
            "run.yaml": "data: btc.csv\ninstrument: BTC-USDT.TEST\nstrategies:\n  - {strategy: hold.py, instruments: BTC-USD.TEST}\n"
        },
    ),
    Case(
        "a tick of zero",
        Y,
        4,
        """\
run.yaml, line 5: instruments.BTC-USDT.TEST.tick is out of range
  expected  more than 0
  found     0
""",
        yaml("instruments:\n  BTC-USDT.TEST: {tick: 0}\n"),
    ),
    Case(
        "settings for an absent instrument",
        Y,
        2,
        """\
instruments: there are settings for ETH-USDT.TEST, but no data
  expected  one of BTC-USDT.TEST
  fix       Did you mean BTC-USDT.TEST?
""",
        yaml("instruments:\n  ETH-USDT.TEST: {tick: 0.1}\n"),
    ),
    Case(
        "cash at an absent venue",
        Y,
        4,
        """\
cash names the venue 'BINANCE', which is not in the data
  expected  one of TEST
""",
        yaml("cash: {BINANCE: {USDT: 100}}\n"),
    ),
    Case(
        "parameters that are a list",
        Y,
        4,
        """\
run.yaml, line 4: params is wrong
  expected  keys and values
  found     [1, 2]
""",
        yaml("params: [1, 2]\n"),
    ),
    Case(
        "a parameter that is a list",
        Y,
        4,
        """\
run.yaml, line 4: params.size is wrong
  expected  a number, text, true or false
  found     [1, 2]
""",
        yaml("params: {size: [1, 2]}\n"),
    ),
    Case(
        "latency points out of order",
        Y,
        4,
        """\
run.yaml, line 5: latency.entry is wrong
  expected  points in order of time
  found     {'model': 'interpolated', 'points': [[2025, 1], [2024, 2]]}
""",
        yaml("latency:\n  entry: {model: interpolated, points: [[2025, 1], [2024, 2]]}\n"),
    ),
    Case(
        "sigma without the normal model",
        Y,
        4,
        """\
run.yaml, line 4: latency.feed is wrong
  expected  sigma_ms only with model: normal
  found     {'ms': 5, 'sigma_ms': 1}
""",
        yaml("latency: {feed: {ms: 5, sigma_ms: 1}}\n"),
    ),
    Case(
        "a risk limit of zero",
        Y,
        4,
        """\
run.yaml, line 4: risk.max_order_notional is out of range
  expected  more than 0
  found     0
""",
        yaml("risk: {max_order_notional: 0}\n"),
    ),
    Case(
        "many mistakes in one file",
        Y,
        4,
        """\
run.yaml has 4 mistakes
  line 4: cash is wrong; expected a number; found 'x'
  line 5: fees.makr is not a known key; expected one of in_base, maker, taker. Did you mean maker?
  line 6: seed is wrong; expected a whole number; found 1.5
  line 7: fills.limit_on is wrong; expected one of through, touch; found 'never'
""",
        yaml("cash: x\nfees: {makr: 0}\nseed: 1.5\nfills: {limit_on: never}\n"),
    ),
    Case(
        "a parameter that is not declared",
        RUN + " --param sise=0.2",
        4,
        """\
Hold has no parameter 'sise'
  expected  one of size, mode, go
  fix       Declare it in the class with Param(...), or check the spelling.
""",
    ),
    Case(
        "a parameter above its range",
        RUN + " --param size=2",
        4,
        """\
parameter 'size' is not legal
  expected  a number from 0.1 to 1.0
  found     2
""",
    ),
    Case(
        "a parameter that is no number",
        RUN + " --param size=big",
        4,
        """\
parameter 'size' is not legal
  expected  a number from 0.1 to 1.0
  found     'big'
""",
    ),
    Case(
        "a parameter that is not a number (NaN)",
        RUN + " --param size=nan",
        4,
        """\
parameter 'size' is not legal
  expected  a number from 0.1 to 1.0
  found     nan
""",
    ),
    Case(
        "a choice that does not exist",
        RUN + " --param mode=short",
        4,
        """\
parameter 'mode' is not legal
  expected  one of long, flat
  found     'short'
""",
    ),
    Case(
        "a truth value that is none",
        RUN + " --param go=perhaps",
        4,
        """\
parameter 'go' is not legal
  expected  true or false
  found     'perhaps'
""",
    ),
    Case(
        "averages in the wrong order",
        "backtest dual_ma --data btc.csv --instrument BTC-USDT.TEST --param fast=30 --param slow=20",
        4,
        """\
averages in the wrong order
  expected  fast < slow
  found     30, 20
""",
    ),
    Case(
        "a fraction for a whole number",
        "backtest dual_ma --data btc.csv --instrument BTC-USDT.TEST --param fast=1.5",
        4,
        """\
parameter 'fast' is not legal
  expected  a whole number from 2 to 199
  found     1.5
""",
    ),
    Case(
        "a data set that does not exist",
        "backtest hold.py --data BTC-USDT.BINANCE@1h",
        2,
        """\
no data set 'BTC-USDT.BINANCE@1h'
  found     an empty catalog at {home}/catalog
  fix       Import a file with `lanner data import FILE`, or make some with `lanner data synth`.
""",
    ),
    Case(
        "a file that does not exist",
        "backtest hold.py --data none.csv",
        2,
        """\
no such file: none.csv
  fix       Check the path, or name a data set of `lanner data list`.
""",
    ),
    Case(
        "an empty file",
        "backtest hold.py --data bad.csv --instrument BTC-USDT.TEST",
        1,
        """\
bad.csv is empty
  expected  market data
  found     0 bytes
""",
        {"bad.csv": ""},
    ),
    Case(
        "a file with a header only",
        "backtest hold.py --data bad.csv --instrument BTC-USDT.TEST",
        1,
        """\
bad.csv has a header but no rows
  expected  rows of data
  found     timestamp, open, high, low, close, volume
""",
        {"bad.csv": "timestamp,open,high,low,close,volume\n"},
    ),
    Case(
        "a file of words",
        "backtest hold.py --data bad.csv --instrument BTC-USDT.TEST",
        1,
        """\
bad.csv is not a table
  expected  columns separated by a comma, semicolon, tab or bar
  found     'dear diary'
  fix       Name the type of the file with --format.
""",
        {"bad.csv": "dear diary\ntoday was fine\n"},
    ),
    Case(
        "a file without a close column",
        "backtest hold.py --data bad.csv --instrument BTC-USDT.TEST",
        1,
        """\
bad.csv: no column for close
  expected  columns for time, open, high, low, close, volume
  found     'timestamp', 'open', 'high', 'low', 'volume'
  fix       Rename the columns in the header, or name the type of the file with --format.
""",
        {"bad.csv": "timestamp,open,high,low,volume\n1704067200000,1,1,1,1\n"},
    ),
    Case(
        "a file whose times are words",
        "backtest hold.py --data bad.csv --instrument BTC-USDT.TEST",
        1,
        """\
bad.csv, column 'timestamp': cannot read the time column
  expected  UNIX time in s, ms, µs or ns, or a date such as 2024-01-31 23:00:00
  found     'monday'
  fix       Convert the column to ISO 8601 or UNIX milliseconds.
""",
        {"bad.csv": "timestamp,open,high,low,close,volume\nmonday,1,1,1,1,1\ntuesday,1,1,1,1,1\n"},
    ),
    Case(
        "a damaged zip",
        "data import bad.zip",
        1,
        """\
bad.zip is damaged or cut short
  expected  a complete zip file
  found     File is not a zip file
  fix       Download or copy the file again; nothing was imported from it.
""",
        {"bad.zip": "PK\x03\x04 not really"},
    ),
    Case(
        "a damaged gzip",
        "data import bad.csv.gz",
        1,
        """\
bad.csv.gz is damaged or cut short
  expected  a complete gzip file
  found     Unknown compression method
  fix       Download or copy the file again; nothing was imported from it.
""",
        {"bad.csv.gz": "\x1f\x8b not really"},
    ),
    Case(
        "a damaged Parquet file",
        "data import bad.parquet",
        1,
        """\
bad.parquet cannot be read
  expected  a complete Parquet or Arrow file
  found     parquet: File out of specification: A Parquet file must contain a header and footer with at least 12 bytes
  fix       Download or write the file again; nothing was imported from it.
""",
        {"bad.parquet": "PAR1"},
    ),
    Case(
        "a format that does not exist",
        "data import btc.csv --format binnance",
        4,
        """\
unknown format
  expected  auto, ohlcv-csv, trades-csv, quotes-csv, funding-csv, mark-csv, binance-klines, binance-trades, binance-aggtrades, binance-depth, tardis-trades, tardis-quotes, tardis-book, tardis-book-snapshot, tardis-derivative-ticker, frames, freqtrade, freqtrade-json, parquet, arrow, lean, lean-funding, hyperliquid-candles, hyperliquid-fills, barter
  found     'binnance'
  fix       Use --format auto to detect it.
""",
    ),
    Case(
        "rows that are not prices, strictly",
        "data import bad.csv --instrument BTC-USDT.TEST --strict",
        1,
        """\
bad.csv, line 3: high is missing or not a number
  expected  a file without faults (--strict)
  found     '1704070800000,105,oops,95,110,2'
  fix       Mend the row, or import without --strict to leave such rows out. Nothing was imported.
""",
        {"bad.csv": GOOD.replace("105,115,95,110,2", "105,oops,95,110,2")},
    ),
    Case(
        "a high below the low, strictly",
        "data import bad.csv --instrument BTC-USDT.TEST --strict",
        1,
        """\
bad.csv, line 3: high is below low
  expected  a file without faults (--strict)
  found     '1704070800000,105,90,95,110,2'
  fix       Mend the row, or import without --strict to leave such rows out. Nothing was imported.
""",
        {"bad.csv": GOOD.replace("105,115,95,110,2", "105,90,95,110,2")},
    ),
    Case(
        "an instrument id that is none",
        "data import btc.csv --instrument BTC",
        4,
        """\
not an instrument id
  expected  SYMBOL.VENUE, e.g. BTC-USDT.BINANCE or BTC-PERP.HYPERLIQUID
  found     'BTC'
""",
    ),
    Case(
        "the same data twice",
        "backtest hold.py --data btc.csv --data btc.csv --instrument BTC-USDT.TEST",
        4,
        """\
the data set BTC-USDT.TEST@1h is given twice
  expected  every data set once
""",
    ),
    Case(
        "a description of nothing",
        "data describe ETH-USDT.BINANCE@1h",
        2,
        """\
no data set 'ETH-USDT.BINANCE@1h'
  found     an empty catalog at {home}/catalog
  fix       Import a file with `lanner data import FILE`, or make some with `lanner data synth`.
""",
    ),
    Case(
        "a strategy that is not registered",
        "backtest dual_mo --data btc.csv --instrument BTC-USDT.TEST",
        2,
        """\
there is no strategy named 'dual_mo'
  expected  one of bollinger_bands, bollinger_breakout, dual_ma, grid, ma_cross, macd_cross, macd_divergence, rsi_bounds, rsi_mean_reversion, triple_ma, or a file my.py, or module:Class
  fix       Did you mean dual_ma?
""",
    ),
    Case(
        "a strategy file that does not exist",
        "backtest nine.py --data btc.csv --instrument BTC-USDT.TEST",
        2,
        """\
there is no file {work}/nine.py
  expected  a Python file with a strategy
""",
    ),
    Case(
        "a module that does not exist",
        "backtest no_such_module:Ma --data btc.csv --instrument BTC-USDT.TEST",
        2,
        """\
there is no module 'no_such_module'
  expected  an installed module, or no_such_module.py below {work}
""",
    ),
    Case(
        "a class that is not in the file",
        "backtest hold.py:Hodl --data btc.csv --instrument BTC-USDT.TEST",
        2,
        """\
there is no 'Hodl' in {work}/hold.py
  expected  one of Hold
  fix       Did you mean Hold?
""",
    ),
    Case(
        "a file without a strategy",
        MINE,
        2,
        """\
there is no strategy in {work}/mine.py
  expected  a class derived from lanner.Strategy, or a function under @lanner.signal
""",
        {"mine.py": "x = 1\n"},
    ),
    Case(
        "a file with two strategies",
        MINE,
        4,
        """\
{work}/mine.py has 2 strategies
  expected  one, or a name behind a colon
  found     Hold, Other
  fix       Say which one: {work}/mine.py:Hold.
""",
        {"mine.py": HOLD + "\n\nclass Other(Hold):\n    pass\n"},
    ),
    Case(
        "a syntax error",
        MINE,
        1,
        """\
{work}/mine.py cannot be loaded
  File "{work}/mine.py", line 3
    class Mine(ln.Strategy)
                           ^
SyntaxError: expected ':'
""",
        {"mine.py": "import lanner as ln\n\nclass Mine(ln.Strategy)\n    pass\n"},
    ),
    Case(
        "a plain function",
        MINE.replace("mine.py", "mine.py:run"),
        4,
        """\
{work}/mine.py:run is not a strategy
  expected  a class derived from lanner.Strategy
  found     a plain function
  fix       Put @lanner.signal("1h") above it.
""",
        {"mine.py": "def run(bars):\n    return bars\n"},
    ),
    Case(
        "an import that fails",
        MINE,
        1,
        """\
{work}/mine.py cannot be loaded
  {work}/mine.py:1 in <module>
      import no_such_package
ModuleNotFoundError: No module named 'no_such_package'
Install 'no_such_package' in the environment that runs Lanner, or check the spelling.
""",
        {"mine.py": "import no_such_package\n"},
    ),
    Case(
        "a strategy that raises while it is loaded",
        MINE,
        1,
        """\
{work}/mine.py cannot be loaded
  {work}/mine.py:1 in <module>
      x = 1 / 0
ZeroDivisionError: division by zero
""",
        {"mine.py": "x = 1 / 0\n"},
    ),
    Case(
        "a strategy that ends the program",
        MINE,
        1,
        """\
{work}/mine.py cannot be loaded
  {work}/mine.py:2 in <module>
      sys.exit(3)
the file ends the program while it is loaded (sys.exit)
""",
        {"mine.py": "import sys\nsys.exit(3)\n"},
    ),
    Case(
        "a handler that ends the program",
        MINE,
        1,
        """\
strategy Mine failed in on_bar at 2024-01-01 01:00:00 UTC
  {work}/mine.py:9 in on_bar
      raise SystemExit(0)
the code ends the program (sys.exit), which a strategy may not do
Last inputs, the newest below:
  2024-01-01 01:00:00 UTC  BTC-USDT.TEST@1h  open 100  high 110  low 90  close 105  volume 1
""",
        code(
            "    def on_start(self):\n        self.bars('1h')\n\n    def on_bar(self, bar):\n        raise SystemExit(0)\n"
        ),
    ),
    Case(
        "a constructor that ends the program",
        MINE,
        1,
        """\
Mine cannot be built from its parameters
  {work}/mine.py:6 in check_params
      raise SystemExit(0)
the code ends the program (sys.exit), which a strategy may not do
""",
        code("    def check_params(self):\n        raise SystemExit(0)\n"),
    ),
    Case(
        "a constructor that raises",
        MINE,
        1,
        """\
Mine cannot be built from its parameters
  {work}/mine.py:7 in __init__
      self.x = {}['a']
KeyError: 'a'
""",
        code(
            "    def __init__(self, **params):\n        super().__init__(**params)\n        self.x = {}['a']\n"
        ),
    ),
    Case(
        "a check that raises",
        MINE,
        1,
        """\
Mine cannot be built from its parameters
  {work}/mine.py:6 in check_params
      raise ValueError('not like this')
ValueError: not like this
""",
        code("    def check_params(self):\n        raise ValueError('not like this')\n"),
    ),
    Case(
        "on_start that raises",
        MINE,
        1,
        """\
strategy Mine failed in on_start at 2024-01-01 01:00:00 UTC
  {work}/mine.py:6 in on_start
      self.sma = self.closes.sma(3)
AttributeError: 'Mine' object has no attribute 'closes'; there is close
""",
        code("    def on_start(self):\n        self.sma = self.closes.sma(3)\n"),
    ),
    Case(
        "on_bar that raises",
        MINE,
        1,
        """\
strategy Mine failed in on_bar at 2024-01-01 05:00:00 UTC
  {work}/mine.py:10 in on_bar
      raise RuntimeError('too dear')
RuntimeError: too dear
Last inputs, the newest below:
  2024-01-01 01:00:00 UTC  BTC-USDT.TEST@1h  open 100  high 110  low 90  close 105  volume 1
  2024-01-01 02:00:00 UTC  BTC-USDT.TEST@1h  open 105  high 115  low 95  close 110  volume 2
  2024-01-01 03:00:00 UTC  BTC-USDT.TEST@1h  open 110  high 120  low 100  close 115  volume 3
  2024-01-01 04:00:00 UTC  BTC-USDT.TEST@1h  open 115  high 125  low 105  close 120  volume 4
  2024-01-01 05:00:00 UTC  BTC-USDT.TEST@1h  open 120  high 130  low 110  close 125  volume 5
""",
        code(
            "    def on_start(self):\n        self.bars('1h')\n\n    def on_bar(self, bar):\n        if bar.close > 120:\n            raise RuntimeError('too dear')\n"
        ),
    ),
    Case(
        "an order with NaN",
        MINE,
        1,
        """\
strategy Mine failed in on_bar at 2024-01-01 01:00:00 UTC
  {work}/mine.py:9 in on_bar
      self.buy(float('nan'))
BTC-USDT.TEST: the quantity is not finite; expected a finite number; found nan
Last inputs, the newest below:
  2024-01-01 01:00:00 UTC  BTC-USDT.TEST@1h  open 100  high 110  low 90  close 105  volume 1
""",
        code(
            "    def on_start(self):\n        self.bars('1h')\n\n    def on_bar(self, bar):\n        self.buy(float('nan'))\n"
        ),
    ),
    Case(
        "an order below the lot",
        MINE,
        1,
        """\
strategy Mine failed in on_bar at 2024-01-01 01:00:00 UTC
  {work}/mine.py:9 in on_bar
      self.buy(1e-12)
BTC-USDT.TEST: the quantity is too small; expected at least 0.001 (steps of 0.001); found 1e-12. Order more, or use an instrument with a smaller lot.
Last inputs, the newest below:
  2024-01-01 01:00:00 UTC  BTC-USDT.TEST@1h  open 100  high 110  low 90  close 105  volume 1
""",
        code(
            "    def on_start(self):\n        self.bars('1h')\n\n    def on_bar(self, bar):\n        self.buy(1e-12)\n"
        ),
    ),
    Case(
        "an order with a price of text",
        MINE,
        1,
        """\
strategy Mine failed in on_bar at 2024-01-01 01:00:00 UTC
  {work}/mine.py:9 in on_bar
      self.buy(1, 'cheap')
price is not a number; expected a number; found 'cheap'
Last inputs, the newest below:
  2024-01-01 01:00:00 UTC  BTC-USDT.TEST@1h  open 100  high 110  low 90  close 105  volume 1
""",
        code(
            "    def on_start(self):\n        self.bars('1h')\n\n    def on_bar(self, bar):\n        self.buy(1, 'cheap')\n"
        ),
    ),
    Case(
        "a stop that is no distance",
        MINE,
        1,
        """\
strategy Mine failed in on_bar at 2024-01-01 01:00:00 UTC
  {work}/mine.py:9 in on_bar
      self.target(0.5, stop='five')
not a distance; expected text like "2%" or "50bps", or a price as a number; found 'five'
Last inputs, the newest below:
  2024-01-01 01:00:00 UTC  BTC-USDT.TEST@1h  open 100  high 110  low 90  close 105  volume 1
""",
        code(
            "    def on_start(self):\n        self.bars('1h')\n\n    def on_bar(self, bar):\n        self.target(0.5, stop='five')\n"
        ),
    ),
    Case(
        "bars that the data cannot give",
        MINE,
        4,
        """\
there are no 1m bars of BTC-USDT.TEST, and nothing to build them from
  expected  data with 1m bars, finer bars that divide it, or trades
  found     1h
  fix       Add such data with --data, or change the strategy's timeframe.
""",
        code("    def on_start(self):\n        self.bars('1m')\n"),
    ),
    Case(
        "an average over no bars",
        MINE,
        1,
        """\
strategy Mine failed in on_start at 2024-01-01 01:00:00 UTC
  {work}/mine.py:6 in on_start
      self.bars('1h').sma(0)
sma: bad period; expected a whole number >= 1; found 0
""",
        code("    def on_start(self):\n        self.bars('1h').sma(0)\n"),
    ),
    Case(
        "a timer without a period",
        MINE,
        1,
        """\
strategy Mine failed in on_start at 2024-01-01 01:00:00 UTC
  {work}/mine.py:6 in on_start
      self.set_timer('t', every='soon')
timer 't': not a length of time; expected e.g. 30s, 5m, 1h; found 'soon'
""",
        code("    def on_start(self):\n        self.set_timer('t', every='soon')\n"),
    ),
    Case(
        "a default outside its own range",
        MINE,
        4,
        """\
Mine.fast: the default does not fit its own range: parameter 'fast' is not legal; expected a whole number from 2 to 200; found 300
""",
        code("    fast = ln.Param(300, 2, 200)\n"),
    ),
    Case(
        "use of the market in the constructor",
        MINE,
        4,
        """\
Mine is not running
  fix       Use orders and market data from on_start on, not in __init__ or at class level.
""",
        code(
            "    def __init__(self, **params):\n        super().__init__(**params)\n        self.bars('1h')\n"
        ),
    ),
    Case(
        "a run that does not exist",
        "runs show 20200101",
        2,
        """\
no run '20200101'
  found     an empty run store at {home}/runs
  fix       Try `lanner demo`.
""",
    ),
    Case(
        "one run to compare",
        "runs compare last",
        2,
        """\
no run 'last'
  found     an empty run store at {home}/runs
  fix       Try `lanner demo`.
""",
    ),
    Case(
        "a run to delete that does not exist",
        "runs delete nothing",
        2,
        """\
no run 'nothing'
  found     an empty run store at {home}/runs
  fix       Try `lanner demo`.
""",
    ),
    Case(
        "a rerun of nothing",
        "runs rerun",
        2,
        """\
no run 'last'
  found     an empty run store at {home}/runs
  fix       Try `lanner demo`.
""",
    ),
    Case(
        "demo of no years",
        "demo --years 0",
        4,
        """\
--years is out of range
  expected  1 to 10
  found     0
""",
    ),
    Case(
        "demo in ticks",
        "demo --timeframe 100tick",
        4,
        """\
--timeframe is wrong
  expected  one of 1m, 3m, 5m, 15m, 30m, 1h, 2h, 4h, 6h, 8h, 12h, 1d
  found     '100tick'
""",
    ),
    Case(
        "a strategy name that cannot be a file",
        "new strategy 9lives",
        4,
        """\
'9lives' cannot be a strategy's name
  expected  letters, digits and _, not beginning with a digit, and no word of Python's own
  fix       For example: my_9lives.
""",
    ),
    Case(
        "a spot with leverage",
        RUN + " --leverage 5",
        4,
        """\
leverage 5 has no use on spot: BTC-USDT.TEST
  expected  leverage 1, or a perpetual such as BTC-PERP.HYPERLIQUID
""",
    ),
    Case(
        "a perpetual without funding",
        "backtest hold.py --data btc.csv --instrument BTC-PERP.TEST",
        1,
        """\
BTC-PERP.TEST: the funding history is missing or does not cover the run
  expected  funding rates from 2024-01-01 01:00 to 2024-01-01 12:00
  found     none
  fix       Import funding rates, or run with --funding assume-zero (the report will say so).
""",
    ),
    Case(
        "more leverage than allowed",
        Y,
        4,
        """\
BTC-PERP.TEST: leverage 20 is more than the instrument allows
  expected  at most 10
  fix       Lower --leverage, or set max_leverage of the instrument in the configuration.
""",
        yaml(
            "funding: assume-zero\nleverage: 20\ninstruments: {BTC-PERP.TEST: {max_leverage: 10}}\n",
            BASE.replace("USDT.T", "PERP.T"),
        ),
    ),
    Case(
        "a date in a file that does not exist",
        Y,
        4,
        """\
run.yaml, line 4: since is wrong
  expected  2024, 2024-03, 2024-03-01, 2024-03-01T12:30 (UTC) or UNIX time in s, ms, us or ns
  found     '2024-02-30'
""",
        yaml("since: 2024-02-30\n"),
    ),
    Case(
        "cash as an amount a currency that is no number",
        Y,
        4,
        """\
run.yaml, line 4: cash.USDT is wrong
  expected  a number
  found     'lots'
""",
        yaml("cash: {USDT: lots}\n"),
    ),
    Case(
        "instrument settings that are no mapping",
        Y,
        4,
        """\
run.yaml, line 4: instruments is wrong
  expected  keys and values
  found     'BTC-USDT.TEST'
""",
        yaml("instruments: BTC-USDT.TEST\n"),
    ),
    Case(
        "a report that is a number",
        Y,
        4,
        """\
run.yaml, line 4: report is wrong
  expected  true, false or the path of a file
  found     3
""",
        yaml("report: 3\n"),
    ),
    Case(
        "a settings file in another encoding",
        Y,
        4,
        """\
run.yaml is not text
  expected  a YAML file in UTF-8
""",
        {"run.yaml": "strategy: caf\xe9\n"},
    ),
    Case(
        "a settings file that is a folder",
        "backtest folder.yaml",
        4,
        """\
folder.yaml is a folder
  expected  a YAML file
""",
        {"folder.yaml/x": ""},
    ),
    Case(
        "a kind of instrument that does not exist",
        Y,
        4,
        """\
run.yaml, line 4: instruments.BTC-USDT.TEST.kind is wrong
  expected  one of spot, perp
  found     'future'
""",
        yaml("instruments: {BTC-USDT.TEST: {kind: future}}\n"),
    ),
    Case(
        "a currency without a rate",
        RUN + " --set currency=EUR",
        4,
        """\
nothing says what USDT is worth in EUR, the currency of the run
  expected  a rate for USDT
  fix       Add it to the settings, e.g. `rates: {USDT: 1}`, or use one currency.
""",
    ),
    Case(
        "more cash than there is",
        RUN + " --cash 1e400",
        4,
        """\
--cash is out of range
  expected  at most 1000000000000000
  found     '1e400'
""",
    ),
    Case(
        "a currency that is no name",
        Y,
        4,
        """\
run.yaml, line 4: cash.us dollars is wrong
  expected  a currency, e.g. USDT
  found     'us dollars'
""",
        yaml("cash: {us dollars: 5}\n"),
    ),
    Case(
        "an instrument setting that does not exist",
        RUN + " --set instruments.BTC-USDT.TEST.tik=0.1",
        4,
        """\
--set instruments.BTC-USDT.TEST.tik is not a known key
  expected  one of kind, lot, maintenance_margin, maker, max_leverage, max_qty, min_notional, min_qty, multiplier, taker, tick
  fix       Did you mean tick?
""",
    ),
    Case(
        "an output folder that is a file",
        RUN + " --output btc.csv",
        4,
        """\
--output btc.csv is a file
  expected  a folder, or a name for a new one
""",
    ),
    Case(
        "a fault that does not exist",
        "drill --fault gremlins",
        4,
        """\
no such fault
  expected  latency, drop, duplicate, reorder, garble, sequence-gap, late-user-events, stall, close, half-open, rate-limit, ban, server-error, lose-request, lose-answer, answer-twice, error-after-accept, fill-before-ack, partial-fill, fill-after-cancel, refuse-connect, clock-skew, maintenance, listen-key-expiry, stale-snapshot, step-size, crash, kill, disk-full, watchdog, none
  found     gremlins
""",
    ),
]
