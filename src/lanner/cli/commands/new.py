"""``lanner new strategy NAME``: a small strategy that runs, with a test, to start from."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

app = App(name="new", help="Write a strategy, or the settings of a session, to start from.")


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


@app.command
def session(
    name: Annotated[str, Parameter(help="What to call it, e.g. night.")],
    /,
    *,
    dir: Annotated[Path, Parameter(help="Folder to write to; made if it does not exist.")] = Path(),
    strategy: Annotated[
        str,
        Parameter(name=["--strategy", "-s"], help="What it runs: a name, or file.py beside the settings."),
    ] = "dual_ma",
    instrument: Annotated[
        str, Parameter(name=["--instrument", "-i"], help="INSTRUMENT@VENUE that it trades.")
    ] = "BTC-USDT@binance",
    json: Annotated[bool, Parameter(help="Print one JSON object.")] = False,
    quiet: Annotated[bool, Parameter(help="Print the path only.")] = False,
) -> None:
    """Write NAME.yaml: the settings of a paper or live session, with comments."""
    from lanner.cli.output import print_json
    from lanner.cli.starter import write_session

    file = write_session(name, dir, strategy=strategy, instrument=instrument)
    if json:
        print_json({"session": file})
    elif quiet:
        print(file)
    else:
        print(f"Wrote {file}.")
        print(f"Look at it: lanner paper {file} --dry-run")
        print(f"Run it:     lanner paper {file}")
