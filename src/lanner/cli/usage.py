"""Translate what the command line parser found wrong into the house's own errors."""

from __future__ import annotations

from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Literal, get_args, get_origin

from cyclopts import exceptions as fault

from lanner.cli.commands.table import COMMANDS
from lanner.core.errors import ConfigError

_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "Path": "a path",
    "str": "text",
}


def usage_error(error: fault.CycloptsError) -> ConfigError:
    """Return a ``ConfigError`` that says which word of the command line is wrong and what would be right."""
    chain = " ".join(["lanner", *(error.command_chain or ())])
    help_hint = f"See `{chain} --help`."
    if isinstance(error, fault.UnknownCommandError):
        return _unknown_command(error, chain)
    if isinstance(error, fault.UnknownOptionError):
        return _unknown_option(error, chain)
    if isinstance(error, fault.MissingArgumentError):
        what = f"{chain}: {_name(error)} {'needs a value' if error.keyword else 'is missing'}"
        return ConfigError(what, expected=_expected(error), fix=help_hint)
    if isinstance(error, fault.CoercionError):
        found = repr(error.token.value) if error.token is not None else None
        return ConfigError(
            f"{chain}: {_name(error)} is wrong", expected=_target(error), found=found, fix=help_hint
        )
    if isinstance(error, fault.RepeatArgumentError):
        return ConfigError(f"{chain}: {_name(error)} is given twice", expected="it once", fix=help_hint)
    if isinstance(error, fault.UnusedCliTokensError):
        extra = " ".join(error.unused_tokens or ())
        return ConfigError(f"{chain}: more words than the command takes", found=extra, fix=help_hint)
    text = str(error).strip().rstrip(".")
    return ConfigError(f"{chain}: {text[:1].lower()}{text[1:]}", fix=help_hint)


def _unknown_command(error: fault.UnknownCommandError, chain: str) -> ConfigError:
    word = (error.unused_tokens or ["?"])[0]
    known = _subcommands(error)
    near = get_close_matches(word, known, n=1, cutoff=0.5)
    fix = f"Did you mean `{chain} {near[0]}`?" if near else f"See `{chain} --help`."
    return ConfigError(f"{chain}: no command {word!r}", expected=f"one of {', '.join(known)}", fix=fix)


def _subcommands(error: fault.UnknownCommandError) -> list[str]:
    if not error.command_chain or error.app is None:
        return [command.name for command in COMMANDS]
    return sorted(name for name in error.app if not name.startswith("-"))


def _unknown_option(error: fault.UnknownOptionError, chain: str) -> ConfigError:
    word = error.token.keyword or error.token.value
    known = sorted(
        {name for argument in error.argument_collection for name in argument.names if name[:2] == "--"}
    )
    near = get_close_matches(word, known, n=1, cutoff=0.6)
    fix = f"Did you mean {near[0]}?" if near else f"See `{chain} --help`."
    return ConfigError(f"{chain}: no option {word}", fix=fix)


def _name(error: fault.CycloptsError) -> str:
    keyword = getattr(error, "keyword", None) or getattr(getattr(error, "token", None), "keyword", None)
    if keyword:
        return str(keyword)
    if error.argument is None:
        return "an argument"
    name = error.argument.name
    return (
        name
        if name.startswith("-") and not _positional(error)
        else name.lstrip("-").upper().replace("-", "_")
    )


def _positional(error: fault.CycloptsError) -> bool:
    argument = error.argument
    return (
        argument is not None
        and argument.index is not None
        and not isinstance(error, fault.RepeatArgumentError)
    )


def _target(error: fault.CoercionError) -> str:
    target = error.target_type
    if get_origin(target) is UnionType:  # an option that may be left out
        target = next(one for one in get_args(target) if one is not NoneType)
    if get_origin(target) is Literal:
        return f"one of {', '.join(map(str, get_args(target)))}"
    name = getattr(target, "__name__", str(target))
    return _WORDS.get(name, name)


def _expected(error: fault.MissingArgumentError) -> str | None:
    argument = error.argument
    if argument is None or not argument.parameter.help:
        return None
    text = argument.parameter.help.strip().splitlines()[0].rstrip(".")
    first, _, rest = text.partition(" ")
    return text if first[1:] != first[1:].lower() else f"{first.lower()} {rest}".rstrip()
