"""Whatever stands in a settings file, the answer is settings or a message, never another exception."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from lanner.backtest.config import BacktestConfig
from lanner.backtest.config_file import load_config, make_config
from lanner.backtest.keep import config_text
from lanner.core.errors import LannerError

KEYS = [
    *BacktestConfig.model_fields,
    "ms",
    "model",
    "maker",
    "tick",
    "points",
    "BTC-USDT.BINANCE",
    "USDT",
    "x",
    "",
]
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(
        ["", "2024", "1h", "bps", "close", "nan", "1e400", "-5", "\x00", "é", "a.py:B", "{}", "2024-13"]
    ),
    st.text(max_size=8),
)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(KEYS), anything, max_size=6))
@example({"latency": {"entry": {"model": "interpolated", "points": [[1, 2, 3]]}}})
@example({"cash": {"A": {"B": {"C": 1}}}})
@example({"instruments": {"": None}})
@example({"since": float("inf"), "seed": float("nan"), "leverage": 10**400})
def test_any_settings_are_accepted_or_refused_with_a_message(values: dict[str, Any]) -> None:
    outcome: BacktestConfig | LannerError
    try:
        outcome = make_config({"strategy": "x", "data": ["y"], **values})
    except LannerError as error:
        outcome = error
    if isinstance(outcome, LannerError):
        assert outcome.exit_code == 4
        assert outcome.message().strip()
    else:
        assert make_config(yaml.safe_load(config_text(outcome))) == outcome


@given(text=st.one_of(st.text(max_size=60), st.text("-:[]{}&*!|>'\"%@`#? \n\tab1", max_size=40)))
@example(text="a: &x [*x]")
@example(
    text="a0: &a0 [x, x, x, x]\n"
    + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
)
@example(text="? [a, b]\n: 1")
@example(text="<<: 5")
@example(text="a: !!python/object:os.system x")
@example(text="---\na: 1\n---\nb: 2")
@example(text="data: 2024-01-01T99:99:99Z")
@example(text="a: 0x")
@example(text="[" * 2000)
def test_any_text_in_a_file_is_settings_or_a_message(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path: Path = tmp_path_factory.mktemp("fuzz") / "run.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(LannerError):
        load_config(path)
