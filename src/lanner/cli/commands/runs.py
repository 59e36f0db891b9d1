"""``lanner runs``: list, show, compare, repeat and delete finished runs."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from lanner.cli.numbers import NOT_NEGATIVE, Whole

app = App(name="runs", help="List, show, compare, repeat and delete finished runs.")

RunName = Annotated[str, Parameter(help="Id of a run, the start or end of one, or `last`.")]
AsJson = Annotated[bool, Parameter(name="--json", help="Print one JSON object.")]
Quiet = Annotated[bool, Parameter(help="Print only what was asked for.")]


@app.command(name="list")
def list_runs(
    *,
    limit: Annotated[
        Whole, Parameter(validator=NOT_NEGATIVE, help="How many to show, the newest first; 0 for all.")
    ] = 20,
    strategy: Annotated[str, Parameter(help="Only runs of this strategy or name.")] = "",
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """List finished runs, the newest first; damaged ones are named as such."""
    from lanner.cli.output import note, print_json
    from lanner.cli.render.runs import runs_json, runs_table
    from lanner.storage.environment import default_runs
    from lanner.storage.runs import DamagedRun, RunStore

    store = RunStore(default_runs())
    runs = [
        run
        for run in store.list()
        if not strategy or (not isinstance(run, DamagedRun) and strategy in (run.strategy, run.name))
    ]
    shown = runs[:limit] if limit else runs
    if json:
        print_json({"runs": runs_json(shown, store), "total": len(runs)})
    elif quiet:
        print("\n".join(run.run_id for run in shown))
    elif not runs:
        note(f"No runs in {store.root}. Try `lanner demo`.")
    else:
        print(runs_table(shown))
        if len(shown) < len(runs):
            note(f"… and {len(runs) - len(shown)} older; `lanner runs list --limit 0` shows all.")


@app.command
def show(run: RunName = "last", /, *, json: AsJson = False, quiet: Quiet = False) -> None:
    """Show one run: the summary, where its files are, and how to repeat it."""
    from lanner.cli.output import note, print_json
    from lanner.cli.render.runs import run_json
    from lanner.storage.environment import default_runs
    from lanner.storage.runs import REPORT, RunStore

    store = RunStore(default_runs())
    record = store.load(run)
    folder = store.folder(record.run_id)
    if json:
        print_json(run_json(record, folder))
        return
    if quiet:
        print(folder)
        return
    report = folder / REPORT
    if record.kind == "sweep":
        from lanner.cli.render.sweep import sweep_text
        from lanner.research.run_sweep import load_sweep

        print(sweep_text(load_sweep(folder), report=report if report.exists() else None))
    else:
        from lanner.backtest.load import load_result
        from lanner.cli.render.summary import print_summary

        print_summary(load_result(folder), report if report.exists() else None)
    note(f"Files: {folder}")


@app.command
def compare(
    runs: Annotated[list[str], Parameter(help="Two or more runs.")],
    /,
    *,
    all: Annotated[bool, Parameter(name="--all", help="Show every metric.")] = False,
    json: AsJson = False,
    quiet: Quiet = False,  # noqa: ARG001 - taken everywhere; there is nothing to leave out here
) -> None:
    """Compare runs side by side; the best value of each row is marked with a star."""
    from lanner.cli.output import console, print_json
    from lanner.cli.render.compare import compare_json
    from lanner.core.errors import ConfigError
    from lanner.storage.environment import default_runs
    from lanner.storage.runs import RunStore

    store = RunStore(default_runs())
    records = [store.load(ref) for ref in runs]
    if len({record.run_id for record in records}) < 2:
        raise ConfigError("there is nothing to compare", expected="two or more different runs")
    sweeps = [record.run_id for record in records if record.kind == "sweep"]
    if sweeps:
        raise ConfigError(
            "a sweep cannot be laid beside other runs",
            expected="backtests",
            found=f"the sweep {sweeps[0]}",
            fix="Run its best parameters with `lanner backtest` and compare that run.",
        )
    if json:
        print_json(compare_json(records))
        return
    from lanner.analysis.registry import METRICS
    from lanner.backtest.load import load_result
    from lanner.cli.render.summary import COMPARED, render_compare

    results = [load_result(store.folder(record.run_id)) for record in records]
    console().print(render_compare(results, tuple(METRICS) if all else COMPARED))


@app.command
def rerun(
    run: RunName = "last",
    /,
    *,
    stored_code: Annotated[bool, Parameter(help="Use the copy of the strategy that the run kept.")] = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Run again from a run's own settings and check that the result is the same, to the last bit.

    When it is not, the exit code is 1 and the message says what changed: the data, the strategy's code or Lanner.
    """
    from lanner.cli.rerunning import rerun_run
    from lanner.storage.environment import default_runs
    from lanner.storage.runs import RunStore

    return rerun_run(RunStore(default_runs()), run, stored_code=stored_code, as_json=json, quiet=quiet)


@app.command
def delete(
    runs: Annotated[list[str], Parameter(help="Runs to delete.")],
    /,
    *,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Delete runs with all their files; nothing is deleted when one of them does not exist."""
    from lanner.cli.output import note, print_json
    from lanner.storage.environment import default_runs
    from lanner.storage.runs import RunStore

    store = RunStore(default_runs())
    names = list(dict.fromkeys(store.resolve(ref) for ref in runs))
    for name in names:
        store.delete(name)
    if json:
        print_json({"deleted": names})
    else:
        for name in names:
            note(f"deleted {name}", quiet=quiet)
