"""Keep the catalog's instruments in step with what venues say about them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from lanner.model.instruments import FeeSchedule, Instrument
from lanner.storage.catalog import Catalog
from lanner.storage.files import folder_lock, sync_folder, told_as_data_error, uninterrupted


@dataclass(slots=True)
class Kept:
    """How many instruments were new, changed or known as they are."""

    new: int = 0
    changed: int = 0
    same: int = 0


def keep_instruments(catalog: Catalog, told: Iterable[Instrument], *, dry_run: bool = False) -> Kept:
    """Store instruments as a venue told them, all or none.

    What the venue does not say stays as it is known: the fee schedule, the greatest leverage, the funding
    interval and the margin.
    """
    kept = Kept()
    fresh = []
    with told_as_data_error(catalog.root), folder_lock(catalog.root):
        for instrument in told:
            known = catalog.instrument(instrument.id)
            merged = instrument if known is None else _merged(instrument, known)
            if merged == known:
                kept.same += 1
                continue
            kept.new += known is None
            kept.changed += known is not None
            fresh.append(merged)
        if fresh and not dry_run:
            _write(catalog, fresh)
    return kept


def _merged(told: Instrument, known: Instrument) -> Instrument:
    return msgspec.structs.replace(
        told,
        fees=known.fees if told.fees == FeeSchedule() else told.fees,
        max_leverage=known.max_leverage if told.max_leverage == 1 else told.max_leverage,
        funding_interval_ns=told.funding_interval_ns or known.funding_interval_ns,
        maintenance_margin=told.maintenance_margin or known.maintenance_margin,
    )


def _write(catalog: Catalog, instruments: list[Instrument]) -> None:
    """Write drafts, make them durable together, then rename them: thousands of files, one wait for the disk."""
    folder = catalog.instrument_path(instruments[0].id).parent
    folder.mkdir(parents=True, exist_ok=True)
    drafts = []
    try:
        for instrument in instruments:
            path = catalog.instrument_path(instrument.id)
            draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
            drafts.append((draft, path))
            draft.write_bytes(instrument.to_json())
        os.sync()
        with uninterrupted():
            for draft, path in drafts:
                draft.replace(path)
    except BaseException:
        for draft, _ in drafts:
            draft.unlink(missing_ok=True)
        raise
    sync_folder(folder)
