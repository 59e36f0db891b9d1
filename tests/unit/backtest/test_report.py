"""The tear sheet as text: what it says, what it escapes, what it weighs."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import timedelta
from decimal import Decimal
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanner.analysis import attribute
from lanner.backtest.report import render_report
from lanner.backtest.report.frame import vendored
from lanner.backtest.report.payload import EQUITY_POINTS, price_decimals
from lanner.backtest.report.thin import thin_indices
from lanner.backtest.report.view import money, waterfall_bars
from lanner.backtest.result import Assumption, BacktestResult
from lanner.testkit.results import build_result

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&\u2028\u2029<!--"


class Page(HTMLParser):
    """Collect the elements, the visible words and the data of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.scripts: list[str] = []
        self.data = ""
        self.words: list[str] = []
        self._inside: str | None = None
        self._attrs: dict[str, str | None] = {}
        self.policy = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._inside, self._attrs = tag, dict(attrs)
        self.links += [
            value for name, value in attrs if name in ("src", "href", "srcset", "action") and value
        ]
        assert not any(name.startswith("on") for name, _ in attrs), "no inline handlers"
        if self._attrs.get("http-equiv") == "Content-Security-Policy":
            self.policy = self._attrs.get("content") or ""

    def handle_endtag(self, tag: str) -> None:
        self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            if self._attrs.get("id") == "report-data":
                self.data += data
            else:
                self.scripts.append(data)
        elif self._inside != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.data)
        return found


@pytest.fixture(scope="module")
def result() -> BacktestResult:
    return build_result(bars=6000)


@pytest.fixture(scope="module")
def page(result: BacktestResult) -> Page:
    return Page(render_report(result))


def test_page_asks_the_network_for_nothing(page: Page) -> None:
    outside = [link for link in page.links if not link.startswith(("#", "data:"))]
    assert outside == ["https://www.tradingview.com/"], (
        "the attribution is the only link, and only a click follows it"
    )
    assert "link" not in [tag for tag in page.tags if tag == "iframe"]
    assert "default-src 'none'" in page.policy
    assert "connect-src 'none'" in page.policy


def test_policy_allows_exactly_the_scripts_of_the_page(page: Page) -> None:
    allowed = set(re.findall(r"'sha256-([^']+)'", page.policy))
    present = {base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in page.scripts}
    assert allowed == present
    assert "unsafe-inline" not in page.policy.split("script-src")[1].split(";")[0]


def test_honesty_header_names_every_assumption_problem_and_fingerprint(
    page: Page, result: BacktestResult
) -> None:
    head = page.text.split("Headline")[0]
    assert "3 of 8 assumptions flatter this result" in head
    for assumption in result.assumptions:
        assert assumption.name in head
        assert assumption.value in head
    for item in (*result.warnings, "3 gaps, the longest 6h", "2 duplicate rows dropped", "synthetic"):
        assert item in head
    for mark in (result.code_hash[:12], result.data_hash[:12], result.state_hash[:12], "seed 7"):
        assert mark in head


def test_header_is_clean_only_when_nothing_is_to_be_said() -> None:
    clean = build_result(bars=200)
    clean.assumptions = [Assumption("Fills", "next open", False, "")]
    clean.warnings, clean.data = [], []
    text = render_report(clean)
    assert "No assumption is known to flatter this result" in text
    assert 'class="card honesty clean"' in text
    assert 'class="card honesty clean"' not in render_report(build_result(bars=200))


def test_text_of_users_is_escaped_everywhere() -> None:
    evil = build_result(bars=800, instruments=(EVIL,), strategies=(EVIL, "b" + EVIL), name=EVIL)
    evil.params = {EVIL: EVIL}
    evil.warnings = [EVIL]
    evil.config = {EVIL: [EVIL]}
    evil.currency = "X<b>"
    evil.assumptions = [Assumption(EVIL, EVIL, True, EVIL), Assumption(EVIL, EVIL, False, EVIL)]
    evil.data = [{"id": EVIL, "kind": EVIL, "rows": EVIL, "hash": EVIL, "problems": [EVIL], "start": EVIL}]
    evil.run_id = evil.code_hash = evil.data_hash = evil.state_hash = EVIL
    for trip in evil.round_trips:
        trip.exit_reason = trip.entry_reason = EVIL
    plain, page = Page(render_report(build_result(bars=800))), Page(render_report(evil))
    assert page.tags.count("script") == plain.tags.count("script")
    assert "img" not in page.tags
    assert page.json()["trades"]["words"].count(EVIL) == 1
    assert "\u2028" not in page.data
    assert "<" not in page.data


