"""The tear sheet in a real browser, opened as a file: it draws, sorts, filters, zooms, and stays offline."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lanner.backtest.report import write_report
from lanner.testkit.results import build_result

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium found; install the package chromium"),
    # The driver's own event loop leaves a socket to the garbage collector when it stops.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
EVIL = "</script><img src=x onerror=\"document.title='pwned'\">"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_api.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reports")


@pytest.fixture(scope="module")
def usual(folder: Path) -> Path:
    return write_report(build_result(bars=9000), folder / "usual.html")


class Opened:
    """A page with what it complained about and what it asked for."""

    def __init__(self, browser: Browser, file: Path, *, width: int = 1280, scheme: str = "light") -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        self.page: Page = self.context.new_page()
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(file.as_uri())
        self.page.wait_for_function("document.querySelector('#plot-hist').childElementCount + "
                                    "document.querySelectorAll('.plot.idle').length > 0")  # fmt: skip
        self.page.wait_for_timeout(200)

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()


def drawn(page: Page, selector: str) -> int:
    """Return how many colours the canvases below an element show: one means blank."""
    count: int = page.evaluate(
        """(selector) => Math.max(0, ...[...document.querySelectorAll(selector + ' canvas')].map((canvas) => {
            if (!canvas.width || !canvas.height) return 0;
            const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
            const seen = new Set();
            for (let i = 0; i < pixels.length; i += 4) seen.add((pixels[i] << 16) | (pixels[i+1] << 8) | pixels[i+2]);
            return seen.size;
        }))""",
        selector,
    )
    return count


CHARTS = ("equity", "drawdown", "exposure", "rolling", "hist", "price", "scatter")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_page_draws_every_chart_without_a_complaint_or_a_request(
    browser: Browser, usual: Path, width: int, scheme: str
) -> None:
    with Opened(browser, usual, width=width, scheme=scheme) as opened:
        for chart in CHARTS:
            assert drawn(opened.page, f"#plot-{chart}") > 3, chart
        assert opened.complaints == []
        assert [url for url in opened.requests if not url.startswith(("file:", "data:"))] == []
        assert opened.page.evaluate("document.documentElement.scrollWidth") == width


def test_bars_of_the_waterfall_share_one_axis(browser: Browser, usual: Path) -> None:
    with Opened(browser, usual) as opened:
        tracks = opened.page.eval_on_selector_all(
            ".waterfall .track",
            "all => all.map((t) => t.getBoundingClientRect()).map((b) => b.x + '/' + b.width)",
        )
        assert len(tracks) == 5
        assert len(set(tracks)) == 1


def column(page: Page, key: str) -> list[str]:
    index = page.evaluate(
        "(key) => [...document.querySelectorAll('#trades-table th')].findIndex((h) => h.dataset.key === key)",
        key,
    )
    cells: list[str] = page.eval_on_selector_all(
        f"#trades-table tbody tr td:nth-child({index + 1})", "cells => cells.map((cell) => cell.textContent)"
    )
    return cells


def as_number(text: str) -> float:
    return float(text.replace("−", "-").replace(",", "").replace("+", ""))


def test_trades_sort_by_a_click_and_back_by_a_second(browser: Browser, usual: Path) -> None:
    with Opened(browser, usual) as opened:
        heading = opened.page.locator("#trades-table th[data-key=pnl]")
        heading.locator("button").click()
        down = [as_number(text) for text in column(opened.page, "pnl")]
        assert heading.get_attribute("aria-sort") == "descending"
        assert down == sorted(down, reverse=True)
        heading.locator("button").click()
        up = [as_number(text) for text in column(opened.page, "pnl")]
        assert heading.get_attribute("aria-sort") == "ascending"
        assert up == sorted(up)
        assert up[0] < down[0]


def test_trades_filter_by_side_result_and_text(browser: Browser, usual: Path) -> None:
    with Opened(browser, usual) as opened:
        page = opened.page
        page.select_option("#trades-side", "-1")
        assert set(column(page, "side")) == {"Short"}
        page.select_option("#trades-result", "loss")
        assert all(text.startswith("−") for text in column(page, "pnl"))
        page.fill("#trades-find", "stop")
        assert set(column(page, "why")) == {"stop"}
        page.fill("#trades-find", "nothing like this")
        assert "No trade matches." in page.inner_text("#trades-table")


def test_trades_are_paged_and_the_page_size_changes(browser: Browser, usual: Path) -> None:
    with Opened(browser, usual) as opened:
        page = opened.page
        first = column(page, "id")
        assert len(first) == 15
        page.click("#page-next")
        assert column(page, "id")[0] == str(int(first[-1]) + 1)
        page.select_option("#page-size", "50")
        assert len(column(page, "id")) == 50


def test_click_on_a_trade_shows_it_in_the_chart(browser: Browser, usual: Path) -> None:
    with Opened(browser, usual) as opened:
        page = opened.page
        page.click("#page-last")
        before = page.locator("#plot-price").screenshot()
        page.locator("#trades-table tbody tr").nth(1).click()
        page.wait_for_timeout(300)
        assert page.locator("#trades-table tbody tr.chosen").count() == 1
        assert page.locator("#plot-price").screenshot() != before


def test_theme_button_switches_the_colours(browser: Browser, usual: Path) -> None:
    with Opened(browser, usual) as opened:
        page = opened.page
        background = "getComputedStyle(document.body).backgroundColor"
        light = page.evaluate(background)
        page.click("#theme")
        dark = page.evaluate(background)
        page.click("#theme")
        assert page.evaluate(background) == light != dark
        assert opened.complaints == []


def test_log_scale_benchmark_and_zoom_answer(browser: Browser, usual: Path) -> None:
    with Opened(browser, usual) as opened:
        page = opened.page
        linear = page.locator("#plot-equity").screenshot()
        page.click("#log")
        assert page.get_attribute("#log", "aria-pressed") == "true"
        logarithmic = page.locator("#plot-equity").screenshot()
        assert logarithmic != linear
        page.click("#bench")
        assert page.locator("#plot-equity").screenshot() != logarithmic
        box = page.locator("#plot-equity .u-over").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 200, box["y"] + 50)
        page.mouse.down()
        page.mouse.move(box["x"] + 400, box["y"] + 50, steps=4)
        page.mouse.up()
        assert page.is_enabled("#reset")
        page.click("#reset")
        assert page.is_disabled("#reset")
        assert opened.complaints == []


def test_metric_shows_its_formula_and_source(browser: Browser, usual: Path) -> None:
    with Opened(browser, usual) as opened:
        opened.page.locator("#metrics [data-metric=sortino]").hover()
        tip = opened.page.inner_text("#tip")
        assert "mean(r)" in tip
        assert "empyrical" in tip
        opened.page.keyboard.press("Escape")
        assert opened.page.locator("#tip").is_hidden()


def test_trades_download_as_csv_from_a_file(browser: Browser, usual: Path, tmp_path: Path) -> None:
    with Opened(browser, usual) as opened:
        with opened.page.expect_download() as waiting:
            opened.page.click("#trades-csv")
        waiting.value.save_as(tmp_path / "trades.csv")
        lines = (tmp_path / "trades.csv").read_text().splitlines()
        assert lines[0].startswith("id,instrument,strategy,side")
        assert len(lines) > 100
        assert opened.complaints == []


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("no trades", {"trades": 0, "bars": 60}),
        ("one trade", {"trades": 1, "bars": 400}),
        ("huge and tiny", {"start_equity": "1000000000000000.12", "start_px": 0.00001234, "bars": 900}),
        ("several", {"instruments": ("A-USDT.X", "B" * 90 + ".X"), "strategies": ("one", EVIL), "bars": 900,
                     "name": EVIL}),
        ("thousands", {"hold": (2, 6), "bars": 30_000}),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "width", [1280, pytest.param(390, marks=pytest.mark.nightly)]
)  # above: the usual one
def test_unusual_runs_open_without_a_complaint(
    browser: Browser, folder: Path, name: str, arguments: dict[str, object], width: int
) -> None:
    file = folder / f"{name.replace(' ', '_')}.html"
    if not file.exists():
        write_report(build_result(**arguments), file)  # type: ignore[arg-type]
    with Opened(browser, file, width=width) as opened:
        assert opened.complaints == []
        assert opened.page.title() != "pwned"
        assert opened.page.locator("img").count() == 0
        assert opened.page.evaluate("document.documentElement.scrollWidth") == width
