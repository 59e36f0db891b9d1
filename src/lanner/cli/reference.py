"""The reference page of the command line, made from the commands themselves.

``python -m lanner.cli.reference > docs/reference/cli.md`` writes it anew.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING

from lanner.cli.commands.table import COMMANDS, GROUPS
from lanner.cli.main import build_app

if TYPE_CHECKING:
    from cyclopts import App
    from cyclopts.argument import Argument

_HEAD = """\
# Command line

`lanner COMMAND --help` shows the same on the terminal. Every command takes `--json` (one JSON object on standard
output, nothing else there), `--quiet` (only what was asked for) and `--debug` (Python's traceback when something
breaks). Results go to standard output, everything else to standard error; progress bars and colours appear on terminals
only (`NO_COLOR` turns colours off). [Exit codes](exit-codes.md) are the same everywhere.

`LANNER_HOME` (default `~/.lanner`) names the folder of the catalog, the runs and the cache; the other
[environment variables](environment.md) have a page of their own."""


def reference_page() -> str:
    """Return the page as Markdown."""
    app = build_app()
    parts = [_HEAD]
    for group in GROUPS:
        parts.append(f"## {group}")
        for command in COMMANDS:
            if command.group == group:
                parts += _command(app[command.name], f"lanner {command.name}")
    return "\n\n".join(parts) + "\n"


def _command(app: App, name: str) -> Iterator[str]:
    subcommands = [word for word in app if not word.startswith("-")]
    if app.default_command is not None:
        yield f"### `{name}{_positionals(app)}`"
        text = inspect.cleandoc(inspect.getdoc(app.default_command) or "")
        yield text.split("\n\nParameters\n---")[0]
        table = _table(app)
        if table:
            yield table
    for word in subcommands:
        yield from _command(app[word], f"{name} {word}")


def _arguments(app: App) -> list[Argument]:
    return [argument for argument in app.assemble_argument_collection() if argument.show]


def _positionals(app: App) -> str:
    words = []
    for argument in _arguments(app):
        if argument.index is None:
            continue
        word = argument.name.lstrip("-").upper() + ("…" if "list" in str(argument.hint) else "")
        words.append(f" {word}" if argument.required else f" [{word}]")
    return "".join(words)


def _table(app: App) -> str:
    rows = []
    for argument in _arguments(app):
        names = [name for name in argument.names if not name.startswith(("--no-", "--empty-"))]
        names = names or [argument.name]
        label = ", ".join(f"`{name}`" for name in names)
        default = argument.field_info.default
        shown = "" if default in (None, False, "", inspect.Parameter.empty) else f"`{default}`"
        text = (argument.parameter.help or _documented(app, argument)).replace("|", "\\|")
        rows.append(f"| {label} | {text} | {shown} |")
    return "\n".join(["| option | meaning | default |", "|---|---|---|", *rows]) if rows else ""


def _documented(app: App, argument: Argument) -> str:
    """Return what the docstring's section on parameters says about an argument."""
    lines = (inspect.getdoc(app.default_command) or "").splitlines()
    name = argument.field_info.name
    return lines[lines.index(name) + 1].strip() if name in lines else ""


if __name__ == "__main__":
    print(reference_page(), end="")
