"""What ``lanner data import`` prints: the table of data sets, the rows left out, the same as JSON."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from lanner.cli.output import print_json, table

if TYPE_CHECKING:
    from lanner.storage.importers.run import ImportResult
    from lanner.storage.passport import Rejection

_SHOWN_REJECTIONS = 5
_SHOWN_NOTES = 12


def tell_rejections(result: ImportResult, *, quiet: bool) -> None:
    if not result.rejected or quiet:
        return
    print(f"{result.rejected:,} row(s) left out:", file=sys.stderr)
    for item in result.rejections[:_SHOWN_REJECTIONS]:
        print(f"  {_rejection_text(item)}", file=sys.stderr)
    if result.rejected > _SHOWN_REJECTIONS:
        more = result.rejected - _SHOWN_REJECTIONS
        print(f"  … and {more:,} more; the data passport lists them", file=sys.stderr)


def _rejection_text(item: Rejection) -> str:
    text = f" {item.text[:80]!r}" if item.text else ""
    return f"{item.file}, line {item.line}: {item.reason}{text}"


def print_import(result: ImportResult) -> None:
    from lanner.storage.problems import time_text

    rows = [
        [
            item.passport.ref,
            item.passport.kind,
            f"{item.rows_read:,}",
            "-" if result.dry_run else f"{item.rows_new:,}",
            "-" if result.dry_run else time_text(item.passport.start_ns),
            "-" if result.dry_run else time_text(item.passport.end_ns),
            "-" if result.dry_run else str(len(item.passport.problems())),
        ]
        for item in result.datasets
    ]
    print(table(["data set", "kind", "read", "new", "from", "to", "findings"], rows, right="236"))


def print_import_json(result: ImportResult) -> None:
    datasets = [
        {
            "ref": item.passport.ref,
            "kind": item.passport.kind,
            "instrument_id": item.passport.instrument_id,
            "spec": item.passport.spec,
            "rows_read": item.rows_read,
            "rows_new": item.rows_new,
            "rows": item.passport.rows,
            "start_ns": item.passport.start_ns,
            "end_ns": item.passport.end_ns,
            "content_hash": item.passport.content_hash,
            "inferred": item.passport.inferred,
            "problems": [] if result.dry_run else item.passport.problems(),
        }
        for item in result.datasets
    ]
    rejections = [
        {"file": r.file, "line": r.line, "reason": r.reason, "text": r.text} for r in result.rejections
    ]
    print_json(
        {
            "datasets": datasets,
            "formats": result.formats,
            "rows_read": result.rows_read,
            "rows_rejected": result.rejected,
            "rejections": rejections,
            "notes": result.notes,
            "dry_run": result.dry_run,
        }
    )


def tell_notes(result: ImportResult) -> None:
    """Tell on standard error what was concluded and skipped."""
    for text in result.notes[:_SHOWN_NOTES]:
        print(f"note: {text}", file=sys.stderr)
    if len(result.notes) > _SHOWN_NOTES:
        print(f"note: … and {len(result.notes) - _SHOWN_NOTES} more", file=sys.stderr)
