"""What omg and atc quantise with is in the documented formats."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from npukit.errors import ConfigError
from npukit_convert.compilers.atc_calibration import compression_conf
from npukit_convert.compilers.omg_calibration import cal_conf

FEEDS: list[dict[str, Any]] = [
    {
        "image": np.full((1, 3, 4, 6), place, np.float32),
        "last": np.full((1, 1, 4, 6), -place, np.float32),
    }
    for place in range(5)
]


def test_omg_gets_its_template_and_binary_inputs() -> None:
    files = cal_conf("net", FEEDS, ["conv1", "fc"], symmetric=False)
    assert list(files) == ["net.cal.conf", "net.cal.0.bin", "net.cal.1.bin"]
    text = files["net.cal.conf"].decode("ascii")
    # The keys of the template, in its order.
    keys = [line.partition(":")[0] for line in text.splitlines() if re.match(r"\w", line)]
    assert keys == [
        "device", "quantize_algo", "weight_type", "bin", "type", "inference_with_data_quantized",
        "inference_with_weight_quantized", "super_parameter", "exclude_op", "exclude_op",
        "batch_count", "preprocess_parameter", "preprocess_parameter",
    ]  # fmt: skip
    assert "exclude_op: 'conv1'\nexclude_op: 'fc'\nbatch_count: 5\n" in text
    blocks = re.findall(r"preprocess_parameter: \{\n(.*?)\n\}", text, re.DOTALL)
    assert blocks == [
        f"  input_type: BINARY\n  input_file_path: 'net.cal.{place}.bin'" for place in (0, 1)
    ]
    for place, name in enumerate(FEEDS[0]):
        data = files[f"net.cal.{place}.bin"]
        channels = FEEDS[0][name].shape[1]
        assert np.frombuffer(data[:20], "<i4").tolist() == [510, 5, channels, 4, 6]
        values = np.frombuffer(data[20:], "<f4").reshape(5, channels, 4, 6)
        np.testing.assert_array_equal(values, np.concatenate([feed[name] for feed in FEEDS]))
    symmetric = cal_conf("net", FEEDS, [], symmetric=True)["net.cal.conf"].decode()
    assert "quantize_algo: NON_OFFSET\n" in symmetric
    assert "exclude_op" not in symmetric


@pytest.mark.parametrize(
    ("feeds", "excluded", "said"),
    [
        ([{"x": np.zeros((1, 4), np.float32)}], [], r"\[1, C, H, W\], 'x' is \[1, 4\]"),
        ([{"x": np.zeros((2, 3, 4, 4), np.float32)}], [], r"'x' is \[2, 3, 4, 4\]"),
        (FEEDS, ["卷积"], "cannot name"),
        (FEEDS, ["it's"], "cannot name"),
    ],
)
def test_what_omg_cannot_be_told_is_refused(feeds: Any, excluded: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        cal_conf("net", feeds, excluded, symmetric=False)


def test_atc_gets_its_three_kinds_of_files() -> None:
    files = compression_conf("net", FEEDS, ["/a/Conv"], symmetric=True, soc_version="Ascend310")
    assert files["net.cal.conf"].decode() == (
        "calibration:\n{\n"
        "input_data_dir: ./net.cal.0.bin,./net.cal.1.bin\n"
        "input_shape: image:1,3,4,6;last:1,1,4,6\n"
        "config_file: net.quant.cfg\ninfer_soc: Ascend310\ninfer_device_id: 0\nlog: info\n}\n"
    )
    assert files["net.quant.cfg"].decode() == 'activation_offset: false\nskip_layers: "/a/Conv"\n'
    values = np.frombuffer(files["net.cal.1.bin"], "<f4").reshape(5, 1, 4, 6)
    np.testing.assert_array_equal(values, np.concatenate([feed["last"] for feed in FEEDS]))


@pytest.mark.parametrize(("name", "excluded"), [("a;b", []), ("a,b", []), ("x", ['a"b'])])
def test_what_atc_cannot_be_told_is_refused(name: str, excluded: list[str]) -> None:
    with pytest.raises(ConfigError, match="cannot name"):
        compression_conf("net", [{name: np.zeros((1, 3), np.float32)}], excluded, False, "A")
