"""Weight files that do not belong to a network are refused, and every misfit is named."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install 'npukit[torch]'")

from safetensors.torch import load_file, save_file  # noqa: E402 - after the skip

from npukit_convert.errors import ConversionError  # noqa: E402
from npukit_convert.weights import load_weights  # noqa: E402

Change = Callable[[dict[str, Any]], object]


def small_network() -> Any:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Conv2d(4, 1, 1))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.safetensors"
    save_file(small_network().state_dict(), path)
    return path


def test_half_precision_is_widened_to_the_network(weights: Path) -> None:
    state = {key: value.half() for key, value in load_file(weights).items()}
    save_file(state, weights)
    network = small_network()
    load_weights(network, weights)
    for key, value in network.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, state[key].float())


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda state: state.pop("1.bias"), "missing keys: 1.bias"),
        (lambda state: state.update({"neck": torch.zeros(3)}), "unexpected keys: neck"),
        (
            lambda state: state.update({"1.weight": torch.zeros(1, 4, 3, 3)}),
            "wrong shapes: 1.weight (file [1, 4, 3, 3], network [1, 4, 1, 1])",
        ),
        (
            lambda state: state.update({"1.bias": torch.zeros(1, dtype=torch.int8)}),
            "not floating point: 1.bias (int8)",
        ),
    ],
    ids=["missing", "unexpected", "wrong-shape", "integer"],
)
def test_weights_that_do_not_fit_are_named_and_change_nothing(
    weights: Path, change: Change, expected: str
) -> None:
    state = load_file(weights)
    change(state)
    save_file(state, weights)
    network = small_network()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(ConversionError, match=re.escape(expected)) as caught:
        load_weights(network, weights)
    assert caught.value.where == str(weights)
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_whole_numbers_go_where_the_network_has_them(weights: Path) -> None:
    network, trained = (torch.nn.Sequential(torch.nn.BatchNorm2d(4)) for _ in range(2))
    trained(torch.ones(2, 4, 3, 3))  # in training mode: counts one batch
    save_file(trained.state_dict(), weights)
    load_weights(network, weights)
    assert network[0].num_batches_tracked == 1
    assert torch.equal(network[0].running_mean, trained[0].running_mean)


def test_every_misfit_is_in_one_message(weights: Path) -> None:
    state = load_file(weights)
    del state["1.bias"]
    state["neck.bias"] = torch.zeros(1)
    save_file(state, weights)
    with pytest.raises(ConversionError, match=r"missing keys: 1\.bias; unexp.*neck\.bias"):
        load_weights(small_network(), weights)


def test_an_absent_weight_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="cannot read") as caught:
        load_weights(small_network(), tmp_path / "absent.safetensors")
    assert caught.value.where.endswith("absent.safetensors")


def test_a_truncated_weight_file_is_refused(weights: Path) -> None:
    whole = weights.read_bytes()
    for length in (0, 7, len(whole) // 2, len(whole) - 1):
        weights.write_bytes(whole[:length])
        with pytest.raises(ConversionError, match="cannot read"):
            load_weights(small_network(), weights)


# --- .pt, .pth, .ckpt ----------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".ckpt"])
@pytest.mark.parametrize("under", ["", "state_dict", "model_state_dict", "model", "params_ema"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_what_training_saves_is_loaded(
    tmp_path: Path, suffix: str, under: str, prefix: str
) -> None:
    state = {f"{prefix}{key}": value + 1 for key, value in small_network().state_dict().items()}
    path = tmp_path / f"trained{suffix}"
    torch.save({"epoch": 7, "optimizer": {"lr": 0.1}, under: state} if under else state, path)
    network = small_network()
    notes = load_weights(network, path)
    for key, value in network.state_dict().items():
        assert torch.equal(value, state[f"{prefix}{key}"])
    assert any(repr(under) in note for note in notes) == bool(under)
    assert any("module." in note for note in notes) == bool(prefix)


def test_a_prefix_of_some_keys_only_is_a_part_of_the_network(tmp_path: Path) -> None:
    state = small_network().state_dict()
    state["module.1.bias"] = state.pop("1.bias")
    torch.save(state, tmp_path / "mixed.pt")
    with pytest.raises(ConversionError, match=r"missing keys: 1\.bias; unexp.*: module\.1\.bias"):
        load_weights(small_network(), tmp_path / "mixed.pt")


def test_whole_numbers_stay_whole(tmp_path: Path) -> None:
    """A BatchNorm counts its batches in int64."""
    trained = torch.nn.BatchNorm2d(3)
    trained.num_batches_tracked += 1000
    torch.save(trained.state_dict(), tmp_path / "norm.pt")
    network = torch.nn.BatchNorm2d(3)
    load_weights(network, tmp_path / "norm.pt")
    assert network.num_batches_tracked.dtype == torch.int64
    assert network.num_batches_tracked == 1000


class Bomb:
    """What unpickling it does, nobody wants."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("protocol", ["zip", "legacy"])
def test_code_in_a_file_is_not_run(tmp_path: Path, protocol: str) -> None:
    path, mark = tmp_path / "bomb.pt", tmp_path / "it-ran"
    torch.save(
        {"state_dict": small_network().state_dict(), "bomb": Bomb(mark)},
        path,
        _use_new_zipfile_serialization=protocol == "zip",
    )
    with pytest.raises(ConversionError, match="more than tensors") as caught:
        load_weights(small_network(), path)
    assert "torch.save(model.state_dict()" in caught.value.hint
    assert caught.value.where == str(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "holds a list, no named tensors"),
        ({}, "holds a dict, no named tensors"),
        ({"0.weight": 5}, "'0.weight' beside tensors"),
        ({"state_dict": {"0.weight": "x"}}, "'0.weight' beside tensors"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(ConversionError, match=re.escape(message)):
        load_weights(small_network(), tmp_path / "other.pt")


def test_a_truncated_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.save(small_network().state_dict(), path)
    whole = path.read_bytes()
    for length in (0, 7, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ConversionError) as caught:
            load_weights(small_network(), path)
        assert caught.value.where == str(path)


def test_an_unknown_kind_of_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "w.h5").write_bytes(b"")
    with pytest.raises(ConversionError, match=r"'\.h5'") as caught:
        load_weights(small_network(), tmp_path / "w.h5")
    assert ".safetensors" in caught.value.hint
