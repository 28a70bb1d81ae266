"""MODNet takes its authors' checkpoints, with and without the previous alpha."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install 'npukit[torch]'")

from support.networks.modnet import (  # noqa: E402 - after the skip
    SOURCE,
    MODNet,
    build,
    build_with_previous_alpha,
    official_keys,
)
from support.networks.randomise import randomise  # noqa: E402

from npukit_convert.weights import load_weights  # noqa: E402

PUBLISHED_PARAMETERS = 6_487_075
FIRST = "backbone.model.features.0.0.weight"
SIZE = (64, 96)


@pytest.fixture(scope="module")
def network() -> Any:
    return randomise(build(), {"image": (1, 3, *SIZE)})


def noise(channels: int, size: tuple[int, int] = SIZE) -> Any:
    return torch.randn(1, channels, *size, generator=torch.Generator().manual_seed(2))


def call(network: Any, *inputs: Any) -> Any:
    with torch.no_grad():
        return network(*inputs)


def test_keys_shapes_and_types_are_those_of_a_checkpoint() -> None:
    state = build().state_dict()
    found = {key: (tuple(value.shape), value.dtype) for key, value in state.items()}
    assert list(found.items()) == list(official_keys().items())


def test_parameters_are_counted_as_published() -> None:
    assert sum(value.numel() for value in build().parameters()) == PUBLISHED_PARAMETERS


def test_the_previous_alpha_changes_the_shape_of_one_weight() -> None:
    three, four = build().state_dict(), build_with_previous_alpha().state_dict()
    assert list(three) == list(four)
    different = {key for key, value in three.items() if value.shape != four[key].shape}
    assert different == {FIRST, f"lr_branch.{FIRST}"}
    assert four[FIRST].shape == (32, 4, 3, 3)


def test_a_previous_alpha_without_weight_is_ignored(network: Any) -> None:
    state = network.state_dict()
    for key in (FIRST, f"lr_branch.{FIRST}"):
        state[key] = torch.cat([state[key], torch.zeros(32, 1, 3, 3)], dim=1)
    more = build_with_previous_alpha()
    more.load_state_dict(state)
    image = noise(3)
    for previous in (torch.zeros(1, 1, *SIZE), torch.ones(1, 1, *SIZE)):
        difference = call(more, image, previous) - call(network, image)
        assert difference.abs().max() < 1e-4  # sums of 36 products instead of 27


def test_the_previous_alpha_may_be_the_fourth_channel() -> None:
    shapes = {"image": (1, 3, *SIZE), "alpha_prev": (1, 1, *SIZE)}
    network = randomise(build_with_previous_alpha(), shapes)
    both = noise(4)
    apart = call(network, both[:, :3], both[:, 3:])
    torch.testing.assert_close(call(network, both), apart)
    other = call(network, both[:, :3], both[:, 3:] + 1)
    assert (other - apart).abs().max() > 1e-2


@pytest.mark.parametrize("size", [(32, 64), (96, 32), (64, 64)])
def test_any_multiple_of_32_fits(network: Any, size: tuple[int, int]) -> None:
    alpha = call(network, noise(3, size))
    assert alpha.shape == (1, 1, *size)
    assert 0 <= alpha.min() < alpha.max() <= 1


def test_in_training_the_heads_give_what_losses_need(network: Any) -> None:
    network.train()
    try:
        shapes = [tuple(one.shape) for one in call(network, noise(3))]
    finally:
        network.eval()
    assert shapes == [(1, 1, 4, 6), (1, 1, *SIZE), (1, 1, *SIZE)]


@pytest.mark.parametrize(
    ("channels", "shapes", "message"),
    [
        (3, [(4, 64, 96)], r"built for \[3\] channels and is given \[4\]"),
        (3, [(3, 64, 96), (1, 64, 96)], r"built for \[3\] channels and is given \[3, 1\]"),
        (4, [(3, 64, 96)], r"built for \[3, 1\] or \[4\] channels and is given \[3\]"),
        (4, [(2, 64, 96), (2, 64, 96)], r"is given \[2, 2\]"),
        (3, [(3, 64, 80)], "64x80 does not fit"),
    ],
    ids=["four", "previous", "no-previous", "two-and-two", "size"],
)
def test_inputs_that_do_not_fit_are_refused(
    channels: int, shapes: list[tuple[int, ...]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        call(MODNet(channels), *(torch.zeros(1, *shape) for shape in shapes))


def test_other_numbers_of_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="in_channels is 5: give 3, or 4"):
        MODNet(5)


def import_checkpoint(*arguments: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, SOURCE.with_name("import_modnet.py"), *arguments]
    return subprocess.run(
        [str(part) for part in command], capture_output=True, check=False, encoding="utf-8",
        timeout=120,
    )  # fmt: skip


def test_a_checkpoint_becomes_a_weight_file(network: Any, tmp_path: Path) -> None:
    checkpoint, weights = tmp_path / "modnet.ckpt", tmp_path / "modnet.safetensors"
    torch.save(torch.nn.DataParallel(network).state_dict(), checkpoint)
    done = import_checkpoint(checkpoint, weights)
    assert done.returncode == 0, done.stderr
    loaded = build()
    load_weights(loaded, weights)
    for key, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value), key
    assert torch.equal(call(loaded, noise(3)), call(network, noise(3)))


@pytest.mark.parametrize("content", ["absent", "bytes", "list", "other network"])
def test_what_is_no_checkpoint_is_refused(content: str, tmp_path: Path) -> None:
    checkpoint, weights = tmp_path / "modnet.ckpt", tmp_path / "modnet.safetensors"
    weights.write_bytes(b"from before")
    if content == "bytes":
        checkpoint.write_bytes(b"no checkpoint")
    elif content == "list":
        torch.save([1, 2], checkpoint)
    elif content == "other network":
        torch.save({FIRST: torch.zeros(32, 3, 3, 3)}, checkpoint)
    done = import_checkpoint(checkpoint, weights)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert str(checkpoint) in done.stderr
    assert weights.read_bytes() == b"from before"
