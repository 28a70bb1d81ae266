"""The module under test, fresh for each test, and small simulator builds made by hand."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest
from support.drop_in import drop_in

from npukit.preprocess import Preprocess
from npukit.runtime.build import SimulatorBuild, write_build
from npukit.runtime.declaration import InputSpec

Settings = Callable[..., ModuleType]


@pytest.fixture
def hilens_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Import it with settings; the working folder is the test's own."""
    monkeypatch.chdir(tmp_path)
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(drop_in(tmp_path, **settings))


@pytest.fixture
def hilens(hilens_with: Settings) -> ModuleType:
    return hilens_with()


@pytest.fixture
def gray() -> Callable[..., np.ndarray]:
    def make(width: int, height: int, luma: int = 128) -> np.ndarray:
        """NV21 (H*3//2, W) of one gray."""
        packed = np.full((height * 3 // 2, width), 128, np.uint8)
        packed[:height] = luma
        return packed

    return make


@pytest.fixture
def write_network(tmp_path: Path) -> Callable[..., str]:
    def write(
        inputs: Mapping[str, Sequence[int]],
        nodes: Sequence[Any],
        outputs: Mapping[str, Any],
        preprocess: Mapping[str, Preprocess] | None = None,
    ) -> str:
        """A simulator build under the name of a board's file; its path.

        Args:
            inputs: shape by name. nodes: of ONNX. outputs: (type, shape) by name.
            preprocess: by input.
        """
        graph = onnx.helper.make_graph(
            nodes,
            "small",
            [
                onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
                for name, shape in inputs.items()
            ],
            [
                onnx.helper.make_tensor_value_info(name, kind, shape)
                for name, (kind, shape) in outputs.items()
            ],
        )
        model = onnx.helper.make_model(
            graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8
        )
        onnx.checker.check_model(model)
        declared = preprocess or {}
        build = SimulatorBuild(
            name="small",
            inputs={
                name: InputSpec(tuple(shape), declared.get(name)) for name, shape in inputs.items()
            },
            outputs=tuple(outputs),
            onnx=model.SerializeToString(),
        )
        path = tmp_path / "model" / "small.om"
        path.parent.mkdir(exist_ok=True)
        write_build(str(path), build)
        return str(path)

    return write
