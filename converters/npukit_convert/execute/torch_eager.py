"""Torch modules, executed as they are; the only engine that needs torch."""

from __future__ import annotations

import hashlib
import inspect
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from npukit.arrays import F32
from npukit_convert.execute.base import Executor, Shape, unique

if TYPE_CHECKING:
    from torch import nn


class TorchEager(Executor):
    """A module in evaluation mode, on the CPU, in float32.

    Its layers are its modules, the containers too, in the order in which they end: `a.b` of
    `self.a.b`, `a.b#2` when it is called again. A container that gives what its last module gave
    is left out. What `forward` does beside the modules is not seen.
    """

    engine = "torch"

    def __init__(
        self,
        module: nn.Module,
        where: str = "",
        inputs: Mapping[str, Shape] | None = None,
        outputs: Sequence[str] = (),
    ) -> None:
        """Hold a module.

        Args:
            module: takes tensors, gives a tensor, or a tuple, list or mapping of tensors.
            where: its name for messages.
            inputs: names and shapes, in the order of `forward`'s arguments; the names of the
                arguments, of unknown shapes, if not given.
            outputs: names; if not given they are known after the first run: the keys of a
                mapping, else `output`, or `output_0`, `output_1`, ...
        """
        super().__init__(
            where or type(module).__name__,
            dict.fromkeys(_arguments(module)) if inputs is None else inputs,
            outputs,
        )
        self._module = module.eval()

    def _run(self, feeds: Mapping[str, F32]) -> dict[str, F32]:
        import torch

        given = [torch.from_numpy(value.copy()) for value in feeds.values()]  # may be changed
        try:
            with torch.no_grad():
                found = self._module(*given)
            named = dict(_named(found))
        except Exception as error:
            raise self._failed(f"{type(error).__name__}: {error}") from error
        if self.outputs and len(self.outputs) != len(named):
            raise self._failed(f"{len(named)} outputs where {list(self.outputs)} were expected")
        self.outputs = self.outputs or tuple(named)
        results = [value.detach().numpy().astype(np.float32) for value in named.values()]
        return dict(zip(self.outputs, results, strict=True))

    def _layers(self, feeds: Mapping[str, F32]) -> Iterator[tuple[str, F32]]:
        import torch

        seen: dict[str, Path] = {}
        marks: set[tuple[tuple[int, ...], bytes]] = set()
        with tempfile.TemporaryDirectory(prefix="npukit-torch-") as folder, ExitStack() as hooks:

            def keep(name: str, result: object) -> None:
                for part, value in _named(result, name):
                    if not isinstance(value, torch.Tensor) or not value.is_floating_point():
                        continue
                    array = value.detach().numpy().astype(np.float32)
                    mark = (array.shape, hashlib.blake2b(array.tobytes()).digest())
                    if mark not in marks:
                        marks.add(mark)
                        label = unique(part, seen)
                        seen[label] = Path(folder) / f"{len(seen)}.npy"
                        np.save(seen[label], array)

            for name, module in self._module.named_modules():
                if name:
                    hook = module.register_forward_hook(
                        lambda _, __, result, name=name: keep(name, result)
                    )
                    hooks.callback(hook.remove)
            self._run(feeds)
            hooks.close()
            for label, file in seen.items():
                yield label, np.load(file)
                file.unlink()


def _arguments(module: nn.Module) -> list[str]:
    """The arguments of `forward` that must be given; `input` for `*args`."""
    kinds = inspect.Parameter
    parameters = inspect.signature(module.forward).parameters.values()
    return [
        item.name
        for item in parameters
        if item.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)
        and item.default is kinds.empty
    ] or ["input"]


def _named(found: Any, name: str = "output") -> Iterator[tuple[str, Any]]:
    """The tensors of a result: one, or those of a tuple, list or mapping."""
    if isinstance(found, Mapping):
        top = name == "output"
        yield from ((str(key) if top else f"{name}:{key}", value) for key, value in found.items())
    elif not isinstance(found, (tuple, list)):
        yield name, found
    elif name == "output":
        yield from ((f"output_{place}", value) for place, value in enumerate(found))
    else:
        yield from ((f"{name}:{place}", value) for place, value in enumerate(found))
