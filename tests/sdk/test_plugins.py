"""Plugins by file name; one that fails to import keeps its reason and disturbs no other."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from npukit.capture import SOURCES
from npukit.display import SINKS
from npukit.errors import PluginError
from npukit.plugins import Plugins
from npukit.runtime import RUNTIMES

PACKAGE = "npukit_plugins_of_a_test"
FILES = {
    "__init__": "",
    "base": "class Base:\n    pass",
    "build": "raise RuntimeError('no plugin, never imported')",
    "good": f"""
        from {PACKAGE}.base import Base
        class _Shared(Base): pass
        class Other: pass
        class Good(_Shared): pass
    """,
    "second": f"""
        from {PACKAGE}.good import Good
        class Second(Good): pass
    """,
    "needs_driver": "import driver_that_nobody_has",
    "needs_name": f"from {PACKAGE}.base import NoSuchName",
    "broken_library": "raise OSError('libascendcl.so: cannot open shared object file')",
    "broken_version": "raise RuntimeError('firmware 1.0 is too old')",
    "newer_python": "match = ) =",
    "holds_nothing": f"from {PACKAGE}.base import Base\nfrom {PACKAGE}.good import Good",
}
REASONS = {
    "needs_driver": "No module named 'driver_that_nobody_has'",
    "needs_name": "NoSuchName",
    "broken_library": "libascendcl.so: cannot open shared object file",
    "broken_version": "firmware 1.0 is too old",
    "newer_python": "SyntaxError",
    "holds_nothing": "holds no Base",
}


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plugins[Any]]:
    folder = tmp_path / PACKAGE
    folder.mkdir()
    for name, text in FILES.items():
        lines = (line.removeprefix("        ") for line in text.splitlines())
        (folder / f"{name}.py").write_text("\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(tmp_path)
    package = __import__(PACKAGE)
    base = __import__(f"{PACKAGE}.base").base.Base
    yield Plugins(PACKAGE, package.__path__, base, "widget")
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def test_names_need_no_import(plugins: Plugins[Any]) -> None:
    assert plugins.names() == tuple(sorted({"good", "second", *REASONS}))
    assert f"{PACKAGE}.good" not in sys.modules


def test_a_name_gives_the_class_of_its_own_file(plugins: Plugins[Any]) -> None:
    assert plugins.get("good").__name__ == "Good"
    assert plugins.get("second").__name__ == "Second"
    assert plugins.get("good") is plugins.get("good")


@pytest.mark.parametrize("name", ["godo", "good.py", "../good", "base", "build", ""])
def test_an_unknown_name_lists_the_known_ones(plugins: Plugins[Any], name: str) -> None:
    with pytest.raises(PluginError, match=f"unknown widget '{name}'") as caught:
        plugins.get(name)
    assert "good, holds_nothing" in str(caught.value)
    if name.startswith("go"):
        assert "did you mean 'good'?" in str(caught.value)


@pytest.mark.parametrize("name", REASONS)
def test_a_plugin_that_fails_to_import_keeps_its_reason(plugins: Plugins[Any], name: str) -> None:
    for _ in range(2):
        with pytest.raises(PluginError) as caught:
            plugins.get(name)
        assert name in str(caught.value)
        assert REASONS[name] in str(caught.value)
    assert REASONS[name] in plugins.failures()[name]


def test_the_others_stay_usable(plugins: Plugins[Any]) -> None:
    assert [kind.__name__ for kind in plugins.usable()] == ["Good", "Second"]
    assert sorted(plugins.failures()) == sorted(REASONS)


@pytest.mark.parametrize(
    ("registry", "name"),
    [(registry, name) for registry in (SOURCES, SINKS, RUNTIMES) for name in registry.names()],
    ids=lambda value: value if isinstance(value, str) else value.kind,
)
def test_everything_registered_is_usable_or_says_why(registry: Plugins[Any], name: str) -> None:
    failures = registry.failures()
    if name in failures:
        assert name in failures[name]
        pytest.skip(f"{registry.kind} {failures[name]}")
    kind = registry.get(name)
    assert kind.__module__.endswith(f".{name}")
    assert kind.__doc__
    assert not kind.__abstractmethods__
