"""``lanner strategies``: what can be run by name, and what each one lets you set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from lanner.core.errors import ConfigError

if TYPE_CHECKING:
    from lanner.strategy.base import Strategy
    from lanner.strategy.parameters import Param

_WIDTH = 100


def strategies(
    name: Annotated[str, Parameter(help="A name, file or module:Class to describe; default: list all.")] = "",
    /,
    *,
    json: Annotated[bool, Parameter(help="Print one JSON object.")] = False,
    quiet: Annotated[bool, Parameter(help="Print names only.")] = False,
) -> None:
    """List the strategies that can be run by name, or describe one with its parameters."""
    from lanner.cli.output import note, print_json, prints_aside
    from lanner.strategy.registry import load_strategy, registered

    if name:
        with prints_aside(json or quiet):
            found = load_strategy(name)
        if json:
            print_json(_as_dict(name, found))
        elif quiet:
            print("\n".join(found.parameters()))
        else:
            print(_detail(name, found))
        return
    problems: list[str] = []
    with prints_aside(json or quiet):
        known = registered(problems)
    if json:
        print_json({"strategies": [_as_dict(key, cls) for key, cls in known.items()], "problems": problems})
        return
    if quiet:
        print("\n".join(known))
    else:
        print(_overview(known))
        note("\nDetails: lanner strategies NAME. Your own: lanner new strategy NAME, or any file my.py.")
    for text in problems:
        note(f"warning: {text}")


def _overview(known: dict[str, type[Strategy]]) -> str:
    """Lay out one line per strategy; long parameter lists go on over several lines."""
    import textwrap

    from lanner.cli.output import table

    rows = [[key, cls.kind, cls.timeframe] for key, cls in known.items()]
    lines = table(["NAME", "KIND", "TIMEFRAME"], rows).split("\n")
    indent = max(map(len, lines)) + 2
    out = [lines[0].ljust(indent) + "PARAMETERS (DEFAULT)", "-" * _WIDTH]
    for line, cls in zip(lines[2:], known.values(), strict=True):
        settings = [f"{key}={_text(param.default)}" for key, param in cls.parameters().items()] or ["none"]
        wrapped = textwrap.wrap(", ".join(settings), _WIDTH - indent, break_long_words=False)
        out.append(line.ljust(indent) + wrapped[0])
        out += [" " * indent + more for more in wrapped[1:]]
    return "\n".join(out)


def _detail(name: str, cls: type[Strategy]) -> str:
    import textwrap

    lines = [*textwrap.wrap(f"{name}: {cls.description or _first_line(cls)}", _WIDTH), ""]
    facts = [
        ("kind", cls.kind),
        ("version", cls.version),
        ("timeframe", cls.timeframe),
        ("stop-loss", cls.stop_loss or "none"),
        (
            "targets",
            ", ".join(f"{profit} after {minutes} min" for minutes, profit in sorted(cls.roi.items()))
            or "none",
        ),
        ("source", _source(cls)),
    ]
    lines += [f"  {key:<10} {value}" for key, value in facts]
    parameters = cls.parameters()
    if parameters:
        lines += ["", *_parameter_lines(parameters)]
    lines += ["", *_how_to_run(name, cls)]
    return "\n".join(lines)


def _how_to_run(name: str, cls: type[Strategy]) -> list[str]:
    """Show a command that runs the strategy; where its defaults alone do not do, say what it needs."""
    command = f"Run it: lanner backtest {name} --data …"
    try:
        cls()
    except ConfigError as error:
        return [f"{command} --param …", *([f"Needs:  {error.expected}"] if error.expected else [])]
    except Exception:  # noqa: BLE001 - the user's own constructor may raise anything; a run will show it
        return [command]
    first = next(iter(cls.parameters().items()), None)
    return [command if first is None else f"{command} --param {first[0]}={_text(first[1].default)}"]


def _parameter_lines(parameters: dict[str, Param[Any]]) -> list[str]:
    """Lay the parameters out; a long explanation goes on below itself."""
    import textwrap

    from lanner.cli.output import table

    rows = [[key, _text(param.default), param.describe()] for key, param in parameters.items()]
    lines = table(["PARAMETER", "DEFAULT", "LEGAL VALUES"], rows).split("\n")
    indent = max(map(len, lines)) + 2
    out = [lines[0].ljust(indent) + "MEANING", "-" * _WIDTH]
    for line, param in zip(lines[2:], parameters.values(), strict=True):
        wrapped = textwrap.wrap(param.help, max(24, _WIDTH - indent)) or [""]
        out.append((line.ljust(indent) + wrapped[0]).rstrip())
        out += [" " * indent + more for more in wrapped[1:]]
    return out


def _as_dict(name: str, cls: type[Strategy]) -> dict[str, object]:
    return {
        "name": name,
        "description": cls.description or _first_line(cls),
        "kind": cls.kind,
        "version": cls.version,
        "timeframe": cls.timeframe,
        "stop_loss": cls.stop_loss,
        "roi": {str(minutes): profit for minutes, profit in sorted(cls.roi.items())},
        "source": _source(cls),
        "parameters": {key: _parameter(param) for key, param in cls.parameters().items()},
    }


def _parameter(param: Param[Any]) -> dict[str, object]:
    return {
        "type": param.type.__name__,
        "default": param.default,
        "low": param.low,
        "high": param.high,
        "step": param.step,
        "choices": list(param.choices) if param.choices else None,
        "help": param.help,
    }


def _first_line(cls: type[Strategy]) -> str:
    return (vars(cls).get("__doc__") or "").strip().partition("\n")[0]


def _source(cls: type[Strategy]) -> str:
    import sys

    if cls.__module__.startswith("lanner.strategy.library"):
        return "built in"
    return str(getattr(sys.modules.get(cls.__module__), "__file__", None) or cls.__module__)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)
