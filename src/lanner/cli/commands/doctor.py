"""``lanner doctor``: check this installation, green, amber or red, each with its fix."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from lanner.cli.output import print_json
from lanner.core.errors import EXIT_ERROR, EXIT_OK


def doctor(
    *, json: bool = False, quiet: Annotated[bool, Parameter(help="Show only what is not green.")] = False
) -> int:
    """Check Python, packages, disk, clock, folders, stored data and optional parts.

    Green is fine, amber works with a limit, red must be mended. The exit code is 1 when anything is red.

    Parameters
    ----------
    json
        Print one JSON object.
    """
    import sys

    from lanner.cli.health import BAD, run_checks
    from lanner.cli.render.errors import wants_colour
    from lanner.cli.render.health import health_text

    checks = run_checks()
    worst_is_bad = any(check.status == BAD for check in checks)
    if json:
        print_json({"ok": not worst_is_bad, "checks": [check.as_dict() for check in checks]})
    else:
        text = health_text(checks, colour=wants_colour(sys.stdout), quiet=quiet)
        if text:
            print(text)
    return EXIT_ERROR if worst_is_bad else EXIT_OK
