"""Compiled loops over arrays: the only room with numba, which is an optional part of Lanner.

Every kernel repeats, operation by operation, what a plain-Python twin elsewhere defines, so both give the same bits.
"""

from lanner.kernels.presence import available, cache_folder, compiled, require

__all__ = ["available", "cache_folder", "compiled", "require"]
