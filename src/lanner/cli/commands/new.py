"""``lanner new strategy NAME``: a small strategy that runs, with a test, to start from."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

app = App(name="new", help="Write a strategy file to start from.")


@app.command
def strategy(
    name: Annotated[str, Parameter(help="What to call it, e.g. my_trend.")],
    /,
    *,
    dir: Annotated[Path, Parameter(help="Folder to write to; made if it does not exist.")] = Path(),
    signal: Annotated[
        bool, Parameter(help="Write a signal function, a rule over bars, instead of a class.")
    ] = False,
    json: Annotated[bool, Parameter(help="Print one JSON object.")] = False,
    quiet: Annotated[bool, Parameter(help="Print the paths only.")] = False,
) -> None:
    """Write NAME.py and test_NAME.py: a moving-average cross that runs as it is, with comments."""
    from lanner.cli.output import print_json
    from lanner.cli.starter import write_starter

    files = write_starter(name, dir, signal=signal)
    if json:
        print_json({"strategy": files[0], "test": files[1]})
        return
    if quiet:
        print("\n".join(str(file) for file in files))
        return
    print(f"Wrote {files[0]} and {files[1]}.")
    print("Try it:  lanner data synth --timeframe 1h --days 365")
    print(f"         lanner backtest {files[0]} --data BTC-USDT.SYNTH@1h")
    install = "" if find_spec("pytest") else "pip install pytest && "
    print(f"Test it: {install}python -m pytest {files[1]}")