def test_vendored_files_are_the_ones_their_record_names() -> None:
    folder = files("lanner.backtest.report").joinpath("vendor")
    named = {"vendor.json"}
    for part in vendored():
        assert part["version"]
        assert folder.joinpath(str(part["licence_file"])).read_text()
        named.add(str(part["licence_file"]))
        items = part["files"]
        assert isinstance(items, list)
        for item in items:
            content = folder.joinpath(item["file"]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == item["sha256"], item["file"]
            assert b"sourceMappingURL" not in content
            assert b"</script" not in content.lower()
            named.add(item["file"])
    assert {entry.name for entry in folder.iterdir()} == named


def test_attribution_of_the_chart_library_is_kept(page: Page) -> None:
    assert "TradingView Lightweight Charts™" in page.text
    assert any("attributionLogo: true" in script for script in page.scripts)


def test_page_of_an_empty_run_stays_below_600_kilobytes() -> None:
    assert len(render_report(build_result(bars=60, trades=0)).encode()) < 600_000


def test_page_has_all_trades_and_a_thinned_curve() -> None:
    big = build_result(bars=40_000, hold=(2, 6), seed=4)
    assert len(big.round_trips) > 5_000
    data = Page(render_report(big)).json()
    assert len(data["trades"]["columns"]["id"]) == len(big.round_trips)
    assert len(data["equity"]["t"]) <= EQUITY_POINTS
    assert data["equity"]["of"] == big.equity.ts.size
    assert min(data["equity"]["d"]) == pytest.approx(-(big.metrics["max_drawdown"] or 0.0), rel=1e-5)
    assert max(data["equity"]["v"]) == pytest.approx(big.metrics["equity_peak"], rel=1e-7)
    assert data["equity"]["v"][-1] == pytest.approx(big.metrics["final_equity"], rel=1e-7)


@given(
    values=st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=400),
    limit=st.integers(4, 100),
)
def test_thinning_keeps_ends_and_extremes_and_the_limit(values: list[float], limit: int) -> None:
    series = np.array(values)
    kept = thin_indices([series], limit)
    assert kept.size <= max(limit, 4)
    assert kept[0] == 0
    assert kept[-1] == series.size - 1
    assert np.all(np.diff(kept) > 0)
    assert series[kept].max() == series.max()
    assert series[kept].min() == series.min()


def test_waterfall_shows_exact_text_and_bars_that_join(result: BacktestResult, page: Page) -> None:
    bars = waterfall_bars(result)
    parts = result.attribution
    for amount in (parts.price, parts.fees, parts.funding, parts.slippage, parts.total):
        assert money(amount, sign=True) in page.text
    assert f"sum to {money(parts.total, sign=True)} exactly" in page.text
    assert all(bar.left >= 0.0 and bar.left + bar.width <= 100.001 for bar in bars)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("-1234567.10", "−1,234,567.10"),
        ("0.000000000000000001", "+0.000000000000000001"),
        ("1E+3", "+1,000.00"),
        ("9398.007080410000", "+9,398.00708041"),
        ("123456789012345678901234567890.125", "+123,456,789,012,345,678,901,234,567,890.125"),
        ("0.00", "0.00"),
        ("-0.00", "0.00"),
    ],
)
def test_money_shows_every_digit_and_no_exponent(amount: str, text: str) -> None:
    assert money(Decimal(amount), sign=True) == text


def test_charts_that_have_nothing_to_show_are_left_out_or_say_so() -> None:
    page = Page(render_report(build_result(bars=60, trades=0)))
    assert "The strategy closed no trade." in page.text
    assert page.json()["histograms"] == []
    assert page.json()["rolling"]["t"] == []


def test_run_without_any_sample_still_has_a_page() -> None:
    empty = build_result(bars=60, trades=0)
    empty.equity.ts = np.zeros(0, dtype=np.int64)
    empty.equity.equity = empty.equity.exposure = np.zeros(0)
    empty.equity.benchmark = None
    empty.series = []
    assert "too short for a table of months" in Page(render_report(empty)).text


def test_bars_that_open_in_the_same_second_become_one_candle() -> None:
    ticks = build_result(bars=400)
    series = ticks.series[0]
    series.ts = (
        series.ts[0]
        + np.arange(400, dtype=np.int64) * (timedelta(milliseconds=250) // timedelta(microseconds=1)) * 1000
    )
    candle = Page(render_report(ticks)).json()["candles"][0]
    assert len(candle["t"]) == 100
    assert candle["o"][0] == series.open[0]
    assert candle["c"][0] == series.close[3]
    assert candle["h"][0] == series.high[:4].max()
    assert candle["v"][0] == pytest.approx(series.volume[:4].sum(), rel=1e-4)


@pytest.mark.parametrize(
    ("prices", "decimals"), [([16500.0, 16501.0], 0), ([0.5, 16500.25], 2), ([1.234e-05, 2e-5], 8), ([], 2)]
)
def test_prices_show_as_many_decimals_as_their_tick(prices: list[float], decimals: int) -> None:
    assert price_decimals(np.array(prices)) == decimals


def test_the_same_result_gives_the_same_page() -> None:
    assert render_report(build_result(bars=300)) == render_report(build_result(bars=300))


def test_amounts_of_the_waterfall_share_their_decimals_so_that_they_line_up() -> None:
    run = build_result(bars=300)
    run.attribution = attribute(Decimal("-601.992919590000"), fees=Decimal("2387.25857159"), funding=Decimal(0),
                                slippage=Decimal("798.029789"))  # fmt: skip
    texts = [bar.text for bar in waterfall_bars(run)]
    assert texts == ["+2,583.29544100", "−798.02978900", "−2,387.25857159", "0.00000000", "−601.99291959"]


def test_days_without_a_move_do_not_dwarf_the_histogram() -> None:
    idle = build_result(bars=4000, trades=3)
    first = Page(render_report(idle)).json()["histograms"][0]
    assert first["still"] > 100
    assert sum(first["counts"]) == first["n"] < 60
