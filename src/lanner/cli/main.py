"""``lanner``: build the commands lazily, run one, and turn whatever goes wrong into one clear message."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lanner import __version__
from lanner.cli.commands.table import COMMANDS
from lanner.cli.render.errors import error_text, wants_colour
from lanner.cli.render.help import root_help
from lanner.core.errors import EXIT_ERROR, EXIT_OK, InternalFaultError, LannerError
from lanner.storage.environment import debug_wanted

if TYPE_CHECKING:
    from cyclopts import App

EXIT_INTERRUPTED = 130
EXIT_CLOSED_PIPE = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words or debug_wanted()
    words = [word for word in words if word != "--debug"]
    as_json = "--json" in words
    try:
        code = _run(words)
        sys.stdout.flush()
        return code
    except LannerError as error:
        return _report(error, as_json, debug)
    except KeyboardInterrupt:
        return _interrupted(as_json)
    except BrokenPipeError:
        # The reader went away (`lanner runs list | head`): no message, and none at interpreter exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_CLOSED_PIPE
    except OSError as error:
        return _report(_from_system(error), as_json, debug)
    except Exception as error:  # noqa: BLE001 - the outermost wall: record, say so, leave
        return _report(_unexpected(error), as_json, debug)


def _run(words: list[str]) -> int:
    if words and words[0] == "help":  # `help COMMAND` is `COMMAND --help`
        words = [*(word for word in words if word != "help" and not word.startswith("-")), "--help"]
    if not words or words[0] in ("--help", "-h"):
        print(root_help())
        return EXIT_OK
    if words[0] == "--version":
        print(f"lanner {__version__}")
        return EXIT_OK

    from cyclopts.exceptions import CycloptsError

    try:
        outcome = build_app()(words, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        from lanner.cli.usage import usage_error

        raise usage_error(error) from error
    except SystemExit as leave:
        return leave.code if isinstance(leave.code, int) else EXIT_ERROR if leave.code else EXIT_OK
    return outcome if isinstance(outcome, int) else EXIT_OK


def build_app() -> App:
    """Return the command line as cyclopts sees it; commands are imported when they are called."""
    from cyclopts import App, Parameter

    app = App(
        name="lanner",
        version=__version__,
        default_parameter=Parameter(negative=(), show_default=_default_text),
        suppress_keyboard_interrupt=False,
    )
    for command in COMMANDS:
        app.command(command.target, name=command.name)
    return app


def _default_text(value: object) -> str | None:
    """Show no default for what is off or empty: that is what everybody expects."""
    return None if value in (False, None, "", (), []) else str(value)


def _report(error: LannerError, as_json: bool, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exception(error.__cause__ or error)
    if as_json:
        from lanner.cli.output import print_json

        print_json(error.as_dict())
        sys.stdout.flush()
    else:
        print(error_text(error, colour=wants_colour(sys.stderr)), file=sys.stderr)
    return error.exit_code


def report_fault(error: LannerError, *, as_json: bool) -> int:
    """Print an error as ``main`` would, and return its exit code."""
    return _report(error, as_json, debug_wanted())


def _interrupted(as_json: bool) -> int:
    if as_json:
        from lanner.cli.output import print_json

        print_json({"error": "Interrupted", "message": "interrupted", "exit_code": EXIT_INTERRUPTED})
    else:
        print("\ninterrupted: nothing half-finished was kept", file=sys.stderr)
    return EXIT_INTERRUPTED


def _from_system(error: OSError) -> LannerError:
    """Say what the operating system refused: a folder that cannot be written, a full disk."""
    if error.filename is None:
        return _unexpected(error)
    fixes = {
        errno.EACCES: "Check who may read and write there, or set LANNER_HOME to another folder.",
        errno.EROFS: "Choose a place that can be written, or set LANNER_HOME to another folder.",
        errno.ENOSPC: "Free some space, or set LANNER_HOME to another disk.",
        errno.ENOTDIR: "A part of that path is a file; choose another one.",
        errno.EEXIST: "Something else is there already; choose another path.",
        errno.EISDIR: "That is a folder; name a file in it.",
    }
    name = error.filename if isinstance(error.filename, str) else os.fsdecode(error.filename)
    fault = LannerError(
        f"cannot use {name}", found=(error.strerror or str(error)).lower(), fix=fixes.get(error.errno or 0)
    )
    fault.__cause__ = error
    return fault


def _unexpected(error: Exception) -> InternalFaultError:
    """Save the traceback to a file and return the short message that names it."""
    from lanner.cli.crash import save_traceback

    fault = InternalFaultError(
        f"something broke inside Lanner: {type(error).__name__}: {error}",
        fix=f"The traceback is in {save_traceback(error)}; please report it.",
    )
    fault.__cause__ = error
    return fault


if __name__ == "__main__":
    raise SystemExit(main())
