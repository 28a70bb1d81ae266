"""A network to int8 through the chain: accepted, repaired or refused, and what is written of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from support.compilers import install
from support.graphs import graph, noise
from support.quantized_networks import CONFIG, frames, write_accuracy, write_project
from support.stand_in_compiler import MARK

from npukit.errors import ConfigError
from npukit.om import read_om
from npukit.runtime import load_model
from npukit.runtime.build import read_build
from npukit_convert.chain import convert, plan, step_names
from npukit_convert.config import make_config, read_config
from npukit_convert.conversion import Conversion
from npukit_convert.errors import ConversionError, Rejected
from npukit_convert.execute.onnx_runtime import OnnxRuntime
from npukit_convert.figures import difference
from npukit_convert.quantization.plans.plan import read_plan
from npukit_convert.quantization.rejection import rejection
from npukit_convert.quantization.results import FloorResult
from npukit_convert.record import write_results

WIDE = 300.0  # times as large as all other channels of its layer: the ranges of int8 break there


def run(folder: Path, **overrides: Any) -> Conversion:
    config = read_config(folder / "convert.yaml", overrides)
    return convert(config, folder, str(folder / "convert.yaml"))


def test_int8_from_the_config_to_the_simulated_board(tmp_path: Path) -> None:
    write_project(tmp_path, accuracy=write_accuracy(tmp_path, psnr_db=40.0, cosine=0.999))
    made = run(tmp_path)
    assert [step.name for step in made.steps] == ["read", "simplify", "quantize", "build"]
    done = made.quantization
    assert done is not None
    result = done.result
    assert result.accepted
    assert not result.default_floor
    assert result.calibration.kept == 32
    assert result.evaluation == "16 of 20 frames of others.npy"
    assert result.speed is not None
    assert result.speed.fp32_ms > 0
    assert done.plan.fp16() == []
    kept = {layer.name: layer.why for layer in result.layers if layer.precision == "fp16"}
    assert kept == {"PRelu_4": "PRelu has no integer kernel"}

    # The report says what the simulated board then does, on the same frames.
    files = write_results(made, tmp_path / "out")
    assert (
        read_build(str(files["net.sim"])).onnx == done.onnx == files["net.int8.onnx"].read_bytes()
    )
    model = load_model(str(files["net.sim"]))
    others = np.load(tmp_path / "others.npy")
    with OnnxRuntime(files["net.onnx"]) as exact:
        pairs = [
            (exact.run({"x": one[np.newaxis]})["y"], model.infer({"x": one[np.newaxis]})["y"])
            for one in others
        ]
    span = max(a.max() for a, _ in pairs) - min(a.min() for a, _ in pairs)
    psnr = 10 * np.log10(span**2 / np.mean([(a - b) ** 2 for a, b in pairs]))
    assert result.outputs["y"].psnr_db == pytest.approx(psnr, abs=0.7), "16 of the 20 frames"
    assert min(difference(a, b).snr_db for a, b in pairs) > 20


def test_a_layer_of_huge_range_is_named_and_the_model_refused(tmp_path: Path) -> None:
    write_project(tmp_path, wide=WIDE, accuracy=write_accuracy(tmp_path, psnr_db=40.0))
    with pytest.raises(Rejected) as caught:
        run(tmp_path)
    error = caught.value
    assert error.message.startswith("int8 misses the floor: psnr_db is ")
    assert "the floor 40; most is lost in Conv_5 (alone " in error.message
    assert "Add_3/Conv_3" in error.message
    assert "--precision int8_mixed" in error.hint
    assert error.made.quantization is not None
    assert not error.made.quantization.result.accepted
    assert error.made.build is not None, "to be looked at"


def test_a_floor_that_float32_misses_is_said_to_be_one(tmp_path: Path) -> None:
    write_project(tmp_path, accuracy=write_accuracy(tmp_path, psnr_db=40.0))
    made = run(tmp_path)
    done = made.quantization
    assert done is not None
    missed = FloorResult("mad", 0.1, 0.2, held=False)
    made.quantization = replace(
        done,
        plan=done.plan.with_int8([]),
        result=replace(done.result, floors=[missed], default_floor=True),
    )
    error = rejection(made, "convert.yaml")
    assert error.message == (
        "the floor (the default: no accuracy.yaml names one) is missed with no layer in int8: "
        "mad is 0.2, the floor 0.1"
    )
    assert "no precision helps" in error.hint


def test_mixed_precision_repairs_it_at_least_cost(tmp_path: Path) -> None:
    write_project(tmp_path, wide=WIDE, accuracy=write_accuracy(tmp_path, psnr_db=40.0))
    made = run(tmp_path, precision="int8_mixed")
    done = made.quantization
    assert done is not None
    assert done.result.accepted
    assert done.plan.fp16() == ["Add_3/Conv_3", "Conv_5"], "both sides of the wide tensor"
    assert done.plan.int8() == ["Conv_0"]
    why = {layer.name: layer.why for layer in done.result.layers}
    assert why["Conv_5"] == "returned to fp16 for the floor"
    alone = {layer.name: layer.alone_db for layer in done.result.layers}
    assert alone["Conv_5"] is not None
    assert alone["Conv_0"] is not None
    assert alone["Conv_5"] < 40 < alone["Conv_0"]
    again = run(tmp_path, precision="int8_mixed").quantization
    assert again is not None
    assert again.plan == done.plan
    assert again.onnx == done.onnx, "byte for byte"


def test_a_plan_is_edited_and_replayed(tmp_path: Path) -> None:
    write_project(tmp_path, wide=WIDE, accuracy=write_accuracy(tmp_path, psnr_db=40.0))
    made = run(tmp_path, precision="int8_mixed")
    files = write_results(made, tmp_path / "out")
    path = files["net.plan.yaml"]
    assert made.quantization is not None
    assert read_plan(path) == made.quantization.plan
    replayed = run(tmp_path, precision="int8_mixed", **{"quantization.plan": "out/net.plan.yaml"})
    assert replayed.quantization is not None
    assert replayed.quantization.onnx == made.quantization.onnx
    assert replayed.quantization.result.evaluations == 1, "no search"
    assert "out/net.plan.yaml" in replayed.sources

    edited = path.read_text("utf-8").replace("Conv_0: int8", "Conv_0: fp16")
    path.write_text(edited, "utf-8")
    nothing = run(tmp_path, precision="int8", **{"quantization.plan": "out/net.plan.yaml"})
    assert nothing.quantization is not None
    assert nothing.quantization.plan.int8() == []
    path.write_text(edited.replace("Conv_5", "Conv_55"), "utf-8")
    with pytest.raises(ConfigError, match="no layer 'Conv_55'") as caught:
        run(tmp_path, precision="int8", **{"quantization.plan": "out/net.plan.yaml"})
    assert caught.value.where == str(path)
    assert "did you mean 'Conv_5'?" in caught.value.hint


def test_layers_that_are_to_be_kept_are(tmp_path: Path) -> None:
    write_project(tmp_path)
    made = run(tmp_path, **{"quantization.keep": ["Conv_0"], "quantization.method": "percentile",
                            "quantization.activations": "symmetric"})  # fmt: skip
    done = made.quantization
    assert done is not None
    assert done.plan.fp16() == ["Conv_0"]
    assert (done.plan.method, done.plan.activations) == ("percentile", "symmetric")
    (layer,) = [one for one in done.result.layers if one.name == "Conv_0"]
    assert (layer.precision, layer.why) == ("fp16", "asked for (quantization.keep)")
    assert done.result.default_floor


def test_rejected_files_lie_aside_and_older_ones_stay(tmp_path: Path) -> None:
    write_project(tmp_path, wide=WIDE, accuracy=write_accuracy(tmp_path, psnr_db=40.0))
    out = tmp_path / "out"
    good = write_results(run(tmp_path, precision="int8_mixed"), out)
    before = {name: path.read_bytes() for name, path in good.items()}
    with pytest.raises(Rejected) as caught:
        run(tmp_path)
    aside = write_results(caught.value.made, out, {".report.html": "<p>"}, ".rejected")
    assert list(aside)[-1] == "net.build.json.rejected"
    assert set(aside) == {
        f"net.{kind}.rejected" for kind in ("onnx", "int8.onnx", "plan.yaml", "sim", "build.json")
    } | {"net.report.rejected.html"}
    assert {name: path.read_bytes() for name, path in good.items()} == before
    record = json.loads(aside["net.build.json.rejected"].read_text("utf-8"))
    assert record["quantization"]["accepted"] is False


def test_the_record_holds_all_that_was_decided(tmp_path: Path) -> None:
    write_project(tmp_path, accuracy=write_accuracy(tmp_path, psnr_db=40.0))
    files = write_results(run(tmp_path), tmp_path / "out")
    record = json.loads(files["net.build.json"].read_text("utf-8"))
    told = record["quantization"]
    assert told["preset"] == "int8"
    assert told["random_calibration"] is False
    assert told["calibration"]["source"] == "frames.npy"
    assert len(told["calibration"]["sha256"]) == 64
    assert told["floors"][0]["metric"] == "psnr_db"
    assert told["int8"] == ["Conv_0", "Add_3/Conv_3", "Conv_5"]
    assert told["float"] == {"PRelu_4": "PRelu has no integer kernel"}
    assert told["quantised_bytes"] == files["net.int8.onnx"].stat().st_size
    assert record["sources"].keys() == {"net.onnx", "accuracy.yaml"}
    assert set(record["results"]) == {"net.onnx", "net.int8.onnx", "net.plan.yaml", "net.sim"}
    assert record["config"]["calibration"] == {
        "frames": "frames.npy", "samples": 32, "random": False
    }  # fmt: skip


def test_noise_marks_record_and_report(tmp_path: Path) -> None:
    write_project(tmp_path)
    made = run(tmp_path, calibration={"random": True, "samples": 8},
               accuracy=write_accuracy(tmp_path, psnr_db=5.0))  # fmt: skip
    record = json.loads(write_results(made, tmp_path / "o")["net.build.json"].read_text("utf-8"))
    assert record["quantization"]["random_calibration"] is True
    assert any(one["code"] == "random-data" for one in record["quantization"]["findings"])
    assert any("noise" in note for step in made.steps for note in step.notes)
    assert made.build is not None
    assert made.build.record["quantization"]["random_calibration"] is True


def test_int8_needs_calibration_and_says_how(tmp_path: Path) -> None:
    data = {key: value for key, value in CONFIG.items() if key != "calibration"}
    with pytest.raises(ConfigError, match="there is no default") as caught:
        make_config(data, "convert.yaml")
    assert caught.value.where == "convert.yaml, calibration"
    assert "--calibration.frames clip.mp4" in caught.value.hint
    for given in ({}, {"frames": "x.npy", "random": True}):
        with pytest.raises(ConfigError, match="give frames"):
            make_config({**data, "calibration": given}, "convert.yaml")


def test_an_already_quantised_model_is_refused(tmp_path: Path) -> None:
    write_project(tmp_path)
    files = write_results(run(tmp_path), tmp_path / "out")
    with pytest.raises(ConversionError, match="quantised already") as caught:
        run(tmp_path, **{"model.onnx": str(files["net.int8.onnx"])})
    assert caught.value.where.endswith("net.int8.onnx")


def test_an_older_opset_is_raised_on_the_way(tmp_path: Path) -> None:
    path = write_project(tmp_path)
    model = onnx.load(tmp_path / "net.onnx")
    model.opset_import[0].version = 11
    for node in model.graph.node:
        node.name = ""
    onnx.save(model, tmp_path / "net.onnx")
    made = run(path.parent)
    assert made.quantization is not None
    assert [one.version for one in onnx.load_from_string(made.onnx).opset_import] == [13]
    assert all(made.quantization.plan.layers)


def test_what_would_be_done(tmp_path: Path) -> None:
    config = read_config(write_project(tmp_path, target="ascend310"))
    assert step_names(config) == ["read", "simplify", "quantize", "build", "offline", "compile"]
    steps = {step.name: step.does for step in plan(config, tmp_path)}
    assert steps["quantize"] == "int8, ranges from frames.npy, judged against float32"
    assert "--compression_optimize_conf=net.cal.conf" in steps["compile"]


@pytest.mark.parametrize(("route", "tool"), [("caffe", "omg"), ("onnx", "atc")])
def test_the_compiler_gets_the_float_model_the_frames_and_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, route: str, tool: str
) -> None:
    (tmp_path / "tools").mkdir()
    install(tmp_path / "tools")
    monkeypatch.setenv("PATH", f"{tmp_path}/tools:/usr/bin:/bin")
    write_project(tmp_path, wide=WIDE, accuracy=write_accuracy(tmp_path, psnr_db=40.0))
    made = run(tmp_path, precision="int8_mixed", target="ascend310", route=route)
    assert made.compiled is not None, made.steps[-1].notes
    assert made.quantization is not None
    files = made.compiled.files
    assert MARK in files["net.om"].decode("latin-1")
    words = made.compiled.command.split()
    assert made.networks()["net.onnx"] == made.onnx, "float"
    raw = np.frombuffer(files["net.cal.0.bin"], "<f4")
    feeds = np.concatenate([feed["x"] for feed in made.quantization.feeds])
    if tool == "omg":
        assert "--cal_conf=net.cal.conf" in words
        text = files["net.cal.conf"].decode()
        assert made.caffe is not None
        layers = {layer.node: layer.name for layer in made.caffe.layers}
        assert f"exclude_op: '{layers['Conv_5']}'" in text
        assert text.count("exclude_op") == 2
        assert "quantize_algo: HALF_OFFSET" in text
        np.testing.assert_array_equal(
            np.frombuffer(files["net.cal.0.bin"][:20], "<i4"), [510, 32, 3, 16, 16]
        )
        np.testing.assert_array_equal(raw[5:], feeds.ravel())
    else:
        assert "--compression_optimize_conf=net.cal.conf" in words
        text = files["net.cal.conf"].decode()
        assert "input_shape: x:1,3,16,16\n" in text
        assert "infer_soc: Ascend310\n" in text
        assert files["net.quant.cfg"].decode() == (
            'activation_offset: true\nskip_layers: "Add_3/Conv_3"\nskip_layers: "Conv_5"\n'
        )
        np.testing.assert_array_equal(raw, feeds.ravel())


def test_a_recurrent_network_is_calibrated_with_its_own_states(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tools").mkdir()
    install(tmp_path / "tools")
    monkeypatch.setenv("PATH", f"{tmp_path}/tools:/usr/bin:/bin")
    text = """(float[1,3,16,16] image, float[1,2,16,16] last) => (float[1,2,16,16] alpha) {
        a = Conv<pads = [1,1,1,1]>(image, w) b = Conv(last, v) s = Add(a, b) alpha = Sigmoid(s) }"""
    config = {
        **CONFIG, "outputs": ["alpha"], "states": {"last": "alpha"}, "target": "ascend310",
        "route": "caffe", "calibration": {"frames": "frames.npz"},
        "inputs": {"image": {"shape": [1, 3, 16, 16]}, "last": {"shape": [1, 2, 16, 16]}},
    }  # fmt: skip
    (tmp_path / "net.onnx").write_bytes(
        graph(text, w=noise(2, 3, 3, 3), v=3.0 * noise(2, 2, 1, 1, seed=1))
    )
    (tmp_path / "convert.yaml").write_text(yaml.safe_dump(config, sort_keys=False), "utf-8")
    np.savez(tmp_path / "frames.npz", image=frames())
    made = run(tmp_path)
    assert made.quantization is not None
    assert made.quantization.result.accepted
    fed = [feed["last"] for feed in made.quantization.feeds]
    assert not fed[0].any(), "the first frame of a clip has no past"
    assert fed[-1].std() > 0.1
    assert made.compiled is not None
    files = made.compiled.files
    assert files["net.cal.conf"].decode().count("preprocess_parameter") == 2
    states = np.frombuffer(files["net.cal.1.bin"][20:], "<f4")
    np.testing.assert_array_equal(states, np.concatenate([one.ravel() for one in fed]))
    write_results(made, tmp_path / "out")
    model = load_model(str(tmp_path / "out" / "net.sim"))
    images = np.load(tmp_path / "frames.npz")["image"]
    one, two = (model.infer({"image": image[np.newaxis]})["alpha"] for image in images[:2])
    model.reset()
    again = model.infer({"image": images[1][np.newaxis]})["alpha"]
    assert np.abs(two - again).max() > 0.01, "the state is fed back"
    assert one.shape == (1, 2, 16, 16)


def test_a_rejected_network_is_not_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tools").mkdir()
    install(tmp_path / "tools")
    monkeypatch.setenv("PATH", f"{tmp_path}/tools:/usr/bin:/bin")
    write_project(tmp_path, wide=WIDE, accuracy=write_accuracy(tmp_path, psnr_db=40.0))
    with pytest.raises(Rejected) as caught:
        run(tmp_path, target="ascend310")
    made = caught.value.made
    assert made.compiled is None
    assert [step.name for step in made.steps][-1] == "offline"
    assert made.offline is not None


def test_the_offline_model_of_the_simulator_runs_in_int8(tmp_path: Path) -> None:
    write_project(tmp_path, target="ascend310")
    made = run(tmp_path)
    assert made.quantization is not None
    files = write_results(made, tmp_path / "out")
    one = np.load(tmp_path / "others.npy")[:1]
    with OnnxRuntime(made.quantization.onnx) as runtime:
        expected = runtime.run({"x": one})["y"]
    model = load_model(str(files["net.om"]))
    np.testing.assert_array_equal(model.infer({"x": one})["y"], expected)
    types = {node.type for node in read_om(str(files["net.om"])).model.graph[0].op}
    assert "QuantizeLinear" in types, "what is executed is shown"


def test_files_of_the_options_are_found_from_here(tmp_path: Path) -> None:
    from npukit_convert.request import moved, read_request

    path = write_project(tmp_path)
    (tmp_path / "floors.yaml").write_text("precision: {}\n", "utf-8")
    np.save(tmp_path / "mine.npy", frames(4))
    request = read_request(
        str(path),
        {"accuracy": str(tmp_path / "floors.yaml"),
         "calibration.frames": str(tmp_path / "mine.npy"),
         "quantization.plan": str(tmp_path / "net.plan.yaml")},
    )  # fmt: skip
    assert request.config.accuracy == "floors.yaml"
    assert request.config.calibration is not None
    assert request.config.calibration.frames == "mine.npy"
    assert request.config.quantization.plan == "net.plan.yaml"
    (tmp_path / "sub").mkdir()
    elsewhere = moved(request, tmp_path / "sub")
    assert elsewhere.accuracy == "../floors.yaml"
    text = yaml.safe_dump(elsewhere.model_dump(mode="json"))
    assert "../mine.npy" in text
