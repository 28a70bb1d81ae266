"""The page of a quantisation: what it says first, and what its pictures show."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import cv2
import numpy as np
import pytest

from npukit_cli.quantization_report import quantization_page
from npukit_convert.quantization.results import (
    CalibrationSummary,
    Finding,
    FloorResult,
    LayerResult,
    OutputQuality,
    QuantizationResult,
    Speed,
    TaskMeasure,
    WorstFrame,
)

ALPHA = np.tile(np.linspace(0, 1, 32, dtype=np.float32), (24, 1))


def worst(**changes: Any) -> WorstFrame:
    picture = np.zeros((24, 32, 3), np.uint8)
    picture[:, :, 0] = 200
    off = ALPHA.copy()
    off[5:8, 5:8] += 0.25
    return replace(WorstFrame("frame 7", "alpha", 31.5, picture, ALPHA, off), **changes)


def result(**changes: Any) -> QuantizationResult:
    made = QuantizationResult(
        preset="int8",
        calibration=CalibrationSummary("clip.mp4", 120, 64, random=False, sha256="ab" * 32),
        evaluation="16 frames of other.mp4",
        findings=[],
        outputs={"alpha": OutputQuality(31.5, 28.0, 0.99912, 0.25)},
        task={"mad": TaskMeasure(0.0069, 0.0083, "alpha", higher_is_better=False)},
        floors=[FloorResult("psnr_db", 30.0, 31.5, held=True)],
        default_floor=False,
        layers=[
            LayerResult("/a/Conv", "Conv", "int8", "", 40.0, 55.0, 2_000_000, 20.0, 10.0),
            LayerResult("/b/Conv", "Conv", "int8", "", 20.0, 33.0, 1_000_000, 9.0, 7.5),
            LayerResult("/c/Act", "HardSigmoid", "fp16", "HardSigmoid has no integer kernel", 35.0),
        ],
        worst=[worst()],
        fp32_bytes=2_000_000,
        quantised_bytes=500_000,
        speed=Speed(10.0, 4.0, 2.5, 15, 1),
        board_ms={"hilens_kit": (4.0, 2.0)},
        evaluations=3,
    )
    return replace(made, **changes)


def text_of(page: str) -> str:
    """What a reader sees; every element must be closed."""
    words: list[str] = []
    open_: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: Any) -> None:
            if tag not in ("meta", "img", "br", "col"):
                open_.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert open_.pop() == tag

        def handle_data(self, data: str) -> None:
            if open_[-1:] not in (["style"], ["title"]):
                words.append(data)

    reader = Reader()
    reader.feed(page)
    assert open_ == []
    return " ".join(" ".join(words).split())


def pictures(page: str) -> list[Any]:
    coded = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    raw = [np.frombuffer(base64.b64decode(one), np.uint8) for one in coded]
    return [cv2.cvtColor(cv2.imdecode(one, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB) for one in raw]


def test_the_figures_are_on_the_page() -> None:
    seen = text_of(quantization_page(result(), "net"))
    for part in (
        "net in int8", "Accepted. All floors hold.", "0.25 of the size of float32",
        "1.91 MiB to 488 KiB", "2.50x the speed of float32 on this CPU, measured",
        "10.00 to 4.00 ms, 1 thread, 15 rounds", "2.00x the speed of fp16 on hilens_kit",
        "2 of 3 layers in int8", "psnr_db 30 31.5 holds", "mad 0.0069 0.0083 +0.0014 alpha lower",
        "clip.mp4", "120, 64", "16 frames of other.mp4", "HardSigmoid has no integer kernel",
        "Times are estimates of hilens_kit",
    ):  # fmt: skip
        assert part in seen, part


def test_it_stands_alone() -> None:
    page = quantization_page(result(), "net")
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert "<script" not in page


def test_a_missed_floor_comes_first_with_the_layers_to_blame() -> None:
    floors = [FloorResult("psnr_db", 35.0, 31.5, held=False), FloorResult("cosine", 0.9, 1.0, True)]
    seen = text_of(quantization_page(result(floors=floors), "net"))
    assert "Rejected. It misses the floor of psnr_db. Most is lost in /b/Conv (33.0 dB" in seen
    assert "Accepted" not in seen
    assert "psnr_db 35 31.5 missed" in seen


def test_findings_stand_above_the_figures() -> None:
    finding = Finding("few-frames", "4 distinct frames, of 109", "give more frames")
    seen = text_of(quantization_page(result(findings=[finding]), "net"))
    assert "few-frames : 4 distinct frames, of 109 What to do: give more frames" in seen
    assert seen.index("few-frames") < seen.index("of the size of float32")


def test_noise_marks_the_page() -> None:
    summary = CalibrationSummary("noise", 64, 64, random=True, sha256="cd" * 32)
    seen = text_of(quantization_page(result(calibration=summary), "net"))
    assert seen.index("Calibrated on noise") < seen.index("Accepted")


def test_default_floors_are_called_that() -> None:
    assert "these are the defaults" in text_of(quantization_page(result(default_floor=True), "n"))
    assert "the defaults" not in text_of(quantization_page(result(), "n"))


def test_layers_are_sorted_by_blame() -> None:
    seen = text_of(quantization_page(result(), "net"))
    table = seen[seen.index("Layers, those to blame first") :]
    assert table.index("/b/Conv") < table.index("/a/Conv") < table.index("/c/Act")
    # Without a measurement of each alone: by what the whole network gives.
    layers = [replace(layer, alone_db=None) for layer in result().layers]
    seen = text_of(quantization_page(result(layers=layers), "net"))
    table = seen[seen.index("Layers, those to blame first") :]
    assert table.index("/b/Conv") < table.index("/c/Act") < table.index("/a/Conv")


def test_the_worst_layer_has_the_longest_bar() -> None:
    page = quantization_page(result(), "net")
    widths = [int(one) for one in re.findall(r'class="bar" style="width:(\d+)px"', page)]
    assert widths == [70, round(70 * (60 - 55) / (60 - 33))]
    layers = [LayerResult("/a", "Conv", "int8", "", 1.0, -np.inf)]
    assert 'style="width:70px"' in quantization_page(result(layers=layers), "net")


def test_a_long_table_is_folded() -> None:
    layers = [LayerResult(f"/l{place}", "Conv", "int8", "", 30.0) for place in range(40)]
    seen = text_of(quantization_page(result(layers=layers), "net"))
    assert "15 further layers" in seen
    assert "/l39" in seen


def test_input_both_results_and_their_difference_side_by_side() -> None:
    saw, fp32, int8, apart = pictures(quantization_page(result(), "net"))
    assert (saw == [200, 0, 0]).all()
    np.testing.assert_allclose(fp32[:, :, 0], np.rint(ALPHA * 255), atol=1)
    assert int(int8[6, 6, 0]) - int(fp32[6, 6, 0]) == pytest.approx(64, abs=2)
    assert (apart[0] == apart[0, 0]).all()
    assert apart[6, 6].sum() > 3 * apart[0, 0].sum() + 100
    assert "difference x 4; the largest is 0.25, the range 1" in quantization_page(result(), "n")


def test_colour_outputs_and_large_ones() -> None:
    colour = np.stack([np.full((900, 600), value, np.float32) for value in (1.0, 0.5, 0.0)])
    page = quantization_page(result(worst=[worst(picture=None, fp32=colour, quantised=colour)]), "")
    fp32, _, apart = pictures(page)
    assert fp32.shape == (480, 320, 3)
    assert fp32[100, 100].tolist() == [255, 128, 0]
    assert (apart == apart[0, 0]).all()


@pytest.mark.parametrize(("low", "high"), [(0.2, 0.6), (-0.1, 1.1), (-0.9, 0.5), (3, 240)])
def test_a_picture_keeps_the_usual_scale(low: float, high: float) -> None:
    ramp = (low + (high - low) * ALPHA).astype(np.float32)
    page = quantization_page(result(worst=[worst(picture=None, fp32=ramp, quantised=ramp)]), "")
    shown = pictures(page)[0][0, [0, -1], 0].astype(float)
    black, white = (0, 255) if high > 2 else (-1, 1) if low < -0.2 else (0, 1)
    scaled = 255 * (np.array([low, high]) - black) / (white - black)
    np.testing.assert_allclose(shown, np.clip(scaled, 0, 255), atol=1)


def test_other_values_fill_the_scale() -> None:
    ramp = (1e4 + 2e3 * ALPHA).astype(np.float32)
    page = quantization_page(result(worst=[worst(picture=None, fp32=ramp, quantised=ramp)]), "")
    assert pictures(page)[0][0, [0, -1], 0].tolist() == [0, 255]


def test_vectors_are_drawn_as_curves() -> None:
    row = np.sin(np.linspace(0, 9, 300, dtype=np.float32))[None]
    page = quantization_page(result(worst=[worst(picture=None, fp32=row, quantised=row + 1)]), "")
    (drawn,) = pictures(page)
    assert "float32 (blue) and quantised (red)" in page
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 3


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_break_no_picture(value: float) -> None:
    off = ALPHA.copy()
    off[3, 3] = value
    page = quantization_page(result(worst=[worst(quantised=off)]), "net")
    assert len(pictures(page)) == 4


def test_constant_outputs_and_infinite_figures() -> None:
    flat = np.zeros((4, 4), np.float32)
    page = quantization_page(
        result(
            worst=[worst(psnr_db=np.inf, fp32=flat, quantised=flat)],
            outputs={"y": OutputQuality(np.inf, np.inf, 1.0, 0.0)},
        ),
        "net",
    )
    assert "PSNR infinite" in page
    assert "y inf inf 1.00000 0" in text_of(page)


def test_nothing_measured_is_said_and_names_are_escaped() -> None:
    page = quantization_page(
        result(speed=None, worst=[], layers=[], task={}, floors=[], board_ms={}), "<b>x</b>"
    )
    seen = text_of(page)
    assert "<b>x</b> in int8" in seen
    for part in ("not measured", "No frame was kept", "No layer was looked at", "No floor was set"):
        assert part in seen, part
