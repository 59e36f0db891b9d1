"""``lanner backtest``: one object, one summary, one run; options, files and notebooks say the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import lanner as ln
from tests.integration.cli.conftest import CROSS, prices
from tests.integration.conftest import Run

ARGS = ("backtest", "cross.py", "--data", "btc.csv", "--instrument", "BTC-USDT.TEST")
KEYS = (
    *("run_id", "strategy", "events", "seconds", "events_per_second", "orders", "fills", "trades"),
    *("start_equity", "end_equity", "fees", "funding", "total_return", "max_drawdown", "sharpe", "sortino"),
    *("calmar", "win_rate", "profit_factor", "report", "state_hash", "warnings"),
)


def ran(lanner: Run, *words: str) -> dict[str, object]:
    code, out, _ = lanner(*words, "--json")
    assert code == 0, out
    assert out.count("\n") == 1
    found: dict[str, object] = json.loads(out)
    return found


def test_json_is_one_object_with_the_promised_keys(work: Path, lanner: Run) -> None:
    found = ran(lanner, *ARGS)
    assert [key for key in KEYS if key not in found] == []
    assert found["strategy"] == "Cross"
    assert found["events"] == 600
    trades, fills = found["trades"], found["fills"]
    assert isinstance(trades, int)
    assert isinstance(fills, int)
    assert trades >= 3
    assert fills >= 2 * trades - 1
    assert found["start_equity"] == 10_000
    fees = found["fees"]
    assert isinstance(fees, float)
    assert fees > 0
    assert Path(str(found["report"])).read_text().startswith("<!doctype html>")


def test_the_summary_fits_100_columns_and_25_lines(work: Path, lanner: Run) -> None:
    code, out, err = lanner(*ARGS)
    assert code == 0
    lines = out.rstrip("\n").splitlines()
    assert len(lines) <= 25
    assert max(map(len, lines)) <= 100
    assert "Total return" in out
    assert "fees are not known; assumed 0.001 maker, 0.001 taker" in err


def test_quiet_prints_only_the_id_of_the_run(work: Path, lanner: Run, own_home: Path) -> None:
    code, out, err = lanner(*ARGS, "--quiet")
    assert (code, err) == (0, "")
    assert [path.name for path in (own_home / "runs").iterdir()] == [out.strip()]


def test_two_runs_give_the_same_state_and_another_seed_another_hash(work: Path, lanner: Run) -> None:
    first, second = ran(lanner, *ARGS), ran(lanner, *ARGS)
    assert first["run_id"] != second["run_id"]
    assert first["state_hash"] == second["state_hash"]
    assert ran(lanner, *ARGS, "--seed", "2")["state_hash"] != first["state_hash"]


def test_options_a_settings_file_and_a_notebook_make_the_same_run(work: Path, lanner: Run) -> None:
    options = ran(
        lanner, *ARGS, "--param", "fast=8", "--cash", "5000", "--commission", "0.0005", "--slippage-bps", "2",
        "--since", "2024-01-05", "--until", "2024-01-20", "--latency-ms", "20", "--limit-on", "touch",
    )  # fmt: skip
    (work / "run.yaml").write_text(
        "strategy: cross.py\nparams: {fast: 8}\ndata: btc.csv\ninstrument: BTC-USDT.TEST\ncash: 5000\n"
        "fees: 0.0005\nslippage: 2\nlatency: 20\nfills: {limit_on: touch}\nsince: 2024-01-05\nuntil: 2024-01-20\n"
    )
    file = ran(lanner, "backtest", "run.yaml")
    book = ln.backtest(
        work / "cross.py", "btc.csv", instrument="BTC-USDT.TEST", fast=8, cash=5000, fees=0.0005, slippage=2,
        latency=20, fills={"limit_on": "touch"}, since="2024-01-05", until="2024-01-20",
    )  # fmt: skip
    assert options["state_hash"] == file["state_hash"] == book.result.state_hash
    assert options["end_equity"] == file["end_equity"] == float(book.result.end_equity)


def test_each_option_changes_what_it_names(work: Path, lanner: Run) -> None:
    base = ran(lanner, *ARGS)["state_hash"]
    for words in (
        ("--cash", "9000"), ("--fee-taker", "0.002"), ("--slippage-bps", "9"), ("--fill-on", "close"),
        ("--since", "2024-01-10"), ("--until", "2024-01-20"), ("--param", "slow=30"),
        ("--set", "risk.max_order_notional=1"),
    ):  # fmt: skip
        assert ran(lanner, *ARGS, *words)["state_hash"] != base, words


def test_options_win_over_the_settings_file(work: Path, lanner: Run) -> None:
    (work / "run.yaml").write_text(
        "strategy: cross.py\ndata: btc.csv\ninstrument: BTC-USDT.TEST\ncash: 5000\n"
    )
    assert ran(lanner, "backtest", "run.yaml", "--cash", "7000")["start_equity"] == 7000


def test_the_settings_files_relative_paths_hold_from_another_folder(
    work: Path, lanner: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (work / "run.yaml").write_text("strategy: ./cross.py:Cross\ndata: ./btc.csv\ninstrument: BTC-USDT.TEST\n")
    monkeypatch.chdir(tmp_path)
    assert ran(lanner, "backtest", "work/run.yaml")["events"] == 600


def test_no_report_writes_none_and_report_writes_a_copy(work: Path, lanner: Run, own_home: Path) -> None:
    found = ran(lanner, *ARGS, "--no-report")
    assert found["report"] is None
    assert not list((own_home / "runs" / str(found["run_id"])).glob("*.html"))
    copied = ran(lanner, *ARGS, "--report", "here.html")
    assert copied["report"] == str(work / "here.html")
    assert (work / "here.html").read_text().startswith("<!doctype html>")


def test_output_holds_json_csv_parquet_and_markdown(work: Path, lanner: Run) -> None:
    ran(lanner, *ARGS, "--output", "out")
    names = {path.name for path in (work / "out").iterdir()}
    assert {
        "result.json",
        "trades.csv",
        "equity.csv",
        "summary.md",
        "fills.parquet",
        "orders.parquet",
    } <= names


def test_an_output_folder_that_is_a_file_is_refused_before_the_run(
    work: Path, lanner: Run, own_home: Path
) -> None:
    code, _, err = lanner(*ARGS, "--output", "btc.csv")
    assert code == 4
    assert err.startswith("error: --output btc.csv is a file\n")
    assert not (own_home / "runs").exists()


def test_a_place_that_cannot_be_written_is_named(work: Path, lanner: Run) -> None:
    code, _, err = lanner(*ARGS, "--report", "btc.csv/report.html")
    assert code == 1
    assert err.splitlines()[-3].startswith(f"error: cannot use {work}/btc.csv")


def test_a_settings_file_may_be_json(work: Path, lanner: Run) -> None:
    settings = {
        "strategy": "cross.py",
        "data": "btc.csv",
        "instrument": "BTC-USDT.TEST",
        "report": "own.html",
    }
    (work / "run.json").write_text(json.dumps(settings))
    assert ran(lanner, "backtest", "run.json")["report"] == str(work / "own.html")


def test_a_dry_run_checks_everything_and_keeps_nothing(work: Path, lanner: Run, own_home: Path) -> None:
    code, out, _ = lanner(*ARGS, "--dry-run", "--cash", "123")
    assert code == 0
    assert "cash: 123" in out
    assert not (own_home / "runs").exists()
    (work / "again.yaml").write_text(out)
    assert ran(lanner, "backtest", "again.yaml")["start_equity"] == 123
    assert lanner("backtest", "cross.py", "--data", "none.csv", "--dry-run")[0] == 2


def test_a_data_set_of_the_catalog_and_the_file_it_came_from_give_the_same_run(
    work: Path, lanner: Run
) -> None:
    assert lanner("data", "import", "btc.csv", "--instrument", "BTC-USDT.TEST")[0] == 0
    stored = ran(lanner, "backtest", "cross.py", "--data", "BTC-USDT.TEST@1h")
    assert stored["state_hash"] == ran(lanner, *ARGS)["state_hash"]


def test_two_strategies_share_the_money_and_two_venues_need_their_own(work: Path, lanner: Run) -> None:
    (work / "btc2.csv").write_text(prices(step=0.4))
    for file, name in (("btc.csv", "BTC-USDT.ONE"), ("btc2.csv", "BTC-USDT.TWO")):
        assert lanner("data", "import", file, "--instrument", name)[0] == 0
    text = (
        "strategies:\n"
        "  - {strategy: cross.py, id: a, allocation: 0.5, instruments: BTC-USDT.ONE}\n"
        "  - {strategy: cross.py, id: b, allocation: 0.5, instruments: BTC-USDT.TWO, params: {fast: 9}}\n"
        "data: [BTC-USDT.ONE@1h, BTC-USDT.TWO@1h]\n"
    )
    (work / "two.yaml").write_text(text)
    code, _, err = lanner("backtest", "two.yaml")
    assert code == 4
    assert "cash does not say at which venue it lies" in err
    (work / "two.yaml").write_text(text + "cash: {ONE: {USDT: 6000}, TWO: {USDT: 4000}}\n")
    found = ran(lanner, "backtest", "two.yaml")
    assert found["start_equity"] == 10_000
    assert found["instruments"] == ["BTC-USDT.ONE", "BTC-USDT.TWO"]


def test_detail_bars_are_taken_from_the_catalog(work: Path, lanner: Run) -> None:
    for timeframe in ("1h", "15m"):
        made = lanner(
            "data",
            "synth",
            "--instrument",
            "BTC-USDT.DEMO",
            "--timeframe",
            timeframe,
            "--days",
            "30",
            "--quiet",
        )
        assert made[0] == 0, made
    plain = ran(lanner, "backtest", "cross.py", "--data", "BTC-USDT.DEMO@1h")
    fine = ran(lanner, "backtest", "cross.py", "--data", "BTC-USDT.DEMO@1h", "--detail", "15m")
    assert isinstance(fine["events"], int)
    assert fine["events"] == 5 * int(str(plain["events"]))


def test_a_longer_funding_history_does_not_stretch_the_run(work: Path, lanner: Run) -> None:
    for words in (("bars", "--timeframe", "1h", "--days", "10"), ("funding", "--days", "40")):
        assert lanner("data", "synth", *words, "--instrument", "BTC-PERP.DEMO", "--quiet")[0] == 0
    found = ran(lanner, "backtest", "cross.py", "--data", "BTC-PERP.DEMO@1h")
    assert found["until_ns"] == 1_704_067_200_000_000_000 + 10 * 86_400_000_000_000 + 1
    assert found["funding"] != 0


def test_a_strategy_without_a_timeframe_of_the_data_runs_on_the_datas(work: Path, lanner: Run) -> None:
    code, _, err = lanner("backtest", "dual_ma", *ARGS[2:])
    assert code == 0
    assert "note: dual_ma: runs on 1h, the data has no 15m" in err
    four = ran(lanner, "backtest", "dual_ma", *ARGS[2:], "--timeframe", "4h")
    assert four["state_hash"] != ran(lanner, "backtest", "dual_ma", *ARGS[2:])["state_hash"]


def test_a_notebook_gets_frames_a_report_and_one_line(work: Path, own_home: Path) -> None:
    namespace: dict[str, type[ln.Strategy]] = {}
    exec(compile(CROSS, "<cell>", "exec"), namespace)
    kept = ln.backtest(
        namespace["Cross"], ["btc.csv"], params={"fast": 8}, instrument="BTC-USDT.TEST", keep=False
    )
    assert not (own_home / "runs").exists()
    assert repr(kept).startswith("<Backtest ")
    assert kept.trades.height == len(kept.result.round_trips)
    assert kept.equity.columns[:2] == ["ts", "equity"]
    assert kept.fills.height <= kept.orders.height
    assert kept.metrics["total_return"] is not None
    assert kept.report("mine.html").is_file()


def test_a_notebook_refuses_what_the_command_line_refuses() -> None:
    with pytest.raises(ln.ConfigError, match="int is not a strategy"):
        ln.backtest(int, "x")  # type: ignore[arg-type]
    with pytest.raises(ln.ConfigError, match="parameter 'fast' is given twice"):
        ln.backtest("dual_ma", "x", params={"fast": 1}, fast=2)
    with pytest.raises(ln.NotFoundError):
        ln.backtest("dual_ma", "BTC-USDT.NOWHERE@1h")


CHATTY = CROSS.replace("import lanner as ln\n", 'import lanner as ln\n\nprint("loaded")\n').replace(
    "        if self.f.crossed_above", '        print("a bar")\n        if self.f.crossed_above'
)


@pytest.mark.parametrize("flag", ["--json", "--quiet"])
def test_what_a_strategy_prints_stays_out_of_a_result_for_programs(
    flag: str, work: Path, lanner: Run
) -> None:
    (work / "cross.py").write_text(CHATTY)
    code, out, err = lanner(*ARGS, flag)
    assert (code, out.count("\n")) == (0, 1)
    assert err.startswith("loaded\na bar\n")
    described = lanner("strategies", "cross.py", "--json")
    assert json.loads(described[1])["name"] == "cross.py"


def test_people_see_what_a_strategy_prints(work: Path, lanner: Run) -> None:
    (work / "cross.py").write_text(CHATTY)
    _, out, _ = lanner(*ARGS)
    assert out.startswith("loaded\na bar\n")


def test_a_strategy_of_bars_on_quotes_alone_is_a_matter_of_settings(work: Path, lanner: Run) -> None:
    assert lanner("data", "synth", "quotes", "--days", "1", "--instrument", "A-USDT.TEST")[0] == 0
    code, _, err = lanner("backtest", "dual_ma", "--data", "A-USDT.TEST@quotes")
    assert code == 4
    assert "there are no 15m bars of A-USDT.TEST" in err
