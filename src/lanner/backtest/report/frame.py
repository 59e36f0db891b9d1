"""The frame of a self-contained page: parts of the package, the policy that forbids requests, the third parties."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from importlib.resources import files

HOME = "lanner.backtest.report"


def read_part(name: str, package: str = HOME) -> str:
    """Return the text of a file that lies in a package."""
    return files(package).joinpath(name).read_text(encoding="utf-8")


def content_policy(scripts: Sequence[str]) -> str:
    """Return a content security policy that runs exactly these scripts and forbids every request."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "connect-src 'none'; base-uri 'none'; form-action 'none'"
    )


def vendored() -> list[dict[str, object]]:
    """Return the third-party parts of the pages: name, version, licence, home and files with their sha256."""
    parts: list[dict[str, object]] = json.loads(read_part("vendor/vendor.json"))
    return parts


def licence_notices(used: Sequence[str]) -> str:
    """Return the notices of the third-party parts with one of these files; the full texts are in the package."""
    lines = [
        f"{part['name']} {part['version']}, {part['licence']}, {part['home']}"
        for part in vendored()
        if any(name.rpartition("/")[2] in str(part["files"]) for name in used)
    ]
    return "\n".join(lines)


def safe_json(data: object) -> str:
    """Return data as JSON that is safe inside a script element: no `<`, `>`, `&`, only ASCII."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def render_page(
    template: str,
    values: dict[str, object],
    *,
    payload: str,
    vendor: Sequence[str],
    scripts: Sequence[str],
    styles: Sequence[str],
    package: str = HOME,
) -> str:
    """Return a page made of a template and parts, each looked up in `package` first and then here.

    `vendor` scripts keep an element of their own, `scripts` are joined into one; `payload` is JSON that is safe
    inside a script element.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    def part(name: str) -> str:
        return read_part(name, package if files(package).joinpath(name).is_file() else HOME)

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(part),
    )
    parts = [*map(part, vendor), "".join(map(part, scripts))]
    return environment.get_template(template).render(
        **values,
        payload=payload,
        scripts=parts,
        styles="\n".join(map(part, styles)),
        policy=content_policy(parts),
        licences=licence_notices([*vendor, *styles]),
    )
