"""Numbers of options: nan, infinity and what is out of range end while the options are read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from lanner.cli.commands.table import COMMANDS
from lanner.cli.main import build_app, main
from lanner.core.errors import EXIT_CONFIG

if TYPE_CHECKING:
    from cyclopts import App
    from cyclopts.argument import Argument

CHECKED_LATER = {
    "data synth": {"--vol", "--drift", "--start-price", "--spread-bps"},
    "sweep": {"--train"},
    "venue serve": {"--speed", "--rate", "--vol"},
}
"""Options whose command tells of a wrong number itself, with what it may be."""
WRONG = [
    "run-strategy --strategy x --config y.yaml --interval nan",
    "run-strategy --strategy x --config y.yaml --interval inf",
    "run-strategy --strategy x --config y.yaml --duration nan",
    "paper x --for inf",
    "drill --seconds nan",
    "drill --seconds inf",
    "drill --seeds 0",
    "drill --first-seed=-1",
    "data record BTC-USDT@binance --for=-1",
    "data record BTC-USDT@binance --commit-every nan",
    "buy BTC-USDT@binance 1 100 --wait nan --live",
    "cancel BTC-USDT@binance 1 --wait=-1 --live",
    "check x --seed=-1",
    "sweep x --data y --param fast=1:2 --workers=-1",
    "sessions --limit=-1",
    "ledger orders --limit=-1",
    "trades BTC-USDT@binance --rows 0",
]


def arguments(app: App, name: str) -> Iterator[tuple[str, Argument]]:
    if app.default_command is not None:
        yield from ((name, argument) for argument in app.assemble_argument_collection())
    for word in app:
        if not word.startswith("-"):
            yield from arguments(app[word], f"{name} {word}")


def test_every_option_that_takes_a_fraction_says_which_ones_it_takes() -> None:
    app = build_app()
    found = [
        (name, argument)
        for command in COMMANDS
        for name, argument in arguments(app[command.name], command.name)
        if "float" in str(argument.hint)
    ]
    assert len(found) >= 15
    unsaid = [
        f"{name} {argument.name}"
        for name, argument in found
        if not argument.parameter.validator and argument.name not in CHECKED_LATER.get(name, ())
    ]
    assert unsaid == []


@pytest.mark.parametrize("words", WRONG)
def test_a_number_that_cannot_be_is_refused_before_anything_is_done(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words.split()) == 4
    out, err = capsys.readouterr()
    assert out == ""
    told = [word.partition("=")[0] for word in words.split() if word.startswith("--")]
    wrong = [word for word in told if word not in ("--live", "--strategy", "--config", "--data", "--param")]
    assert err.startswith("error: ")
    assert f"for {wrong[0]}. Must be" in err


def test_a_fraction_is_no_whole_number(capsys: pytest.CaptureFixture[str]) -> None:
    app = build_app()
    every = [pair for command in COMMANDS for pair in arguments(app[command.name], command.name)]
    found = [(name, argument.name) for name, argument in every if argument.hint in (int, int | None)]
    assert len(found) >= 20
    for name, option in found:
        needed = [one for owner, one in every if owner == name and one.required]
        given = [word for one in needed for word in ([one.name] if one.index is None else []) + ["x"]]
        assert main([*name.split(), *given, option, "1.7"]) == EXIT_CONFIG
        told = capsys.readouterr().err
        assert f"{option} is wrong\n  expected  a whole number\n  found     '1.7'" in told, (name, told)
