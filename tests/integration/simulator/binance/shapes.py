"""Compare the shape of two JSON values: names of fields and kinds of values, not the values themselves."""

from __future__ import annotations

from typing import Any


def kind(value: Any) -> str:
    """Return the kind of a JSON value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else "list" if isinstance(value, list) else "object"


def differences(expected: Any, found: Any, where: str = "") -> list[str]:
    """Return what differs; lists are compared by their first rows, empty ones fit everything."""
    if kind(expected) != kind(found):
        return [f"{where or '.'}: expected {kind(expected)}, found {kind(found)}"]
    if expected == {}:  # an example that leaves its rows out
        return []
    if isinstance(expected, dict):
        rows = [f"{where}.{name}: missing" for name in expected if name not in found]
        rows += [f"{where}.{name}: unexpected" for name in found if name not in expected]
        for name in expected:
            if name in found:
                rows += differences(expected[name], found[name], f"{where}.{name}")
        return rows
    if isinstance(expected, list) and expected and found:
        if expected[0] is not None and isinstance(expected[0], list | dict):
            return differences(expected[0], found[0], f"{where}[]")
        if not isinstance(expected[0], list | dict) and len(expected) > 2 and len(expected) == len(found):
            return [
                row
                for one, two in zip(expected, found, strict=True)
                for row in differences(one, two, f"{where}[]")
            ]
    return []
