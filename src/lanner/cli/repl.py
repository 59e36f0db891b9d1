"""The prompt of ``lanner repl``: reads a line, runs the command, and goes on whatever came of it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from prompt_toolkit.completion import Completer, Completion

from lanner.cli.commands.table import COMMANDS
from lanner.core.errors import ConfigError, LannerError

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import CompleteEvent
    from prompt_toolkit.document import Document

    from lanner.cli.desk import Desk, Given

PROMPT = "lanner> "
LEAVE = ("exit", "quit")
WATCHING = (
    "price",
    "book",
    "trades",
    "venues",
    "sessions",
    "status",
    "pause",
    "resume",
    "stop",
    "kill",
    "reconcile",
)
"""Commands that can be used at the prompt beside those of trading by hand."""
_VENUE_FIRST = ("balance", "positions", "orders", "cancel-all")


def commands() -> dict[str, str]:
    """Return what can be typed at the prompt, each with its meaning in one line."""
    told = {"help": "Show this list; `help COMMAND` for one command."}
    for command in COMMANDS:
        if command.name in WATCHING or (command.group == "Trading by hand" and command.name != "repl"):
            told[command.name] = command.summary
    return {**told, "exit": "Leave, as `quit` and Ctrl-D do."}


def converse(given: Given, *, json: bool, quiet: bool) -> int:
    """Take commands until the end; return 0 whatever came of them."""
    from lanner.cli.desk import keep
    from lanner.cli.output import note

    with keep(given) as open_desk:
        if given.venue:
            _connect(open_desk, quiet=quiet)
        if sys.stdin.isatty():
            note("`help` shows the commands, Tab completes, `exit` leaves.", quiet=quiet)
        for line in _lines(open_desk):
            if not run_line(line, json=json, quiet=quiet):
                break
    return 0


def run_line(line: str, *, json: bool = False, quiet: bool = False) -> bool:
    """Run one line; tell whether to go on. Every fault is printed, none is raised."""
    from lanner.cli.main import main, report_fault

    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        report_fault(ConfigError("the line cannot be read", found=str(error).lower()), as_json=json)
        return True
    if not words:
        return True
    if words[0] in LEAVE:
        return False
    known = commands()
    if words[0] == "help" and len(words) > 1:
        words = [*words[1:], "--help"]
    if words[0] in ("help", "?", "--help", "-h"):
        width = max(map(len, known))
        print("\n".join(f"  {name:<{width}}  {summary}" for name, summary in known.items()))
    elif words[0] not in known:
        report_fault(_unknown(words[0], known), as_json=json)
    else:
        main([*words, *(["--json"] if json else []), *(["--quiet"] if quiet else [])])
    sys.stdout.flush()
    return True


def _unknown(word: str, known: Iterable[str]) -> LannerError:
    from difflib import get_close_matches

    near = get_close_matches(word, list(known), n=1, cutoff=0.5)
    elsewhere = any(command.name == word for command in COMMANDS)
    if elsewhere:
        return ConfigError(
            f"{word!r} is not a command of the prompt", fix=f"Leave with `exit`, then `lanner {word}`."
        )
    fix = f"Did you mean `{near[0]}`?" if near else "`help` shows the commands."
    return ConfigError(f"no command {word!r}", fix=fix)


def _connect(open_desk: Desk, *, quiet: bool) -> None:
    """Open the venue's connections before the first command, so that its instruments are known."""
    from lanner.cli.main import report_fault
    from lanner.cli.output import note
    from lanner.core.errors import NotFoundError
    from lanner.venues.registry import products_of

    network = open_desk.given.network.where()
    for product in products_of(open_desk.given.venue):
        try:
            open_desk.unlock(product, open_desk.given.key)
            hand = open_desk.run(open_desk.hand(product, network, open_desk.given.key))
        except NotFoundError as error:
            note(f"{product}: {error.what}; what needs none works", quiet=quiet)
            continue
        except LannerError as error:
            report_fault(error, as_json=False)
            continue
        note(f"{product}: connected, {len(hand.instruments):,} instruments", quiet=quiet)


# -- reading ---------------------------------------------------------------------------------------------


def _lines(open_desk: Desk) -> Iterator[str]:
    if not sys.stdin.isatty():
        yield from sys.stdin
        return
    session = _session(open_desk)
    while True:
        try:
            yield session.prompt(PROMPT)
        except KeyboardInterrupt:  # the line is given up, not the prompt
            continue
        except EOFError:
            return


def _session(open_desk: Desk) -> PromptSession[str]:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import FileHistory

    from lanner.storage.environment import default_home

    path = default_home() / "repl_history"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(0o600)
    return PromptSession(
        history=FileHistory(str(path)),
        completer=PromptCompleter(open_desk.known, open_desk.given.venue),
        complete_while_typing=False,
    )


class PromptCompleter(Completer):
    """Complete commands, then instruments and venues, and options behind a dash.

    ``known`` returns the instruments of what is connected; where ``venue`` is set they are offered without it.
    """

    def __init__(self, known: Callable[[], Iterable[str]], venue: str = "") -> None:
        self._known = known
        self._venue = venue
        self._options: dict[str, list[str]] = {}

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """Return what the word before the cursor may become."""
        before = document.text_before_cursor
        words = before.split()
        word = "" if not words or before[-1].isspace() else words.pop()
        for text in self._candidates(words, word):
            if text.lower().startswith(word.lower()):
                yield Completion(text, start_position=-len(word))

    def _candidates(self, words: list[str], word: str) -> Iterable[str]:
        if not words:
            return [*commands(), "quit"]
        if word.startswith("-"):
            return [option for option in self.options(words[0]) if option not in words]
        if len(words) == 1 and words[0] == "help":
            return commands()
        if len(words) == 1:
            return [*self._venues(words[0]), *map(self._spelled, self._known())]
        return []

    def _venues(self, command: str) -> Iterable[str]:
        from lanner.venues.registry import PRODUCTS, VENUES

        return dict.fromkeys([*map(str.lower, VENUES), *PRODUCTS]) if command in _VENUE_FIRST else ()

    def _spelled(self, instrument_id: str) -> str:
        symbol, _, venue = instrument_id.rpartition(".")
        return symbol if self._venue else f"{symbol}@{venue.lower()}"

    def options(self, command: str) -> list[str]:
        """Return a command's options, longest names only."""
        if command not in commands() or command in ("help", *LEAVE):
            return []
        if command not in self._options:
            from lanner.cli.main import build_app

            collection = build_app()[command].assemble_argument_collection()
            names = {name for argument in collection for name in argument.names if name.startswith("--")}
            self._options[command] = sorted(names)
        return self._options[command]
