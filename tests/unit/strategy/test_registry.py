"""Strategies are found by name, module and file; what cannot be loaded is explained with the user's own lines."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lanner.core.errors import ConfigError, LannerError, NotFoundError, StrategyError
from lanner.strategy.library import DualMa
from lanner.strategy.registry import load_strategy, registered

MINE = """
import lanner as ln


class Mine(ln.Strategy):
    n = ln.Param(5, 1, 9)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


# -- names ----------------------------------------------------------------------------------------------------


def test_built_in_strategies_are_found_by_name() -> None:
    assert load_strategy("dual_ma") is DualMa
    assert list(registered()) == [
        "dual_ma", "triple_ma", "rsi_mean_reversion", "bollinger_breakout", "macd_divergence", "grid",
        "ma_cross", "rsi_bounds", "macd_cross", "bollinger_bands",
    ]  # fmt: skip
    assert all(cls.name == name for name, cls in registered().items())


def test_unknown_names_come_with_near_ones() -> None:
    with pytest.raises(NotFoundError, match=r"no strategy named 'dual_mo'.*Did you mean dual_ma") as caught:
        load_strategy("dual_mo")
    assert caught.value.exit_code == 2
    with pytest.raises(NotFoundError, match="lanner strategies"):
        load_strategy("zzz")
    with pytest.raises(NotFoundError, match="no strategy was named"):
        load_strategy("")


def test_a_name_that_is_a_file_here_says_so(folder: Path) -> None:
    write(folder / "mine.py", MINE)
    with pytest.raises(NotFoundError, match=r"say mine\.py"):
        load_strategy("mine")


PACKAGE = """
[lanner.strategies]
plug = plugin_pkg:Plug
broken = plugin_pkg:Missing
dual_ma = plugin_pkg:Plug
"""


def test_installed_packages_announce_strategies(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder / "site/plugin_pkg.py", MINE.replace("Mine", "Plug"))
    write(
        folder / "site/plugin_pkg-1.0.dist-info/METADATA",
        "Metadata-Version: 2.1\nName: plugin_pkg\nVersion: 1.0\n",
    )
    write(folder / "site/plugin_pkg-1.0.dist-info/entry_points.txt", PACKAGE)
    monkeypatch.syspath_prepend(str(folder / "site"))
    problems: list[str] = []
    found = registered(problems)
    assert found["plug"].__name__ == "Plug"
    assert found["dual_ma"] is DualMa
    assert "broken" not in found
    assert any("'broken'" in text and "Missing" in text for text in problems)
    assert any("'dual_ma'" in text and "the name is taken" in text for text in problems)
    assert load_strategy("plug") is found["plug"]
    with pytest.raises(NotFoundError, match="cannot be loaded"):
        load_strategy("broken")
    sys.modules.pop("plugin_pkg", None)


# -- files ----------------------------------------------------------------------------------------------------


def test_a_file_with_one_strategy_needs_no_name(folder: Path) -> None:
    path = write(folder / "sub/mine.py", MINE)
    for ref in ("sub/mine.py", str(path), "sub/mine.py:Mine", "./sub/mine.py"):
        cls = load_strategy(ref)
        assert cls.__name__ == "Mine"
        assert cls(n=3).values() == {"n": 3}


def test_a_file_with_several_lists_them(folder: Path) -> None:
    write(folder / "two.py", MINE + "\n\nclass Other(Mine):\n    pass\n\n\nclass _Hidden(Mine):\n    pass\n")
    with pytest.raises(ConfigError, match=r"two\.py has 2 strategies.*found Mine, Other.*two\.py:Mine"):
        load_strategy("two.py")
    assert load_strategy("two.py:Other").__name__ == "Other"
    with pytest.raises(NotFoundError, match=r"one of Mine, Other.*Did you mean Other"):
        load_strategy("two.py:Othr")


SIGNAL = """
import lanner as ln


@ln.signal("1h")
def ma(bars, n=5):
    return bars.close > bars.sma(n)
"""


def test_signal_functions_count(folder: Path) -> None:
    write(folder / "sig.py", SIGNAL)
    assert load_strategy("sig.py").__name__ == "ma"
    assert load_strategy("sig.py:ma")(n=7).values() == {"n": 7}


