"""Servers in the venues' place: what is no address is refused before anything is asked, and so is a product's slip."""

from __future__ import annotations

import pytest

from lanner.backtest.mistakes import validate
from lanner.core.errors import ConfigError
from lanner.live.config import SessionConfig
from lanner.live.connect import parse_urls, servers

HERE = "http://127.0.0.1:8090"
NO_ADDRESSES = ("", "foo", "ftp://x", "http://", "http://a:99999", "http://a:b", "http://a:0", "http://[::1")


def settings(url: object) -> SessionConfig:
    told = {"strategy": "dual_ma", "instruments": ["BTC-USDT@binance"], "url": url}
    config: SessionConfig = validate(SessionConfig, told, source="s.yaml")
    return config


@pytest.mark.parametrize("url", NO_ADDRESSES)
def test_what_is_no_address_is_refused(url: str) -> None:
    for text in (url, f"binance-spot={url}"):
        with pytest.raises(ConfigError, match="not a base URL"):
            parse_urls([text])
    for told in (url, {"binance-spot": url}):
        with pytest.raises(ConfigError, match="not a base URL"):
            settings(told)


def test_one_address_serves_all_products_and_a_product_that_is_none_is_refused() -> None:
    assert settings(HERE).url == settings({"": HERE}).url == parse_urls([HERE]) == {"": HERE}
    assert settings({"binance-usdm": HERE}).url == {"binance-usdm": HERE}
    with pytest.raises(ConfigError, match="url is told for 'binance', which is no product"):
        settings({"binance": HERE})  # real orders would go to the venue itself
    with pytest.raises(ConfigError, match="no such product"):
        parse_urls([f"binance={HERE}"])


def test_what_is_told_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANNER_URL", f"hyperliquid={HERE}")
    assert servers({}, testnet=False) == {"hyperliquid": HERE}
    assert servers({}, testnet=True) == {}
    assert servers({"": "http://b:1"}, testnet=False) == {"": "http://b:1"}
