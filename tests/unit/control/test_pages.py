"""What the pages say of states and codes is what the code has."""

from __future__ import annotations

import re
from pathlib import Path

from lanner.control.errors import CodedError
from lanner.control.states import LIFE
from lanner.live.config import ReloadConfig

PAGES = Path(__file__).resolve().parents[3] / "docs" / "how-to"


def test_the_page_of_several_sessions_draws_the_table_of_life() -> None:
    assert LIFE.mermaid() in (PAGES / "several-sessions.md").read_text(encoding="utf-8")


def test_the_page_of_several_sessions_names_every_code() -> None:
    page = (PAGES / "several-sessions.md").read_text(encoding="utf-8")
    public = CodedError.__subclasses__()
    numbers = [kind.code for kind in public]
    assert len(public) == 18
    assert len(set(numbers)) == len(numbers)
    for kind in public:
        assert f"`{kind.name}`" in page
        assert kind("x").as_dict()["number"] == kind.code


def test_the_page_of_hot_reload_names_every_key_with_its_default() -> None:
    page = (PAGES / "hot-reload.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `reload\.([a-z_]+)` \| `?([^`|]+?)`? \|", page, re.M))
    plain = ReloadConfig().model_dump()
    assert told.keys() == plain.keys()
    for name, default in told.items():
        if name != "file":
            assert str(plain[name]).lower() == default
