"""The settings of a session from all their places: defaults, then the file, the environment, and the options."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanner.cli.venue_options import VENUE, Network

if TYPE_CHECKING:
    from lanner.live.config import SessionConfig


@dataclass(slots=True)
class Wishes:
    """What the options of ``lanner paper``, ``live`` and ``run-strategy`` say; None says nothing.

    ``source`` is a strategy or a settings file; ``strategy`` stands in the place of the file's. ``more`` holds further
    settings as path → (option, value).
    """

    source: str
    mode: str
    strategy: str | None = None
    instruments: list[str] | None = None
    timeframe: str | None = None
    param: list[str] | None = None
    cash: str | None = None
    settings: list[str] | None = None
    network: Network = VENUE
    key: str | None = None
    more: Mapping[str, tuple[str, Any]] = field(default_factory=dict)


@dataclass(slots=True)
class Settled:
    """The settings, and which of them came from a variable of the environment."""

    config: SessionConfig
    from_environment: dict[str, str]


def settle(wishes: Wishes, environment: Mapping[str, str] | None = None) -> Settled:
    """Put all places over one another and check the whole; every mistake is told with its place."""
    from lanner.backtest.config_file import SUFFIXES, anchored, merge, reaches, read_yaml
    from lanner.backtest.mistakes import validate
    from lanner.cli.backtest_options import Options, absolute_strategy
    from lanner.live.config import SessionConfig
    from lanner.live.overrides import settings_from

    told = settings_from(os.environ if environment is None else environment)
    between = Options()
    for path, (variable, value) in told.items():
        between.put(path, variable, value)
    options = _options(wishes)
    values: dict[str, Any] = {}
    lines: dict[Any, int] = {}
    source = ""
    if wishes.source.lower().endswith(SUFFIXES):
        file = Path(wishes.source).expanduser()
        values, lines = read_yaml(file)
        values, source = anchored(values, file.parent), file.name
    else:
        options.put("strategy", "STRATEGY", absolute_strategy(wishes.source))
    if wishes.strategy is not None:
        options.put("strategy", "--strategy", absolute_strategy(wishes.strategy))
    over = merge(between.values, {**options.values, "mode": wishes.mode})
    merged = merge(values, over)
    kept = {key: line for key, line in lines.items() if not reaches(over, key)}
    config: SessionConfig = validate(
        SessionConfig, merged, source=source, lines=kept, names={**between.names, **options.names}
    )
    if source or config.reload.file:
        config = _with_file(config, Path(wishes.source if source else "session").expanduser())
    used = {path: name for path, (name, _value) in told.items() if path not in options.names}
    return Settled(config, used)


def _with_file(config: SessionConfig, file: Path) -> SessionConfig:
    """Let hot reload look at the settings file itself, or at the file beside it that it names."""
    named = file.parent / config.reload.file if config.reload.file else file
    reload = config.reload.model_copy(update={"file": str(named.resolve())})
    return config.model_copy(update={"reload": reload})


def _options(wishes: Wishes) -> Any:
    from lanner.cli.backtest_options import Options

    options = Options()
    options.put("instruments", "--instrument", wishes.instruments)
    options.put("timeframe", "--timeframe", wishes.timeframe)
    options.put("cash", "--cash", wishes.cash)
    options.put("key", "--key", wishes.key)
    wishes.network.put_into(options)
    for path, (option, value) in wishes.more.items():
        options.put(path, option, value)
    options.add_params(wishes.param or [])
    options.add_settings(wishes.settings or [])
    return options


def show_settings(settled: Settled, *, json: bool, quiet: bool) -> int:
    """Print all settings with their defaults, secrets masked, after the strategies have taken their parameters."""
    import yaml

    from lanner.cli.output import note, print_json
    from lanner.live.overrides import redacted
    from lanner.strategy.registry import load_strategy

    for entry in settled.config.entries():
        load_strategy(entry.strategy)(**entry.params)
    plain = redacted(settled.config.to_plain())
    if json:
        print_json({"ok": True, "config": plain, "from_environment": settled.from_environment})
        return 0
    for path, name in settled.from_environment.items():
        note(f"{path} is from {name}", quiet=quiet)
    print(
        yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110), end=""
    )
    return 0
