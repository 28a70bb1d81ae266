"""The contract between a skill and whatever executes its models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from npukit.arrays import U8, Array
from npukit.errors import ModelError, did_you_mean
from npukit.frame import Nv21Frame, Rect
from npukit.preprocess.host import fit
from npukit.preprocess.spec import Preprocess
from npukit.runtime.declaration import Declaration, InputSpec


class TensorSpec(NamedTuple):
    """A named model input or output.

    Attributes:
        name: as in the network.
        shape: static.
        dtype: numpy name, `uint8` for an input that the device preprocesses.
        preprocess: the declaration of such an input, else None.
    """

    name: str
    shape: Tuple[int, ...]
    dtype: str
    preprocess: Optional[Preprocess] = None

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize

    @property
    def size(self) -> Tuple[int, int]:
        """(width, height) of the picture; of a tensor, its last two axes."""
        if self.preprocess is None:
            return self.shape[-1], self.shape[-2]
        if self.preprocess.source == "nv21":
            return self.shape[1], self.shape[0] * 2 // 3
        return self.shape[1], self.shape[0]

    def feed(self, frame: Nv21Frame, roi: Optional[Rect] = None) -> U8:
        """The bytes that this input takes for a frame, of its shape, uint8.

        Args:
            frame: of any size and colour.
            roi: the part to look at, for geometry `roi` only.

        Raises:
            ModelError: the input takes no picture.
            FrameError: the rectangle does not fit.
        """
        if self.preprocess is None:
            raise ModelError("input {!r} takes a tensor, not a picture".format(self.name))
        fitted = fit(self.preprocess, frame, self.size, roi)
        if self.preprocess.source == "nv21":
            return fitted.pack()
        return fitted.to_rgb() if self.preprocess.source == "rgb888" else fitted.to_bgr()


def input_tensor(name: str, spec: InputSpec, where: str, dtype: str = "float32") -> TensorSpec:
    """The input as the caller sees it: bytes of a picture, or the network's own tensor.

    Raises:
        ModelError: the network's shape does not take such pictures.
    """
    if spec.preprocess is None:
        return TensorSpec(name, spec.shape, dtype)
    if len(spec.shape) != 4 or spec.shape[:2] != (1, spec.preprocess.channels):
        raise ModelError(
            "input {!r} {} does not take {} pictures of batch 1".format(
                name, spec.shape, spec.preprocess.to
            ),
            where=where,
        )
    height, width = spec.shape[2:]
    if spec.preprocess.source == "nv21" and (height % 2 or width % 2):
        raise ModelError(
            "input {!r} is {}x{}: NV21 is even".format(name, width, height), where=where
        )
    return TensorSpec(name, spec.preprocess.packed_shape(width, height), "uint8", spec.preprocess)


class Model(ABC):
    """A loaded network.

    `states` maps an input to the output that becomes this input at the next frame (zeros at
    the first); the caller leaves such inputs out and calls `reset` when a new source begins.
    """

    def __init__(
        self,
        inputs: Tuple[TensorSpec, ...],
        outputs: Tuple[TensorSpec, ...],
        states: Optional[Mapping[str, str]] = None,
        where: str = "model",
    ) -> None:
        """Check that the states fit.

        Raises:
            ModelError: a state names no input or output, or their shapes differ.
        """
        self.inputs = {spec.name: spec for spec in inputs}
        self.outputs = {spec.name: spec for spec in outputs}
        self.states = dict(states or {})
        self._where = where
        for into, out in self.states.items():
            self._check_state(into, out)
        self._kept: Dict[str, Array] = {}
        self.reset()

    def infer(self, inputs: Mapping[str, Array]) -> Dict[str, Array]:
        """Execute the network once.

        Args:
            inputs: an array per input that is no state, of its spec's shape and dtype.

        Returns:
            An array per output, owned by the caller.

        Raises:
            ModelError: a missing or unknown input, or one of the wrong shape or dtype.
        """
        given = dict(self._kept)
        given.update(inputs)
        self._check_inputs(given)
        outputs = self._execute(given)
        for into, out in self.states.items():
            self._kept[into] = outputs[out].copy()  # the caller may write into what it is given
        return outputs

    def infer_many(self, items: Sequence[Mapping[str, Array]]) -> List[Dict[str, Array]]:
        """Execute the network for several independent inputs, at once where the device can.

        Args:
            items: what `infer` takes, once for each.

        Raises:
            ModelError: as `infer`, or the model has states: its frames depend on one another.
        """
        self._check_many(items)
        return [self._execute(item) for item in items]

    def reset(self) -> None:
        """Set every state to zero."""
        for into in self.states:
            spec = self.inputs[into]
            self._kept[into] = np.zeros(spec.shape, spec.dtype)

    def close(self) -> None:  # noqa: B027 - a runtime without device memory has nothing to do
        """Release the device's memory; the model is not used afterwards."""

    @abstractmethod
    def _execute(self, inputs: Mapping[str, Array]) -> Dict[str, Array]:
        """Execute with checked inputs, all present."""

    def _check_state(self, into: str, out: str) -> None:
        if into not in self.inputs or out not in self.outputs:
            raise ModelError(
                "state {}: {} names no input and output of the model".format(into, out),
                where=self._where,
                hint="inputs: {}; outputs: {}".format(
                    ", ".join(self.inputs), ", ".join(self.outputs)
                ),
            )
        source, target = self.outputs[out], self.inputs[into]
        if source.shape != target.shape or source.dtype != target.dtype:
            raise ModelError(
                "output {} {} {} cannot be fed back as input {} {} {}".format(
                    out, source.shape, source.dtype, into, target.shape, target.dtype
                ),
                where=self._where,
            )

    def _check_many(self, items: Sequence[Mapping[str, Array]]) -> None:
        if self.states:
            raise ModelError(
                "a model with states takes one frame after the other", where=self._where
            )
        for item in items:
            self._check_inputs(item)

    def _check_inputs(self, given: Mapping[str, Array]) -> None:
        for name in given:
            if name not in self.inputs:
                raise ModelError(
                    "no input {!r}".format(name),
                    where=self._where,
                    hint=did_you_mean(name, self.inputs),
                )
        for spec in self.inputs.values():
            self._check_input(spec, given.get(spec.name))

    def _check_input(self, spec: TensorSpec, value: Optional[Array]) -> None:
        if value is None:
            raise ModelError("input {!r} is missing".format(spec.name), where=self._where)
        if value.shape != spec.shape or value.dtype != np.dtype(spec.dtype):
            raise ModelError(
                "input {!r} takes {} {} ({} bytes), got {} {} ({} bytes)".format(
                    spec.name, spec.shape, spec.dtype, spec.nbytes,
                    value.shape, value.dtype, value.nbytes,
                ),
                where=self._where,
            )  # fmt: skip


class Runtime(ABC):
    """Loads model files: one per way of execution (simulator, vendor module, ...)."""

    def start(self, check_value: str) -> None:  # noqa: B027 - most need no start
        """Prepare the device; called once, before anything is loaded or captured.

        Args:
            check_value: of the manifest, for platforms that ask for one.

        Raises:
            ModelError: the device refuses.
        """

    def stop(self) -> None:  # noqa: B027 - most need no stop
        """Release the device; called once, after the models are closed."""

    @abstractmethod
    def load(self, path: str, threads: int = 1, declared: Optional[Declaration] = None) -> Model:
        """Load a model file.

        Args:
            path: the file.
            threads: CPU threads that the runtime may use; results do not depend on it.
            declared: what the manifest says of the model. A file that says it too must agree;
                some vendors' files do not say it.

        Raises:
            ModelError: the file is missing, damaged, or of another runtime.
        """
