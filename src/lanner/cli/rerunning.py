"""Repeat a run from what it kept, and say what changed when the result is another one."""

from __future__ import annotations

from pathlib import Path

from lanner.backtest.config import BacktestConfig
from lanner.backtest.config_file import load_config, looks_like_path
from lanner.cli.output import note, print_json, prints_aside
from lanner.cli.running import execute, stop_on_sigterm
from lanner.core.errors import EXIT_ERROR, EXIT_OK, DataError, LannerError, NotFoundError
from lanner.storage.runs import CONFIG, SOURCE, RunRecord, RunStore

_INPUTS = (("data_hash", "the data"), ("code_hash", "the strategy's code"), ("lanner", "Lanner"))


def rerun_run(store: RunStore, ref: str, *, stored_code: bool, as_json: bool, quiet: bool) -> int:
    """Run again, compare, print; return 0 when the state hash is the same, else 1."""
    old = store.load(ref)
    folder = store.folder(old.run_id)
    config = _config(folder, old, stored_code=stored_code, quiet=quiet or as_json)
    new = store.load(_again(store, config, old, folder, quiet=quiet or as_json))
    changed = {
        name: [getattr(old, name), getattr(new, name)] for name, _ in _INPUTS if _differs(old, new, name)
    }
    same = old.state_hash == new.state_hash
    if as_json:
        print_json(
            {
                "run_id": new.run_id,
                "rerun_of": old.run_id,
                "same": same,
                "state_hash": new.state_hash,
                "expected_state_hash": old.state_hash,
                "changed": changed,
            }
        )
    elif quiet:
        print(new.run_id)
    else:
        print("\n".join(_verdict(old, new, same, changed)))
    return EXIT_OK if same else EXIT_ERROR


def _again(store: RunStore, config: BacktestConfig, old: RunRecord, folder: Path, *, quiet: bool) -> str:
    """Repeat the run and return the new one's id."""
    if old.kind != "sweep":
        return execute(config, quiet=quiet, rerun_of=old.run_id).result.run_id
    from lanner.cli.render.sweep import sweep_progress
    from lanner.research.run_sweep import load_plan, sweep_and_keep

    with stop_on_sigterm(), prints_aside(quiet), sweep_progress(quiet=quiet) as progress:
        outcome = sweep_and_keep(
            config, load_plan(folder), store, progress=progress, resume=False, rerun_of=old.run_id
        )
    return outcome.result.run_id


def _config(folder: Path, old: RunRecord, *, stored_code: bool, quiet: bool) -> BacktestConfig:
    path = folder / CONFIG
    if old.kind == "arrays":
        raise LannerError(
            f"the run {old.run_id} cannot be repeated: what decided were arrays made in Python, and a run keeps none",
            expected="a backtest or a sweep",
            found=f"{old.params.get('kind', 'an array backtest')}, saved by .save()",
            fix="Run the script that made it once more, and lay the two runs side by side with `lanner runs compare`.",
        )
    if not path.is_file():
        raise DataError(f"the run {old.run_id} cannot be repeated", found=f"no {CONFIG} in {folder}")
    config = load_config(path)
    config = config.model_copy(update={"report": config.report is not False})
    if config.strategies is not None:
        entries = [
            entry.model_copy(update={"strategy": _code(entry.strategy, folder, old, stored_code, quiet)})
            for entry in config.strategies
        ]
        return config.model_copy(update={"strategies": entries})
    assert config.strategy is not None
    return config.model_copy(update={"strategy": _code(config.strategy, folder, old, stored_code, quiet)})


def _code(ref: str, folder: Path, old: RunRecord, stored_code: bool, quiet: bool) -> str:
    """Return the strategy reference to use: the file as it is today, or the copy that the run kept."""
    if not looks_like_path(ref):
        return ref
    stem, colon, cls = ref.partition(".py:")
    today = Path(f"{stem}.py" if colon else ref)
    kept = folder / SOURCE / old.sources.get(str(today), today.name)
    if today.is_file() and not stored_code:
        return ref
    if not kept.is_file():
        raise NotFoundError(f"the strategy's file {today} is gone", found=f"no copy of it in {folder} either")
    if not today.is_file():
        note(f"note: {today} is gone; using the copy that the run kept", quiet=quiet)
    return f"{kept}:{cls}" if colon else str(kept)


def _differs(old: RunRecord, new: RunRecord, name: str) -> bool:
    return bool(getattr(old, name) != getattr(new, name))


def _verdict(old: RunRecord, new: RunRecord, same: bool, changed: dict[str, list[str]]) -> list[str]:
    if same:
        lines = [f"The same result: {new.run_id} repeats {old.run_id} (state {new.state_hash[:16]})."]
        lines += [f"  {words} changed, without effect" for name, words in _INPUTS if name in changed]
        return lines
    lines = [
        f"Another result: {new.run_id} differs from {old.run_id}.",
        f"  state      {old.state_hash[:16]} → {new.state_hash[:16]}",
        f"  equity     {old.end_equity} → {new.end_equity} {new.currency}",
    ]
    for name, words in _INPUTS:
        if name in changed:
            was, now = changed[name]
            lines.append(f"  {words} changed: {was[:16]} → {now[:16]}")
    if "code_hash" in changed:
        lines.append("  `lanner runs rerun --stored-code` uses the code that the run kept.")
    if not changed:
        lines.append("  Data, code and Lanner are the same: this is a fault in Lanner, please report it.")
    return lines
