"""The reference pages say what the code does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel

from lanner.backtest.config import BacktestConfig
from lanner.backtest.config_file import make_config
from lanner.cli.main import EXIT_CLOSED_PIPE, EXIT_INTERRUPTED, build_app
from lanner.cli.reference import reference_page
from lanner.core import errors
from lanner.live.config import RetentionConfig

if TYPE_CHECKING:
    from cyclopts import App

PAGES = Path(__file__).resolve().parents[3] / "docs" / "reference"


def test_the_page_of_the_command_line_is_up_to_date() -> None:
    assert (PAGES / "cli.md").read_text(encoding="utf-8") == reference_page(), (
        "docs/reference/cli.md is out of date; run: python -m lanner.cli.reference > docs/reference/cli.md"
    )


def leaves(app: App, name: str) -> Iterator[tuple[str, App]]:
    words = [word for word in app if not word.startswith("-")]
    if app.default_command is not None:
        yield name, app
    for word in words:
        yield from leaves(app[word], f"{name} {word}".strip())


@pytest.mark.parametrize("option", ["--json", "--quiet"])
def test_every_command_takes_the_options_that_are_everywhere(option: str) -> None:
    lacking = [
        name
        for name, app in leaves(build_app(), "")
        if name and not any(option in argument.names for argument in app.assemble_argument_collection())
    ]
    assert lacking == []


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        if any(get_origin(part) is dict for part in _flat(field.annotation)):  # by names of people's own
            yield f"{prefix}{name}"
            continue
        inner = [
            part for part in _flat(field.annotation) if isinstance(part, type) and issubclass(part, BaseModel)
        ]
        if inner and inner[0].__name__ not in (
            "InstrumentConfig",
            "DelayConfig",
            "FeesConfig",
            "SlippageConfig",
        ):
            yield from keys(inner[0], f"{prefix}{name}{'[].' if name == 'strategies' else '.'}")
            continue
        yield f"{prefix}{name}"


def _flat(annotation: object) -> Iterator[object]:
    yield annotation
    for part in get_args(annotation):
        yield from _flat(part)


def test_the_page_of_settings_names_every_key() -> None:
    page = (PAGES / "config.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_\[\].]+)`", page))
    assert sorted(key for key in keys(BacktestConfig) if key not in named and key != "instruments") == []


def test_the_page_of_settings_names_no_key_that_does_not_exist() -> None:
    page = (PAGES / "config.md").read_text(encoding="utf-8")
    dotted = set(re.findall(r"`((?:strategies\[\]|fills|risk|latency)\.[a-z_]+)`", page))
    assert dotted - set(keys(BacktestConfig)) == set()


def test_the_example_of_the_page_of_settings_is_legal() -> None:
    page = (PAGES / "config.md").read_text(encoding="utf-8")
    examples = re.findall(r"```yaml\n(.*?)```", page, re.S)
    config = make_config(yaml.safe_load(examples[0]))
    assert config.name == "trend on bitcoin"
    make_config({"strategy": "x", "data": "y", **yaml.safe_load(examples[1])})


def test_the_defaults_on_the_page_of_settings_are_the_codes() -> None:
    page = (PAGES / "config.md").read_text(encoding="utf-8")
    plain = make_config({"strategy": "x", "data": ["y"]}).to_plain()
    for name, default in re.findall(r"^\| `((?:fills|risk)\.[a-z_]+)` \| `([^`]+)` \|", page, re.M):
        section, key = name.split(".")
        assert str(plain[section][key]) == default, name


def test_the_page_of_settings_tells_what_sessions_keep_as_the_code_does() -> None:
    page = (PAGES / "config.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `retention\.([a-z_]+)` \| `([^`]+)` \|", page, re.M))
    assert told == {name: str(value) for name, value in RetentionConfig().model_dump().items()}


def test_the_page_of_exit_codes_is_complete() -> None:
    page = (PAGES / "exit-codes.md").read_text(encoding="utf-8")
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.M)}
    codes = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    assert documented == codes | {EXIT_INTERRUPTED, EXIT_CLOSED_PIPE}
