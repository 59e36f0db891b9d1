"""Turn the options of ``lanner backtest`` into settings; what they say wins over a settings file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from lanner.backtest.config import BacktestConfig
from lanner.backtest.config_file import SUFFIXES, load_config, looks_like_path, make_config
from lanner.core.errors import ConfigError

_INT = re.compile(r"^[+-]?(0|[1-9]\d*)$")
_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


class Options:
    """Collect options by the path of their setting, and remember which option said what."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.names: dict[str, str] = {}

    def put(self, path: str, option: str, value: object) -> None:
        """Set a setting such as ``fees.maker``; None leaves it as it is."""
        if value is None:
            return
        *folders, last = path.split(".")
        if folders[:1] == ["instruments"] and len(folders) > 2:  # ids have dots of their own
            folders = ["instruments", ".".join(folders[1:])]
        place = self.values
        for step in folders:
            place = place.setdefault(step, {})
            if not isinstance(place, dict):
                raise ConfigError(f"{option} {path} lies inside a setting that is a single value", found=step)
        place[last] = value
        self.names[path] = option

    def add_params(self, texts: list[str]) -> None:
        """Take parameters of the strategy, each as ``name=value``."""
        for text in texts:
            name, value = _pair("--param", text, "fast=10")
            if name in self.values.get("params", {}):
                raise ConfigError(f"--param {name} is given twice", expected="every parameter once")
            self.put(f"params.{name}", f"--param {name}", scalar(value))

    def add_settings(self, texts: list[str]) -> None:
        """Take any settings, each as ``path=value`` with the value in YAML."""
        import yaml

        for text in texts:
            path, value = _pair("--set", text, "risk.max_open_orders=5")
            try:
                parsed = yaml.safe_load(value)
            except (yaml.YAMLError, ValueError):
                raise ConfigError(
                    f"--set {path} is wrong", expected="a value in YAML", found=repr(value)
                ) from None
            self.put(path, f"--set {path}", parsed)

    def config(self, strategy: str) -> BacktestConfig:
        """Return the settings for a strategy, or for a settings file with the options over it."""
        if strategy.lower().endswith(SUFFIXES):
            return load_config(Path(strategy).expanduser(), self.values, self.names)
        if not strategy.strip():
            raise ConfigError(
                "no strategy is given", expected="a name from `lanner strategies`, file.py or module:Class"
            )
        if "data" not in self.values:
            raise ConfigError(
                "--data is missing",
                expected="what to play: BTC-USDT.BINANCE@1h or a file",
                fix="`lanner data list` shows the data sets; `lanner demo` makes one.",
            )
        return make_config({"strategy": absolute_strategy(strategy), **self.values}, self.names)


def absolute_strategy(ref: str) -> str:
    """Make the path of a strategy file absolute, so that a run can be repeated from anywhere."""
    stem, colon, cls = ref.partition(".py:")
    path = Path(f"{stem}.py" if colon else ref).expanduser()
    if not looks_like_path(ref) or path.suffix != ".py":
        return ref
    return f"{path.resolve()}{f':{cls}' if colon else ''}"


def scalar(text: str) -> bool | int | float | str:
    """Read a number or a truth value from text; other text stays text."""
    word = text.strip()
    if _INT.match(word):
        return int(word)
    if word.lower() in _WORDS:
        return _WORDS[word.lower()]
    try:
        return float(word)
    except ValueError:
        return text


def _pair(option: str, text: str, example: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ConfigError(f"{option} is wrong", expected=f"name=value, e.g. {example}", found=repr(text))
    return name.strip(), value


def files_first(refs: list[str] | None) -> Any:
    """Make the paths of data files absolute, so that a run can be repeated from anywhere."""
    if refs is None:
        return None
    return [
        str(Path(ref).expanduser().resolve()) if Path(ref).expanduser().is_file() else ref for ref in refs
    ]
