"""Hints from reading a strategy's source."""

from __future__ import annotations

import pytest

from lanner.research.lint import lint

HEAD = "import lanner as ln\n\n"
CLASS = HEAD + "class A(ln.Strategy):\n    def on_bar(self, bar):\n        "


@pytest.mark.parametrize(
    ("source", "check", "line"),
    [
        ("later = frame['close'].shift(-1)\n", "look-ahead", 1),
        ("later = frame['close'].shift(periods=-2)\n", "look-ahead", 1),
        ("smooth = frame['close'].rolling(5, center=True).mean()\n", "look-ahead", 1),
        ("whole = frame.bfill()\n", "look-ahead", 1),
        ("whole = frame.fill_null(strategy='backward')\n", "look-ahead", 1),
        ("whole = frame.fillna(method='bfill')\n", "look-ahead", 1),
        ("def f(closes, i):\n    return closes[i + 1]\n", "look-ahead", 2),
        ("import sys\n\n\ndef f():\n    return sys._getframe(1)\n", "look-ahead", 5),
        ("import gc\n\nthings = gc.get_objects()\n", "look-ahead", 3),
        ("import time\n\n\ndef f():\n    return time.time()\n", "determinism", 5),
        ("from time import perf_counter as clock\n\nt = clock()\n", "determinism", 3),
        ("from datetime import datetime as dt\n\nt = dt.now()\n", "determinism", 3),
        ("import datetime\n\nt = datetime.date.today()\n", "determinism", 3),
        ("import random\n\nx = random.random()\n", "determinism", 3),
        ("from random import choice\n\nx = choice([1, 2])\n", "determinism", 3),
        ("import numpy as np\n\nx = np.random.normal()\n", "determinism", 3),
        ("import numpy as np\n\nx = np.random.default_rng()\n", "determinism", 3),
        ("import uuid\n\nx = uuid.uuid4()\n", "determinism", 3),
        ("x = hash('text')\n", "determinism", 1),
        ("with open('x.csv') as lines:\n    rows = lines.read()\n", "outside", 1),
        ("import polars as pl\n\nframe = pl.read_csv('x.csv')\n", "outside", 3),
        ("from pathlib import Path\n\ntext = Path('x').read_text()\n", "outside", 3),
        ("import requests\n", "outside", 1),
        ("from urllib.request import urlopen\n", "outside", 1),
        ("import threading\n", "outside", 1),
        ("CACHE = {}\n\n\ndef f(x):\n    CACHE[x] = 1\n", "state", 1),
        ("SEEN = []\n\n\ndef f(x):\n    SEEN.append(x)\n", "state", 1),
        ("class A:\n    seen = []\n\n    def f(self, x):\n        self.seen.append(x)\n", "state", 2),
        ("class A:\n    seen = set()\n\n    def f(self, x):\n        A.seen.add(x)\n", "state", 2),
        ("def f(x, seen=[]):\n    return seen\n", "state", 1),
        ("N = 0\n\n\ndef f():\n    global N\n    N += 1\n", "state", 5),
        (CLASS + "if bar.close == self.level:\n            self.target(0)\n", "equality", 5),
        (CLASS + "if bar.high != bar.low:\n            self.target(0)\n", "equality", 5),
    ],
)
def test_a_hint_names_its_check_and_line(source: str, check: str, line: int) -> None:
    found = lint(source)
    assert [(finding.check, finding.line) for finding in found] == [(check, line)]
    assert found[0].severity == "warning"
    assert found[0].found.startswith(f"line {line}: ")
    assert found[0].fix


@pytest.mark.parametrize(
    "source",
    [
        "later = frame['close'].shift(1)\n",
        "smooth = frame['close'].rolling(5).mean()\n",
        "def f(levels, i):\n    return levels[i + 1]\n",
        "def f(closes, i):\n    return closes[i - 1]\n",
        "import numpy as np\n\nx = np.random.default_rng(7)\n",
        "import random\n\nx = random.Random(7)\n",
        "import time\n\nlength = time.struct_time\n",
        "RULES = {'a': 1}\n\n\ndef f(x):\n    return RULES[x]\n",
        "HOURS = {0, 6}\n\n\ndef f(x):\n    return x in HOURS\n",
        "class A:\n    roi = {0: '1%'}\n\n    def f(self):\n        return self.roi[0]\n",
        "class A:\n    a = []\n\n    def on_start(self):\n        self.a = []\n\n    def f(s):\n        s.a.pop()\n",
        "def f(x, seen=None):\n    return seen or []\n",
        CLASS + "if bar.close == bar.close:\n            self.target(0)\n",
        CLASS + "if bar.series == '1h' and bar.close is None:\n            self.target(0)\n",
        CLASS
        + "closed = self.position.is_long\n        if bar.close > 1:\n            self.target(closed)\n",
    ],
)
def test_what_is_fine_gets_no_hint(source: str) -> None:
    assert lint(source) == []


def test_hints_come_in_the_order_of_the_lines() -> None:
    source = "import requests\nx = frame.shift(-1)\ny = hash('a')\n"
    assert [finding.line for finding in lint(source)] == [1, 2, 3]
