"""Captured frames: one reader for the lines, one small interpreter for each venue's messages."""

from lanner.storage.importers.frames.reader import read

__all__ = ["read"]
