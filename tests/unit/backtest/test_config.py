"""Settings of a backtest: what they accept, and what each mistake is told."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from lanner.backtest.config import BacktestConfig
from lanner.backtest.config_file import load_config, make_config, merge
from lanner.backtest.keep import config_text
from lanner.backtest.mistakes import MistakesError
from lanner.core.errors import ConfigError, NotFoundError

BASE: dict[str, object] = {"strategy": "dual_ma", "data": ["BTC-USDT.BINANCE@1h"]}
DAY_NS = 86_400_000_000_000


def written(folder: Path, text: str) -> Path:
    path = folder / "run.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def mistakes_of(values: dict[str, object]) -> list[str]:
    with pytest.raises(MistakesError) as caught:
        make_config({**BASE, **values})
    return [mistake.sentence() for mistake in caught.value.mistakes]


def test_defaults_are_those_the_reference_documents() -> None:
    config = make_config(BASE)
    assert config.cash == {"": {"": Decimal(10_000)}}
    assert config.fees is None
    assert (config.slippage.model, config.slippage.value) == ("bps", Decimal(5))
    assert (config.fills.market_on, config.fills.limit_on) == ("next_open", "through")
    assert (config.leverage, config.funding, config.seed, config.report) == (Decimal(1), "data", 1, True)


@pytest.mark.parametrize(
    ("given", "key", "same_as"),
    [
        ({"cash": 5000}, "cash", {"": {"": Decimal(5000)}}),
        (
            {"cash": {"USDT": 5000, "BTC": "0.5"}},
            "cash",
            {"": {"USDT": Decimal(5000), "BTC": Decimal("0.5")}},
        ),
        ({"cash": {"OKX": {"USDT": 1}}}, "cash", {"OKX": {"USDT": Decimal(1)}}),
        ({"data": "A-B.C@1h"}, "data", ["A-B.C@1h"]),
        ({"since": 2024}, "since", 1_704_067_200_000_000_000),
        ({"since": "1704067200000"}, "since", 1_704_067_200_000_000_000),
    ],
)
def test_shorthands_mean_what_they_seem_to(given: dict[str, object], key: str, same_as: object) -> None:
    assert getattr(make_config({**BASE, **given}), key) == same_as


def test_a_bare_number_sets_both_fees_slippage_in_bps_and_three_delays() -> None:
    config = make_config({**BASE, "fees": 0.0004, "slippage": 2, "latency": 50})
    assert config.fees is not None
    assert (config.fees.maker, config.fees.taker) == (Decimal("0.0004"), Decimal("0.0004"))
    assert (config.slippage.model, config.slippage.value) == ("bps", Decimal(2))
    assert [getattr(config.latency, leg).ms for leg in ("feed", "entry", "exchange", "response")] == [
        50,
        50,
        0,
        50,
    ]


def test_a_bare_word_names_the_slippage_model() -> None:
    assert make_config({**BASE, "slippage": "none"}).slippage.model == "none"
    [text] = mistakes_of({"slippage": "bpz"})
    assert (
        text == "slippage is wrong; expected one of none, bps, ticks, volume; found 'bpz'. Did you mean bps?"
    )


def test_settings_written_as_yaml_read_back_as_the_same_settings() -> None:
    config = make_config(
        {
            **BASE,
            "params": {"fast": 10, "ma_type": "ema", "go": True, "x": 0.1},
            "since": "2024-03-01T12:30:00.000000001",
            "until": "2024-06",
            "cash": {"BINANCE": {"USDT": "0.1"}},
            "fees": {"maker": "-0.0001", "taker": 0.0005},
            "latency": {"entry": {"model": "interpolated", "points": [["2024", 1.5], ["2025", 3]]}},
            "instruments": {"BTC-USDT.BINANCE": {"tick": "0.01", "kind": "perp"}},
            "risk": {"max_order_notional": 1000},
        }
        | {"since": "2024-03-01T12:30:00"}
    )
    again = make_config(yaml.safe_load(config_text(config)))
    assert again == config


def test_every_mistake_of_a_file_is_reported_at_once_with_its_line(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "strategy: dual_ma\ndata: BTC-USDT.BINANCE@1h\nfees:\n  makr: 0.1\nseed: 1.5\nfundin: data\n",
    )
    with pytest.raises(MistakesError) as caught:
        load_config(path)
    assert [(m.line, m.path) for m in caught.value.mistakes] == [(4, "fees.makr"), (5, "seed"), (6, "fundin")]
    assert caught.value.message().startswith(
        "run.yaml has 3 mistakes\n  line 4: fees.makr is not a known key"
    )
    assert caught.value.as_dict()["exit_code"] == 4


def test_an_unknown_key_deep_inside_is_told_the_keys_of_its_own_place() -> None:
    [text] = mistakes_of({"instruments": {"BTC-USDT.BINANCE": {"tic": 1}}})
    assert text.startswith("instruments.BTC-USDT.BINANCE.tic is not a known key; expected one of kind, lot,")
    assert text.endswith("Did you mean tick?")
    [text] = mistakes_of({"latency": {"entry": {"mss": 1}}})
    assert text == (
        "latency.entry.mss is not a known key; expected one of model, ms, points, sigma_ms. Did you mean ms?"
    )


def test_a_strategy_in_a_list_is_named_by_its_position() -> None:
    with pytest.raises(MistakesError) as caught:
        make_config({"data": ["x"], "strategies": [{"strategy": "a"}, {"strateg": "b"}]})
    assert [m.path for m in caught.value.mistakes] == ["strategies[1].strategy", "strategies[1].strateg"]


def test_strategies_without_an_allocation_share_what_the_others_leave() -> None:
    config = make_config(
        {
            "data": ["x"],
            "strategies": [{"strategy": "a", "allocation": 0.5}, {"strategy": "b"}, {"strategy": "c"}],
        }
    )
    assert [entry.allocation for entry in config.entries()] == [0.5, 0.25, 0.25]


def test_options_win_over_the_file_and_their_mistakes_name_the_option(tmp_path: Path) -> None:
    path = written(tmp_path, "strategy: dual_ma\ndata: A-B.C@1h\nfees: {maker: 0.1, taker: 0.001}\ncash: 1\n")
    config = load_config(path, {"fees": {"maker": 0}, "cash": 7})
    assert config.fees is not None
    assert (config.fees.maker, config.fees.taker) == (Decimal(0), Decimal("0.001"))
    assert config.cash == {"": {"": Decimal(7)}}
    with pytest.raises(ConfigError, match=r"^run\.yaml: --cash is wrong; expected a number; found 'x'$"):
        load_config(path, {"cash": "x"}, {"cash": "--cash"})


def test_paths_in_a_file_are_taken_from_the_files_own_folder(tmp_path: Path) -> None:
    path = written(tmp_path, "strategy: ./mine.py:Ma\ndata: [prices/btc.csv, BTC-USDT.BINANCE@1h]\n")
    config = load_config(path)
    assert config.strategy == f"{tmp_path}/mine.py:Ma"
    assert config.data == [f"{tmp_path}/prices/btc.csv", "BTC-USDT.BINANCE@1h"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "run.yaml is empty; expected at least `strategy:` and `data:`"),
        ("- a\n- b\n", "run.yaml: the file is not a mapping; expected `key: value` lines at the top level"),
        (
            "cash: 1\nname: a\ncash: 2\n",
            "run.yaml, line 3: cash is given twice; expected every key once; found it on line 1 too",
        ),
        ("1: a\n", "run.yaml, line 1: a key is not text; expected a name; found 1"),
    ],
)
def test_a_file_that_is_no_mapping_says_what_it_is(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(written(tmp_path, text))
    assert caught.value.message() == message


def test_broken_yaml_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^run\.yaml, line 2: not legal YAML"):
        load_config(written(tmp_path, "strategy: a\n\tdata: b\n"))


def test_files_that_are_missing_folders_or_too_large_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no file"):
        load_config(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="is a folder"):
        load_config(tmp_path)
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * 1_000_001)
    with pytest.raises(ConfigError, match=r"large\.yaml is too large; expected at most 1 MB; found 1\.0 MB"):
        load_config(large)
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ConfigError, match="is not text"):
        load_config(binary)


def test_merge_lays_mappings_over_each_other() -> None:
    assert merge({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 9}, "d": {"e": 1}}) == {
        "a": {"b": 9, "c": 2},
        "d": {"e": 1},
    }


def test_settings_cannot_be_changed_after_they_were_checked() -> None:
    config = make_config(BASE)
    with pytest.raises(Exception, match="frozen"):
        config.seed = 5  # type: ignore[misc]
    assert isinstance(config, BacktestConfig)
