"""``python -m lanner`` is the same as ``lanner``."""

from lanner.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
