"""The page of a sweep in a real browser, opened as a file: it draws, sorts, brushes, switches, and stays offline."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lanner.research.report import write_sweep_page
from tests.unit.research.sweep_results import EVIL, SIX, build_sweep

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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_api.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sweeps")


@pytest.fixture(scope="module")
def usual(folder: Path) -> Path:
    return write_sweep_page(build_sweep(), folder / "usual.html")


@pytest.fixture(scope="module")
def six(folder: Path) -> Path:
    return write_sweep_page(build_sweep(SIX, passed=True), folder / "six.html")


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
        self.page.wait_for_timeout(200)

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def flawless(self, width: int) -> None:
        """Check what every page must do: no complaint, no request, nothing wider than the screen."""
        assert self.complaints == []
        assert [url for url in self.requests if not url.startswith(("file:", "data:"))] == []
        assert self.page.evaluate("document.documentElement.scrollWidth") == width


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


CHARTS = ("#plot-best", "#plot-forward", "#plot-windows", "#plot-scores", "#heat", "#parallel")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_page_draws_every_chart_without_a_complaint_or_a_request(
    browser: Browser, six: Path, width: int, scheme: str
) -> None:
    with Opened(browser, six, width=width, scheme=scheme) as opened:
        for chart in CHARTS:
            assert drawn(opened.page, chart) > 3, chart
        opened.flawless(width)


def column(page: Page, key: str) -> list[str]:
    index = page.evaluate(
        "(key) => [...document.querySelectorAll('#board th')].findIndex((h) => h.dataset.key === key)", key
    )
    cells: list[str] = page.eval_on_selector_all(
        f"#board tbody tr td:nth-child({index + 1})", "cells => cells.map((cell) => cell.textContent)"
    )
    return cells


def as_number(text: str) -> float:
    return float(text.replace("−", "-").replace(",", "").replace("+", "").replace("%", ""))


def test_variants_sort_by_a_click_and_back_by_a_second(browser: Browser, usual: Path) -> None:
    with Opened(browser, usual) as opened:
        heading = opened.page.locator("#board th[data-key=trades]")
        heading.locator("button").click()
        down = [as_number(text) for text in column(opened.page, "trades")]
        assert heading.get_attribute("aria-sort") == "descending"
        assert down == sorted(down, reverse=True)
        heading.locator("button").click()
        up = [as_number(text) for text in column(opened.page, "trades")]
        assert up == sorted(up)
        assert up[0] < down[0]
        assert column(opened.page, "rank") != sorted(column(opened.page, "rank"))


def test_all_kept_variants_are_shown_on_request(browser: Browser, usual: Path) -> None:
    with Opened(browser, usual) as opened:
        assert len(column(opened.page, "rank")) == 15
        opened.page.click("#board-all")
        assert len(column(opened.page, "rank")) == 50


def test_heat_map_changes_with_the_pair_the_kind_and_the_scale(browser: Browser, six: Path) -> None:
    with Opened(browser, six) as opened:
        page, heat = opened.page, opened.page.locator("#heat")
        assert page.locator("#heat-pair option").count() == 15
        first = heat.screenshot()
        page.select_option("#heat-pair", label="stop × exit")
        second = heat.screenshot()
        assert second != first
        assert "stop and exit" in (page.get_attribute("#heat canvas", "aria-label") or "")
        page.select_option("#heat-kind", "mean")
        third = heat.screenshot()
        assert third != second
        page.click("#heat-zero")
        assert page.get_attribute("#heat-zero", "aria-pressed") == "false"
        assert heat.screenshot() != third
        assert opened.complaints == []


def test_heat_map_tells_the_values_under_the_pointer_and_the_keys(browser: Browser, usual: Path) -> None:
    with Opened(browser, usual) as opened:
        page = opened.page
        best = page.inner_text("#heat-readout")
        box = page.locator("#heat canvas").bounding_box()
        assert box is not None
        page.locator("#heat canvas").scroll_into_view_if_needed()
        page.locator("#heat canvas").hover(position={"x": 60, "y": 12})
        corner = page.inner_text("#heat-readout")
        assert "fast 5" in corner
        assert "slow 200" in corner
        page.locator("#heat canvas").hover(position={"x": box["width"] - 100, "y": box["height"] - 52})
        assert "not tried" in page.inner_text("#heat-readout")
        page.mouse.move(0, 0)
        assert page.inner_text("#heat-readout") == best
        page.focus("#heat canvas")
        page.keyboard.press("Home")
        page.keyboard.press("ArrowRight")
        after = page.inner_text("#heat-readout")
        assert after != best
        assert after.split()[3] == best.split()[3]


def test_brushing_an_axis_keeps_only_the_lines_through_it(browser: Browser, six: Path) -> None:
    with Opened(browser, six) as opened:
        page = opened.page
        canvas = page.locator("#parallel canvas")
        canvas.scroll_into_view_if_needed()
        whole = page.inner_text("#lines-readout")
        before = canvas.screenshot()
        box = canvas.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] - 46, box["y"] + 42)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] - 46, box["y"] + 110, steps=5)
        page.mouse.up()
        some = page.inner_text("#lines-readout")
        assert " of " in some
        assert as_number(some.split()[0]) < as_number(whole.split()[0])
        assert some.split("best ")[1].split()[0] == whole.split("best ")[1].split()[0]
        page.mouse.move(0, 0)
        assert canvas.screenshot() != before
        page.click("#lines-clear")
        assert page.inner_text("#lines-readout") == whole
        page.click("#lines-best")
        tenth = as_number(page.inner_text("#lines-readout").split()[0])
        assert tenth == pytest.approx(as_number(whole.split()[0]) / 10, rel=0.1)
        assert opened.complaints == []


def test_brushes_answer_the_keyboard(browser: Browser, six: Path) -> None:
    with Opened(browser, six) as opened:
        page = opened.page
        page.focus("#parallel canvas")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowUp")
        high = page.inner_text("#lines-readout")
        assert " of " in high
        for _ in range(10):
            page.keyboard.press("ArrowDown")
        assert page.inner_text("#lines-readout") != high
        page.keyboard.press("Escape")
        assert " of " not in page.inner_text("#lines-readout")


def test_row_of_the_table_shows_itself_in_the_charts(browser: Browser, usual: Path) -> None:
    with Opened(browser, usual) as opened:
        page = opened.page
        heat, lines = page.locator("#heat").screenshot(), page.locator("#parallel").screenshot()
        page.locator("#board tbody tr").nth(9).focus()
        page.keyboard.press("Enter")
        assert page.get_attribute("#board tbody tr.chosen", "data-row") == "9"
        assert page.locator("#heat").screenshot() != heat
        assert page.locator("#parallel").screenshot() != lines


def test_theme_button_redraws_the_canvases(browser: Browser, usual: Path) -> None:
    with Opened(browser, usual) as opened:
        page = opened.page
        for chart in ("#heat", "#parallel", "#plot-scores"):
            page.evaluate("document.documentElement.dataset.theme = 'light'")
            page.click("#theme")
            dark = page.locator(chart).screenshot()
            page.click("#theme")
            assert page.locator(chart).screenshot() != dark, chart
        assert opened.complaints == []


def test_log_scale_benchmark_and_zoom_answer(browser: Browser, usual: Path) -> None:
    with Opened(browser, usual) as opened:
        page = opened.page
        linear = page.locator("#plot-best").screenshot()
        page.click("#best-log")
        logarithmic = page.locator("#plot-best").screenshot()
        assert logarithmic != linear
        page.click("#best-bench")
        assert page.locator("#plot-best").screenshot() != logarithmic
        box = page.locator("#plot-best .u-over").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 200, box["y"] + 50)
        page.mouse.down()
        page.mouse.move(box["x"] + 400, box["y"] + 50, steps=4)
        page.mouse.up()
        assert page.is_enabled("#best-reset")
        page.click("#best-reset")
        assert page.is_disabled("#best-reset")
        assert opened.complaints == []


UNUSUAL: dict[str, dict[str, Any]] = {
    "one parameter": {"axes": {"period": list(range(2, 120))}},
    "one choice": {"axes": {"mode": ["alpha", "beta", "gamma"]}, "windows": 0},
    "single variant": {"axes": {"period": [10]}, "windows": 1},
    "nothing ranked": {"top": [], "sample": [], "heats": [], "score_statistics": {}, "correlations": {},
                       "best_curve": None, "walk_forward": None, "verdict": None},
    "hostile": {"axes": {EVIL: [1, 2, 3], "b" * 90: [EVIL, "c" * 90]}, "strategy": EVIL, "name": EVIL,
                "instruments": [EVIL], "warnings": [EVIL], "constraints": [EVIL]},
    "huge and tiny": {"axes": {"huge": [1e12, 2e12, 3e15], "tiny": [1e-9, 2.5e-9]}, "height": 1e7,
                      "objective": "net_profit", "objectives": ["net_profit"]},
    "all below zero": {"height": -3.0, "objective": "max_drawdown", "objectives": ["max_drawdown"]},
    "many windows": {"windows": 60},
    "coarse": {"axes": {"fast": list(range(300)), "slow": list(range(300, 600))}, "most": 30_000},
}  # fmt: skip


@pytest.mark.parametrize("name", UNUSUAL)
@pytest.mark.parametrize(
    "width", [1280, pytest.param(390, marks=pytest.mark.nightly)]
)  # above: the usual one
def test_unusual_sweeps_open_without_a_complaint(
    browser: Browser, folder: Path, name: str, width: int
) -> None:
    file = folder / f"{name.replace(' ', '_')}.html"
    if not file.exists():
        write_sweep_page(build_sweep(**UNUSUAL[name]), file)
    with Opened(browser, file, width=width) as opened:
        opened.flawless(width)
        assert opened.page.title() != "pwned"
        assert opened.page.locator("img").count() == 0


def test_single_parameter_is_a_curve_and_a_choice_is_bars(browser: Browser, folder: Path) -> None:
    for name in ("one parameter", "one choice"):
        file = write_sweep_page(build_sweep(**UNUSUAL[name]), folder / "single.html")
        with Opened(browser, file) as opened:
            assert drawn(opened.page, "#plot-single") > 3
            assert opened.page.locator("#heat").count() == 0
            assert opened.page.locator("#parallel").count() == 0
