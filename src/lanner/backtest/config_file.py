"""Read a backtest's YAML file with the line of every key, and put options given elsewhere over it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lanner.backtest.config import BacktestConfig
from lanner.backtest.mistakes import Path as KeyPath
from lanner.backtest.mistakes import validate
from lanner.core.errors import ConfigError, NotFoundError

MAX_BYTES = 1_000_000
MAX_DEPTH = 20
MAX_KEYS = 20_000
SUFFIXES = (".yaml", ".yml", ".json")
"""What a settings file is called; JSON is YAML, too."""


class _Loader(yaml.SafeLoader):
    """Read dates as text: ``lanner.backtest.dates`` reads them, and names the key of one that is wrong."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own way
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def load_config(
    path: Path, overrides: Mapping[str, Any] | None = None, names: Mapping[str, str] | None = None
) -> BacktestConfig:
    """Read a YAML file, put ``overrides`` over it and check all of it.

    Relative paths of data files and strategies are taken from the file's own folder. Mappings in ``overrides``
    are merged into the file's, key by key; ``names`` says which option each of them came from.
    Raises ``ConfigError`` with every mistake, ``NotFoundError`` for no file.
    """
    values, lines = read_yaml(path)
    over = overrides or {}
    merged = merge(anchored(values, path.parent), over)
    kept = {key: line for key, line in lines.items() if not reaches(over, key)}
    config: BacktestConfig = validate(BacktestConfig, merged, source=path.name, lines=kept, names=names)
    return config


def reaches(over: Mapping[str, Any], path: KeyPath) -> bool:
    """Tell whether the overrides replace what stands at a path of the file."""
    current: Any = over
    for step in path:
        if not isinstance(current, Mapping):
            return True
        if step not in current:
            return False
        current = current[step]
    return not isinstance(current, Mapping)


def make_config(values: Mapping[str, Any], names: Mapping[str, str] | None = None) -> BacktestConfig:
    """Check settings that come from options or keyword arguments alone."""
    config: BacktestConfig = validate(BacktestConfig, values, names=names)
    return config


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``over`` laid over it, mapping by mapping."""
    merged = dict(base)
    for key, value in over.items():
        below: Any = merged.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(below, value) if both else value
    return merged


def read_yaml(path: Path) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    """Return a YAML file's mapping and the line (from 1) of every key path."""
    text = _read(path)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise ConfigError(
            f"{path.name}, line {line}: not legal YAML",
            expected="`key: value` lines, indented with spaces",
            found=(error.problem or "").removeprefix("found "),
        ) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path.name}: not legal YAML", found=str(error).splitlines()[0]) from None
    except RecursionError:
        raise _too_deep(path.name) from None
    if node is None:
        raise ConfigError(f"{path.name} is empty", expected="at least `strategy:` and `data:`")
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(
            f"{path.name}: the file is not a mapping", expected="`key: value` lines at the top level"
        )
    lines: dict[KeyPath, int] = {}
    _walk(node, (), lines, path.name)
    try:
        values = yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{path.name}: a value cannot be read", found=str(error).splitlines()[0]) from None
    for key in values:
        if not isinstance(key, str):
            raise ConfigError(
                f"{path.name}, line {lines.get((str(key),), 1)}: a key is not text",
                expected="a name",
                found=repr(key),
            )
    return values, lines


def _read(path: Path) -> str:
    if path.is_dir():
        raise ConfigError(f"{path} is a folder", expected="a YAML file")
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ConfigError(
                f"{path.name} is too large", expected="at most 1 MB", found=f"{size / 1e6:.1f} MB"
            )
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise NotFoundError(f"no file {path}", fix="Check the path.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path.name} is not text", expected="a YAML file in UTF-8") from None
    except OSError as error:
        raise ConfigError(f"cannot read {path}", found=error.strerror) from None


def _walk(node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int], name: str) -> None:
    """Note the line of every key and refuse keys that are given twice.

    Aliases can make a small file deep without end, or wide beyond reason; both are refused.
    """
    if len(path) > MAX_DEPTH or len(lines) > MAX_KEYS:
        raise _too_deep(name)
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            word = str(key.value)
            line = key.start_mark.line + 1
            if word in seen and word != "<<":
                raise ConfigError(
                    f"{name}, line {line}: {'.'.join(map(str, (*path, word)))} is given twice",
                    expected="every key once",
                    found=f"it on line {seen[word]} too",
                )
            seen[word] = line
            lines[*path, word] = line
            _walk(value, (*path, word), lines, name)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[*path, index] = value.start_mark.line + 1
            _walk(value, (*path, index), lines, name)


def _too_deep(name: str) -> ConfigError:
    return ConfigError(
        f"{name} is nested too deeply", expected=f"at most {MAX_DEPTH} levels and {MAX_KEYS:,} entries"
    )


def anchored(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Make the paths of files in a configuration independent of the current folder."""
    anchored = dict(values)
    data = [values["data"]] if isinstance(values.get("data"), str) else values.get("data")
    if isinstance(data, list):
        anchored["data"] = [_anchor(entry, folder) for entry in data]
    for key in ("catalog", "report"):
        if isinstance(values.get(key), str) and values[key]:
            anchored[key] = str((folder / Path(values[key]).expanduser()).resolve())
    if "strategy" in values:
        anchored["strategy"] = _anchor(values["strategy"], folder)
    if isinstance(values.get("strategies"), list):
        anchored["strategies"] = [
            {**entry, "strategy": _anchor(entry["strategy"], folder)}
            if isinstance(entry, dict) and "strategy" in entry
            else entry
            for entry in values["strategies"]
        ]
    return anchored


def _anchor(value: object, folder: Path) -> object:
    """Return an absolute path for text that names a file beside the configuration, else the value itself."""
    if not isinstance(value, str) or not value:
        return value
    if looks_like_path(value):
        stem, colon, cls = value.partition(".py:")
        path = f"{stem}.py" if colon else value
        return str((folder / Path(path).expanduser()).resolve()) + (f":{cls}" if colon else "")
    return value


def looks_like_path(text: str) -> bool:
    """Tell whether text names a file rather than a data set, a built-in strategy or a module."""
    stem = text.partition(".py:")[0] + (".py" if ".py:" in text else "")
    return (
        stem.startswith((".", "/", "~"))
        or "/" in stem
        or stem.lower().endswith((".py", ".csv", ".gz", ".zip", ".feather", ".json", ".parquet", ".arrow"))
    )
