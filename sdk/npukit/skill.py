"""The base class of a skill, and the loading of one from its folder."""

from __future__ import annotations

import importlib
import os
import sys
import types
from contextlib import ExitStack
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Type

from npukit.errors import ConfigError, NpukitError, SkillError, did_you_mean, skill_failed
from npukit.frame import Nv21Frame
from npukit.manifest import Manifest, read_manifest
from npukit.pipeline import Packet, Stage
from npukit.profiles import load_board
from npukit.runtime import RUNTIMES, Model, Runtime


class Skill:
    """What a skill does to frames.

    A simple skill overrides `process`; one whose parts should run side by side overrides
    `stages` (one thread each, in order).

    Attributes:
        manifest: of the skill.
        settings: a checked value for every parameter.
        models: the loaded models that the settings need, by name.
        board: that it was loaded for.
        runtime: that executes its models; None when the models were made by hand.
    """

    board = "simulator"
    runtime: Optional[Runtime] = None

    def __init__(
        self, manifest: Manifest, settings: Mapping[str, Any], models: Mapping[str, Model]
    ) -> None:
        self.manifest = manifest
        self.settings = settings
        self.models = models

    def stages(self) -> Sequence[Stage]:
        """The steps of a frame."""
        return (Stage("process", self._process),)

    def process(self, frame: Nv21Frame) -> Nv21Frame:
        """The result for one frame."""
        raise NotImplementedError("a skill overrides process or stages")

    def reset(self) -> None:
        """A new source begins: forget what belongs to the last one."""
        for model in self.models.values():
            model.reset()

    def close(self) -> None:
        """Release the models."""
        for model in self.models.values():
            model.close()
        if self.runtime is not None:
            self.runtime.stop()

    @property
    def capture(self) -> str:
        """The default source on its board; a file of the skill by its path."""
        return self.manifest.asset(self.manifest.capture[self.board])

    @property
    def display(self) -> str:
        """The default sink on its board."""
        return self.manifest.display[self.board]

    def selected(self, parameter: str) -> Model:
        """The model that a choice parameter's value selects."""
        return self.models[self.manifest.parameters[parameter].selects[self.settings[parameter]]]

    def _process(self, packet: Packet) -> None:
        result = self.process(packet.frame)
        if not isinstance(result, Nv21Frame):
            raise SkillError("process must return an Nv21Frame, not {!r}".format(result))
        packet.frame = result


def load_skill(
    folder: str,
    given: Optional[Mapping[str, Any]] = None,
    board: str = "simulator",
    threads: int = 1,
    wrap: Optional[Callable[[str, Model], Model]] = None,
) -> Skill:
    """Load a skill and the models that it needs.

    Args:
        folder: of the skill.
        given: parameters, as values or as text.
        board: that it runs on; its profile names the target, whose model files are loaded,
            and the runtime, which executes them.
        threads: CPU threads that the runtime may use.
        wrap: is given each loaded model with its name; the skill gets what it returns, which
            closes the model with itself.

    Raises:
        ConfigError: the manifest or a parameter is wrong.
        ModelError: a model cannot be loaded.
        SkillError: the skill's code cannot be loaded.
    """
    manifest = read_manifest(folder)
    settings = manifest.settings(given or {})
    kind = _entry(manifest)
    if board not in manifest.boards:
        raise ConfigError(
            "the skill does not run on {!r}".format(board),
            where=manifest.folder,
            hint=did_you_mean(board, manifest.boards),
        )
    profile = load_board(board)
    names = manifest.needed_models(settings)
    runtime: Optional[Runtime] = None
    models: Dict[str, Model] = {}
    with ExitStack() as undo:
        if names or manifest.check_value:  # else there is nothing that a runtime would do
            runtime = RUNTIMES.get(profile.runtime)()
            runtime.start(manifest.check_value)
            undo.callback(runtime.stop)
            for name in names:
                file = _model_file(manifest, name, profile.target)
                model = runtime.load(file, threads, manifest.tensors.get(name))
                undo.callback(model.close)
                models[name] = model if wrap is None else wrap(name, model)
        skill = _started(kind, manifest, settings, models)
        undo.pop_all()
    skill.board = board
    skill.runtime = runtime
    return skill


def _started(
    kind: Type[Skill], manifest: Manifest, settings: Mapping[str, Any], models: Mapping[str, Model]
) -> Skill:
    try:
        return kind(manifest, settings, models)
    except NpukitError:
        raise
    except Exception as error:
        raise skill_failed(error, "start of {}".format(manifest.name)) from error


def _model_file(manifest: Manifest, name: str, target: str) -> str:
    files = manifest.models[name]
    if target not in files:
        raise ConfigError(
            "model {!r} has no file for target {!r}".format(name, target),
            where=manifest.folder,
            hint="it has: {}".format(", ".join(files) or "none"),
        )
    return manifest.path(files[target])


def _entry(manifest: Manifest) -> Type[Skill]:
    """Import the skill's class.

    Its folder becomes a package, so that its files can import each other with a leading dot
    and two skills do not collide.
    """
    file, _, name = manifest.entry.partition(":")
    module_name, suffix = os.path.splitext(file)
    where = "{}, entry {}".format(manifest.folder, manifest.entry)
    if suffix != ".py" or not name or not module_name.isidentifier():
        raise ConfigError("an entry is FILE.py:CLASS", where=where)
    package = "npukit_skill_{}_{:x}".format(manifest.name, abs(hash(manifest.folder)))
    holder = types.ModuleType(package)
    holder.__path__ = [manifest.folder]
    sys.modules[package] = holder
    try:
        module = importlib.import_module("{}.{}".format(package, module_name))
    except (Exception, SystemExit) as error:
        raise SkillError(
            "the skill's code cannot be imported: {}: {}".format(type(error).__name__, error),
            where=where,
        ) from error
    kind = getattr(module, name, None)
    if not (isinstance(kind, type) and issubclass(kind, Skill)):
        raise SkillError(
            "{} holds no class {} below npukit.skill.Skill".format(file, name), where=where
        )
    return kind
