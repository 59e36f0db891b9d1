"""Finished shards of a search on disk, so that one that was stopped can go on where it was."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np

from lanner.research.sweep_result import Params
from lanner.research.variants import Shard, Task


class ShardJournal:
    """A folder with one file per shard; a shard of other variants or of other data is not taken for it."""

    def __init__(self, folder: Path, identity: str) -> None:
        self.folder = folder
        self.identity = identity
        folder.mkdir(parents=True, exist_ok=True)

    def known(self, shards: dict[int, list[Params]], task: Task) -> list[tuple[int, Shard]]:
        """Return those of the shards that were measured before, of the very same variants."""
        found = []
        for number, sets in shards.items():
            path = self._path(number, sets)
            if path.is_file():
                with np.load(path, allow_pickle=False) as kept:
                    refused = {int(key): text for key, text in json.loads(str(kept["refused"])).items()}
                    found.append((number, Shard(kept["raw"], kept["blocks"], kept["extra"], refused)))
        return found

    def keep(self, number: int, sets: list[Params], shard: Shard) -> None:
        """Write a shard: under another name first, so that half of one is never read."""
        path = self._path(number, sets)
        draft = path.with_suffix(".tmp")
        with draft.open("wb") as file:
            np.savez(
                file,
                raw=shard.raw,
                blocks=shard.blocks,
                extra=shard.extra,
                refused=np.array(json.dumps(shard.refused)),
            )
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)

    def remove(self) -> None:
        """Forget everything: the search is over."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, number: int, sets: list[Params]) -> Path:
        digest = hashlib.blake2b(f"{self.identity}|{sets!r}".encode(), digest_size=8).hexdigest()
        return self.folder / f"{number:06d}-{digest}.npz"