def test_imported_strategies_do_not_count_but_can_be_named(folder: Path) -> None:
    write(folder / "imp.py", "from lanner.strategy.library import DualMa\n")
    with pytest.raises(NotFoundError, match=r"no strategy in imp\.py.*imp\.py:DualMa"):
        load_strategy("imp.py")
    assert load_strategy("imp.py:DualMa") is DualMa


def test_abstract_classes_are_not_offered(folder: Path) -> None:
    text = (
        "from abc import ABC, abstractmethod\n"
        + MINE
        + ("\n\nclass Base(ln.Strategy, ABC):\n    @abstractmethod\n    def rule(self): ...\n")
    )
    write(folder / "abs.py", text)
    assert load_strategy("abs.py").__name__ == "Mine"
    with pytest.raises(ConfigError, match="abstract class without rule"):
        load_strategy("abs.py:Base")


NOT_STRATEGIES = [
    ("x = 3\n", "x", "is not a strategy.*found int 3"),
    ("def x(bars):\n    return bars.close > 1\n", "x", r"plain function.*@lanner\.signal"),
    ("class x(dict):\n    pass\n", "x", r"found class x\(dict\)"),
    ("from lanner import Strategy as x\n", "x", "the base class of all strategies"),
]


@pytest.mark.parametrize(("text", "member", "message"), NOT_STRATEGIES)
def test_other_things_are_refused(folder: Path, text: str, member: str, message: str) -> None:
    write(folder / "thing.py", text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_strategy(f"thing.py:{member}")
    assert caught.value.exit_code == 4


def test_missing_files_and_folders_are_named(folder: Path) -> None:
    write(folder / "mine.py", MINE)
    with pytest.raises(NotFoundError, match=r"no file min\.py.*Did you mean mine\.py"):
        load_strategy("min.py")
    with pytest.raises(NotFoundError, match="is a folder"):
        load_strategy(f"{folder}/")
    write(folder / "empty.py", "")
    with pytest.raises(NotFoundError, match=r"no strategy in empty\.py"):
        load_strategy("empty.py")


BROKEN = [
    ("def f(:\n    pass\n", ["bad.py", "line 1", "def f(:", "SyntaxError"]),
    (
        "import lanner\n\nx = 1 / 0\n",
        ["bad.py:3 in <module>", "x = 1 / 0", "ZeroDivisionError: division by zero"],
    ),
    ("import nosuchpackage\n", ["bad.py:1", "No module named 'nosuchpackage'", "Install 'nosuchpackage'"]),
    ("from lanner import Nothing\n", ["bad.py:1", "from lanner import Nothing", "ImportError"]),
    ("import sys\nsys.exit(3)\n", ["bad.py:2", "ends the program while it is loaded"]),
    ("x = undefined_name\n", ["bad.py:1", "NameError: name 'undefined_name' is not defined"]),
    ("\tx = 1\n y = 2\n", ["bad.py", "IndentationError"]),
    ("x = '\xff\n".encode("latin-1").decode("latin-1"), ["bad.py", "SyntaxError"]),
    (
        "import lanner as ln\n\n@ln.signal('7h')\ndef f(bars):\n    return 1\n",
        ["bad.py:3", "unknown timeframe '7h'"],
    ),
    (
        "def g():\n    raise ValueError('inner')\ng()\n",
        ["bad.py:3 in <module>", "bad.py:2 in g", "ValueError: inner"],
    ),
]


@pytest.mark.parametrize(("text", "parts"), BROKEN)
def test_errors_in_a_file_show_the_users_lines_and_none_of_ours(
    folder: Path, text: str, parts: list[str]
) -> None:
    write(folder / "bad.py", text)
    with pytest.raises(StrategyError) as caught:
        load_strategy("bad.py")
    message = str(caught.value)
    assert "cannot be loaded" in message
    for part in parts:
        assert part in message
    for inner in ("registry.py", "importlib", "<frozen", "_execute"):
        assert inner not in message


def test_a_default_out_of_its_own_range_is_a_config_error(folder: Path) -> None:
    write(folder / "bad.py", "import lanner as ln\nclass A(ln.Strategy):\n    n = ln.Param(50, 1, 9)\n")
    with pytest.raises(ConfigError, match=r"A\.n: the default does not fit"):
        load_strategy("bad.py")


def test_a_failed_load_leaves_nothing_behind(folder: Path) -> None:
    before, path = set(sys.modules), list(sys.path)
    write(folder / "bad.py", "1 / 0\n")
    for _ in range(2):
        with pytest.raises(StrategyError):
            load_strategy("bad.py")
    assert sys.path == path
    assert {name for name in set(sys.modules) - before if "bad" in name} == set()


# -- loading twice --------------------------------------------------------------------------------------------


def test_files_of_the_same_name_do_not_mix(folder: Path) -> None:
    write(folder / "a/mine.py", MINE.replace("Param(5", "Param(1"))
    write(folder / "b/mine.py", MINE.replace("Param(5", "Param(2"))
    one, two = load_strategy("a/mine.py"), load_strategy("b/mine.py")
    assert (one().values(), two().values()) == ({"n": 1}, {"n": 2})
    assert sys.modules[one.__module__] is not sys.modules[two.__module__]


def test_an_edited_file_is_read_again(folder: Path) -> None:
    path = write(folder / "mine.py", MINE)
    assert load_strategy("mine.py")().values() == {"n": 5}
    path.write_text(MINE.replace("Param(5", "Param(6"))
    assert load_strategy("mine.py")().values() == {"n": 6}


HELPED = "import lanner as ln\nimport levels\n\nclass Mine(ln.Strategy):\n    n = ln.Param(levels.N, 1, 99)\n"


def test_modules_beside_a_file_are_its_own(folder: Path) -> None:
    for name, number in (("a", 1), ("b", 2)):
        write(folder / name / "mine.py", HELPED)
        write(folder / name / "levels.py", f"N = {number}\n")
    assert load_strategy("a/mine.py")().values() == {"n": 1}
    assert load_strategy("b/mine.py")().values() == {"n": 2}
    assert load_strategy("a/mine.py")().values() == {"n": 1}
    assert str(folder / "a") not in sys.path
    sys.modules.pop("levels", None)


def test_strategies_of_one_folder_share_its_modules(folder: Path) -> None:
    text = "import lanner as ln\nimport words\n\nclass Mine(ln.Strategy):\n    kind_of = words.Word\n"
    write(folder / "words.py", "class Word:\n    pass\n")
    write(folder / "one.py", text)
    write(folder / "two.py", text)
    assert load_strategy("one.py").kind_of is load_strategy("two.py").kind_of  # type: ignore[attr-defined]
    sys.modules.pop("words", None)


# -- modules --------------------------------------------------------------------------------------------------


def test_modules_are_found_below_the_working_folder(folder: Path) -> None:
    write(folder / "pack_one/mod.py", MINE)
    write(folder / "pack_one/__init__.py", "")
    assert load_strategy("pack_one.mod:Mine").__name__ == "Mine"
    assert load_strategy("lanner.strategy.library:DualMa") is DualMa
    with pytest.raises(NotFoundError, match=r"no module 'pack_one\.mud'"):
        load_strategy("pack_one.mud:Mine")
    with pytest.raises(NotFoundError, match=r"one of Mine.*Did you mean Mine"):
        load_strategy("pack_one.mod:Mina")
    with pytest.raises(ConfigError, match=r"module:Class.*pack_one\.mod:Mine"):
        load_strategy("pack_one.mod:")
    for name in ("pack_one", "pack_one.mod"):
        sys.modules.pop(name, None)


def test_a_module_in_another_working_folder_is_another_module(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, number in (("a", 1), ("b", 2)):
        write(folder / name / "samename.py", MINE.replace("Param(5", f"Param({number}"))
        monkeypatch.chdir(folder / name)
        assert load_strategy("samename:Mine")().values() == {"n": number}
    sys.modules.pop("samename", None)


def test_errors_inside_a_module_show_its_lines(folder: Path) -> None:
    write(folder / "breaks.py", "import nosuchthing\n")
    with pytest.raises(StrategyError) as caught:
        load_strategy("breaks:Mine")
    assert "breaks.py:1" in str(caught.value)
    assert "importlib" not in str(caught.value)
    assert isinstance(caught.value, LannerError)
