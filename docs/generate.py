"""Write docs/reference from the program itself; `--check` only says what is out of date."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args, get_type_hints

import typer

from npukit.capture import SOURCES
from npukit.display import SINKS
from npukit.manifest import Manifest, read_manifest
from npukit.plugins import Plugins
from npukit.profiles import boards, load_board, load_target, targets
from npukit.runtime import RUNTIMES
from npukit_cli.commands import board as board_commands
from npukit_cli.commands.bench import bench
from npukit_cli.commands.bundle import bundle
from npukit_cli.commands.compare import compare
from npukit_cli.commands.convert import convert
from npukit_cli.commands.doctor import doctor
from npukit_cli.commands.estimate import estimate
from npukit_cli.commands.flash import flash
from npukit_cli.commands.inspect import inspect as inspect_command
from npukit_cli.commands.lint import lint
from npukit_cli.commands.new import new
from npukit_cli.commands.run import run
from npukit_cli.commands.targets import targets as targets_command
from npukit_cli.profiles_view import figures
from npukit_cli.skills import bundled, bundled_root
from npukit_convert.passes import PASSES

sys.path.insert(0, str(Path(__file__).resolve().parent))
from operator_table import operators

REFERENCE = Path(__file__).resolve().parent / "reference"
COMMANDS = {
    "convert": convert,
    "run": run,
    "compare": compare,
    "inspect": inspect_command,
    "bench": bench,
    "lint": lint,
    "estimate": estimate,
    "new": new,
    "bundle": bundle,
    "flash": flash,
    **{
        f"board {command.name}": command.callback
        for command in board_commands.app.registered_commands
        if command.callback is not None
    },
    "targets": targets_command,
    "doctor": doctor,
}
NOTE = "<!-- Written by docs/generate.py (`make docs`): change the program, not this page. -->\n\n"


def main() -> int:
    """Write the pages, or compare them."""
    pages = {
        "commands.md": commands(),
        "skills.md": skills(),
        "boards.md": profiles(),
        "operators.md": operators(),
        "passes.md": passes(),
    }
    stale = []
    for name, text in pages.items():
        path = REFERENCE / name
        if not path.is_file() or path.read_text(encoding="utf-8") != NOTE + text:
            stale.append(name)
            if "--check" not in sys.argv:
                path.write_text(NOTE + text, encoding="utf-8")
    print("out of date: " + ", ".join(stale) if stale else "docs/reference is up to date")
    return 1 if stale and "--check" in sys.argv else 0


def commands() -> str:
    """Every command with its options, and what --camera and --display take."""
    parts = ["# Commands\n", *(_command(name, run) for name, run in COMMANDS.items())]
    for title, plugins in (("Sources", SOURCES), ("Sinks", SINKS), ("Runtimes", RUNTIMES)):
        parts.append(f"\n## {title}\n\n| name | form |\n|---|---|\n{_plugins(plugins)}")
    return "".join(parts)


def _command(name: str, run: Callable[..., int]) -> str:
    hints = get_type_hints(run, include_extras=True)
    rows = []
    for key, parameter in inspect.signature(run).parameters.items():
        if hints[key] is typer.Context:
            continue
        info = get_args(hints[key])[1]
        # typer keeps the first name of an annotated option where a default would stand.
        first = [info.default] if isinstance(info.default, str) else []
        names = ", ".join([*first, *(info.param_decls or ())]) or f"--{key.replace('_', '-')}"
        is_argument = type(info).__name__ == "ArgumentInfo"
        default = parameter.default
        shown = "" if default in (None, False, inspect.Parameter.empty) else f"`{default}`"
        # A bar would end the cell, even between backquotes.
        text = f"{info.metavar} ".replace("|", "\\|") if info.metavar else ""
        rows.append(
            f"| `{(key if is_argument else names)} {text}".rstrip()
            + f"` | {info.help} | {shown} |\n"
        )
    return (
        f"\n## npukit {name}\n\n{inspect.getdoc(run)}\n\n"
        f"| option | meaning | default |\n|---|---|---|\n{''.join(rows)}"
    )


def _plugins(plugins: Plugins[object]) -> str:
    return "".join(f"| {name} | {_summary(plugins, name)} |\n" for name in plugins.names())


def _summary(plugins: Plugins[object], name: str) -> str:
    """First line of the class's docstring, read from the file: the vendor's module is not here."""
    spec = importlib.util.find_spec(f"{plugins.package}.{name}")
    assert spec is not None
    tree = ast.parse(Path(str(spec.origin)).read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    ends = (plugins.kind.title(), "Runtime")
    own = next(node for node in classes if node.name.endswith(ends) and node.name[0] != "_")
    return (ast.get_docstring(own) or "").splitlines()[0]


def passes() -> str:
    """Every rewrite of the graph, in the order they run."""
    head = (
        "# Passes\n\nRewrites of an ONNX graph by `npukit convert`, in the order they run; "
        "`passes.off` leaves some out. onnxsim runs before all of them.\n\n"
        "| pass | stage | for | what it does |\n|---|---|---|---|\n"
    )
    parts = [head]
    kinds = {name: PASSES.get(name) for name in PASSES.names()}
    for name, kind in sorted(kinds.items(), key=lambda item: (item[1].stage, item[0])):
        summary = " ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split())
        formats = ", ".join(sorted(kind.formats))
        parts.append(f"| {name} | {kind.stage.name.lower()} | {formats} | {summary} |\n")
    return "".join(parts)


def skills() -> str:
    """The parameters of every bundled skill."""
    manifests = [read_manifest(str(bundled_root() / name)) for name in bundled()]
    return "# Skills\n" + "".join(_skill(manifest) for manifest in manifests)


def _skill(manifest: Manifest) -> str:
    rows = []
    for parameter in manifest.parameters.values():
        allowed = ", ".join(parameter.choices) or parameter.type
        if parameter.minimum is not None:
            allowed += f", {parameter.minimum:g} to {parameter.maximum:g}"
        rows.append(
            f"| `{parameter.name}` | {allowed} | `{parameter.default}` | {parameter.help} |\n"
        )
    models = "".join(
        f"- model `{name}`: {', '.join(f'{target} (`{file}`)' for target, file in files.items())}\n"
        for name, files in manifest.models.items()
    )
    return (
        f"\n## {manifest.name}\n\n{manifest.title}. Version {manifest.version}; "
        f"runs on: {', '.join(manifest.boards)}.\n\n{models}\n"
        "Given as `--set NAME=VALUE`:\n\n| parameter | values | default | what it does |\n"
        f"|---|---|---|---|\n{''.join(rows)}"
    )


def profiles() -> str:
    """Every figure of every target and board, with its source."""
    parts = [
        "# Boards and targets\n\nA dash is a figure that nobody publishes; the source says so.\n"
    ]
    loaded = [(load_target(name), "target") for name in targets()]
    loaded += [(load_board(name), "board") for name in boards()]  # type: ignore[misc]
    for profile, kind in loaded:
        rows = "".join(
            f"| {key} | {_value(figure.value)} | {figure.unit} | {figure.source} |\n"
            for key, figure in figures(profile)
        )
        notes = "".join(f"- {note}\n" for note in profile.notes)
        parts.append(
            f"\n## {profile.title} ({kind} `{profile.name}`)\n\n"
            f"| figure | value | unit | source |\n|---|---|---|---|\n{rows}\n{notes}"
        )
    return "".join(parts)


def _value(value: object) -> str:
    if value is None:
        return "-"
    return ", ".join(str(item) for item in value) if isinstance(value, tuple) else str(value)


if __name__ == "__main__":
    sys.exit(main())
