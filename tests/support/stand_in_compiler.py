"""A stand-in for Huawei's `omg` and `atc`: it checks how it is called and compiles nothing.

No vendor binary can be had for tests. This script, installed under one of the two names, parses
its arguments by the documented grammar (OMG: Atlas 500 model conversion guide; ATC: CANN ATC
instructions), refuses what that does not allow with the documented codes and texts, looks into
the files, and writes a file that says so. Whether a real compiler takes a network is not shown.

`stand_in.json` beside it changes what it does: `sleep_s`, `print`, `fail` (text and code), `empty`.
"""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import sys
import time
from typing import Any, Dict, List

MARK = "stand-in: nothing was compiled"
_BOTH = {
    "model", "weight", "framework", "output", "input_shape", "input_format", "insert_op_conf",
    "op_name_map", "out_nodes", "om", "json", "mode", "cal_conf", "check_report", "output_type",
    "input_fp16_nodes", "target", "encrypt_mode", "encrypt_key", "certificate", "hardware_key",
    "private_key",
}  # fmt: skip
FLAGS = {
    "omg": _BOTH | {"ddk_version", "plugin_path", "net_format", "fp16_high_prec",
                    "is_output_fp16"},
    "atc": _BOTH | {
        "input_shape_range", "precision_mode", "is_input_adjust_hw_layout",
        "is_output_adjust_hw_layout", "soc_version", "core_type", "aicore_num",
        "op_select_implmode", "optypelist_for_implmode", "buffer_optimize", "disable_reuse_memory",
        "fusion_switch_file", "auto_tune_mode", "enable_small_channel", "enable_compress_weight",
        "compress_weight_conf", "compression_optimize_conf", "enable_single_stream",
        "save_original_model", "dump_mode",
        "op_debug_level", "debug_dir", "op_compiler_cache_dir", "op_compiler_cache_mode", "log",
        "dynamic_batch_size", "dynamic_image_size", "dynamic_dims", "keep_dtype",
        "modify_mixlist",
    },
}  # fmt: skip
VALUES = {
    "omg": {"framework": "0|3", "net_format": "ND|5D", "fp16_high_prec": "0|1",
            "output_type": "FP32|UINT8", "mode": "0|1|3"},
    "atc": {
        "framework": "0|1|3|5", "output_type": "FP32|FP16|UINT8|.+:[0-9]+:(FP32|FP16|UINT8).*",
        "precision_mode": "force_fp16|force_fp32|allow_mix_precision|allow_fp32_to_fp16|"
                          "must_keep_origin_dtype",
        "op_select_implmode": "high_performance|high_precision", "core_type": "AiCore|VectorCore",
        "disable_reuse_memory": "0|1", "log": "null|debug|info|warning|error", "mode": "[01356]",
        "soc_version": "Ascend[0-9]+[A-Z0-9]*",
    },
}  # fmt: skip
FORMATS = {"0": "NCHW|ND", "3": "NCHW|NHWC|ND|NCDHW|NDHWC", "5": "NCHW|ND", "1": "NCHW|ND"}


class Refused(Exception):
    """What the vendor's program would print."""


def refuse(code: str, text: str) -> None:
    raise Refused("{}: {}".format(code, text))


def parse(tool: str, words: List[str]) -> Dict[str, str]:
    flags: Dict[str, str] = {}
    for word in words:
        match = re.fullmatch(r"--(\w+)=(.*)", word, re.DOTALL)
        if match is None or match[1] not in FLAGS[tool]:
            # gflags, before the compiler's own checks
            raise Refused("ERROR: unknown command line flag '{}'".format(word.lstrip("-")))
        if match[1] in flags:
            refuse("E10014", "Value [{}] for [--{}] is invalid.".format(match[2], match[1]))
        flags[match[1]] = match[2]
    for name, value in flags.items():
        if not value:
            refuse("E10004", "Value for [--{}] is empty.".format(name))
        allowed = VALUES[tool].get(name)
        if allowed is not None and not re.fullmatch(allowed, value):
            refuse("E10014", "Value [{}] for [--{}] is invalid.".format(value, name))
    for name in ("framework", "model", "output") + (("soc_version",) if tool == "atc" else ()):
        if name not in flags:
            refuse("E10007", "[--{}] is required. Must be [a value].".format(name))
    return flags


def check_files(flags: Dict[str, str]) -> str:
    for name in ("model", "weight", "insert_op_conf", "cal_conf", "compression_optimize_conf",
                 "op_name_map"):  # fmt: skip
        if name in flags and not os.path.isfile(flags[name]):
            refuse("E19000", "Path[{}] is empty. Reason: no such file.".format(flags[name]))
    if flags["framework"] == "0" and "weight" not in flags:
        refuse("E10008", "[--weight] must not be empty when [--framework] is set to 0 (Caffe).")
    with open(flags["model"], "rb") as file:
        data = file.read()
    if flags["framework"] == "0":
        return check_prototxt(data, flags["model"])
    if b"\x0a" not in data[:200] or len(data) < 50:
        refuse("E10041", "Failed to load the model from [{}]. Check the model file or the "
               "[--framework] argument.".format(flags["model"]))  # fmt: skip
    return data.decode("latin-1")


def check_prototxt(data: bytes, name: str) -> str:
    text = data.decode("utf-8")
    if re.search(r"^\s*layers\s*\{", text, re.MULTILINE):
        refuse("E11021", "Model file [{}] contains [layers] structures, which have been "
               "deprecated in Caffe and unsupported by ATC.".format(name))  # fmt: skip
    if not re.search(r"^\s*layer\s*\{", text, re.MULTILINE):
        refuse("E11022", "Invalid prototxt file. No [layer] structures are found in the model.")
    for layer in re.findall(r'name: "([^"]*)"', text):
        if not re.fullmatch(r"[\w./-]+", layer):
            refuse("E11018", "Op name string [{}] is invalid.".format(layer))
    return text


def check_shapes(tool: str, flags: Dict[str, str], network: str) -> None:
    if "input_format" in flags and not re.fullmatch(
        FORMATS[flags["framework"]], flags["input_format"]
    ):
        refuse(
            "E10014", "Value [{}] for [--input_format] is invalid.".format(flags["input_format"])
        )
    dynamic = [name for name in ("dynamic_batch_size", "dynamic_image_size", "dynamic_dims")
               if name in flags]  # fmt: skip
    if len(dynamic) > 1:
        refuse("E10009", "[--dynamic_batch_size], [--dynamic_image_size], and [--dynamic_dims] are "
               "mutually exclusive.")  # fmt: skip
    text = flags.get("input_shape", "")
    shapes = {}
    for item in filter(None, text.split(";")):
        name, colon, sides = item.rpartition(":")
        if not colon or not re.fullmatch(r"-?\d+(,-?\d+)*", sides):
            refuse("E10002", "Value [{}] for [--input_shape] is invalid. Reason: not a shape. Must "
                   "be formatted as [input_name1:n1,c1,h1,w1;].".format(text))  # fmt: skip
        if name not in network:
            refuse("E10016", "Input Op [{}] specified in [--input_shape] is not found in the "
                   "model.".format(name))  # fmt: skip
        shapes[name] = [int(side) for side in sides.split(",")]
    open_ = [place for shape in shapes.values() for place, side in enumerate(shape) if side < 1]
    if open_ and not dynamic:
        refuse("E10011", "Argument [{}] for [--input_shape] is invalid. Shape values must be "
               "positive integers. The error value is: -1.".format(text))  # fmt: skip
    if dynamic and not open_:
        refuse("E10040", "As the dynamic argument is included, the corresponding nodes must have "
               "-1 axes.")  # fmt: skip
    if "dynamic_batch_size" in flags:
        if set(open_) != {0}:
            refuse("E10018", "Value [{}] for shape [0] is invalid.".format(text))
        sizes = flags["dynamic_batch_size"].split(",")
        if len(sizes) < 2 or not all(size.isdigit() for size in sizes):
            refuse("E10035", "The [--dynamic_batch_size] argument has [1] profiles, which is less "
                   "than the minimum [2].")  # fmt: skip
    if "dynamic_image_size" in flags:
        if set(open_) != {2, 3}:
            refuse("E10019", "only the height and width axes can be -1")
        if not re.fullmatch(r"\d+,\d+(;\d+,\d+)+", flags["dynamic_image_size"]):
            refuse("E10020", "Value [{}] for [--dynamic_image_size] is invalid.".format(
                flags["dynamic_image_size"]))  # fmt: skip
    for node in filter(None, flags.get("input_fp16_nodes", "").split(";")):
        if node not in shapes:
            refuse("E10016", "Input Op [{}] specified in [--input_fp16_nodes] is not found in the "
                   "model.".format(node))  # fmt: skip
    check_aipp(flags, list(shapes))
    if "cal_conf" in flags and tool == "omg":
        check_cal_conf(flags["cal_conf"], shapes)
    if "compression_optimize_conf" in flags:
        check_compression(flags["compression_optimize_conf"], shapes)


def check_cal_conf(name: str, shapes: Dict[str, List[int]]) -> None:
    """By the template and the tables of parameters in the model conversion guides."""
    with open(name, encoding="ascii") as file:
        text = file.read()
    values = {"device": "USE_CPU", "quantize_algo": "NON_OFFSET|HALF_OFFSET",
              "weight_type": "VECTOR_TYPE|SCALAR_TYPE", "bin": r"\d+", "type": "KL",
              "inference_with_data_quantized": "true|false",
              "inference_with_weight_quantized": "true|false", "batch_count": r"\d+",
              "exclude_op": "'[^']+'", "input_type": "IMAGE|BINARY", "image_format": r"\w+",
              "input_file_path": "'[^']+'", "mean_value": r"[\d.]+",
              "standard_deviation": r"[\d.]+", "min_percentile": "PERCENTILE_HIGH",
              "max_percentile": "PERCENTILE_MID", "start_ratio": r"[\d.]+",
              "end_ratio": r"[\d.]+", "step_ratio": r"[\d.]+",
              "super_parameter": r"\{", "preprocess_parameter": r"\{"}  # fmt: skip
    found: Dict[str, List[str]] = {}
    for line in filter(None, (line.strip() for line in text.splitlines())):
        key, _, value = line.partition(":")
        if line != "}" and not (key in values and re.fullmatch(values[key], value.strip())):
            refuse("E19018", "Failed to parse file [{}]: {}.".format(name, line))
        found.setdefault(key, []).append(value.strip().strip("'"))
    for key in ("device", "quantize_algo", "weight_type", "preprocess_parameter"):
        if key not in found:
            refuse("E19018", "[{}] is mandatory in [{}].".format(key, name))
    if len(found["preprocess_parameter"]) != len(shapes):
        refuse("E19018", "Input nodes number does not match preprocess parameters.")
    for path, shape in zip(found["input_file_path"], shapes.values()):
        with open(path, "rb") as file:
            data = file.read()
        magic, count, channels, height, width = struct.unpack("<5i", data[:20])
        size = 20 + 4 * count * channels * height * width
        if magic != 510 or [channels, height, width] != shape[1:] or len(data) != size:
            refuse("E19018", "Invalid bin file [{}].".format(path))


def check_compression(name: str, shapes: Dict[str, List[int]]) -> None:
    """By the ATC instructions."""
    with open(name, encoding="utf-8") as file:
        text = file.read()
    match = re.fullmatch(r"calibration:\s*\{(.*)\}\s*", text, re.DOTALL)
    lines = [] if match is None else list(filter(None, match[1].split("\n")))
    found = dict(line.split(": ", 1) for line in lines)
    if not {"input_data_dir", "input_shape", "infer_soc"} <= set(found):
        refuse("E19018", "Failed to parse file [{}].".format(name))
    unknown = set(found) - {"input_data_dir", "input_shape", "infer_soc", "config_file",
                            "infer_aicore_num", "infer_device_id", "infer_ip", "infer_port",
                            "log"}  # fmt: skip
    files = found["input_data_dir"].split(",")
    given = dict(item.rsplit(":", 1) for item in found["input_shape"].split(";"))
    if unknown or set(given) != set(shapes) or len(files) != len(shapes):
        refuse("E19018", "[{}] is wrong: {} {}.".format(name, unknown, given))
    for path, sides in zip(files, given.values()):
        size = 4
        for side in sides.split(","):
            size *= int(side)
        if not os.path.getsize(path) or os.path.getsize(path) % size:
            refuse("E19018", "Invalid bin file [{}].".format(path))
    with open(found["config_file"], encoding="utf-8") as file:
        for line in file:
            if not re.fullmatch(r'activation_offset: (true|false)|skip_layers: "[^"\\]+"',
                                line.strip()):  # fmt: skip
                refuse("E19018", "Failed to parse file [{}].".format(found["config_file"]))


def check_aipp(flags: Dict[str, str], inputs: List[str]) -> None:
    if "insert_op_conf" not in flags:
        return
    with open(flags["insert_op_conf"], encoding="utf-8") as file:
        text = re.sub(r"#.*", "", file.read())
    if text.count("{") != text.count("}") or re.search(r"input_para|crop_func", text):
        refuse("E19018", "Failed to parse file [{}] through [google::protobuf::TextFormat::Parse]. "
               "Try again with a valid protobuf file.".format(flags["insert_op_conf"]))  # fmt: skip
    blocks = re.findall(r"aipp_op\s*\{(.*?)\}", text, re.DOTALL)
    if not blocks:
        refuse("E10052", "AIPP configuration is invalid. Reason: no aipp_op.")
    for block in blocks:
        rank = int((re.findall(r"related_input_rank\s*:\s*(\d+)", block) or ["0"])[0])
        if rank >= len(inputs):
            refuse("E10052", "AIPP configuration is invalid. Reason: no input of that rank.")
        if inputs[rank] in flags.get("input_fp16_nodes", "").split(";"):
            refuse("E10034", "Nodes (for example, [{}]) connected to aipp must not be of type "
                   "fp16.".format(inputs[rank]))  # fmt: skip


def compile_nothing(tool: str, flags: Dict[str, str], told: Dict[str, Any]) -> None:
    content = json.dumps({"mark": MARK, "tool": tool, "flags": flags}).encode()
    header = struct.pack("<4sIII", b"IMOD", 256, 0x10000000, 0).ljust(76, b"\0")
    header += struct.pack("<I", len(content))
    with open(flags["output"] + ".om", "wb") as file:
        if not told.get("empty"):
            file.write(header.ljust(256, b"\0") + content)


def main() -> int:
    tool = os.path.basename(sys.argv[0])
    settings = os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), "stand_in.json")
    told: Dict[str, Any] = {}
    if os.path.exists(settings):
        with open(settings, encoding="utf-8") as file:
            told = json.load(file)
    print("start compiling ({})".format(MARK), flush=True)
    for line in told.get("print", []):
        print(line, flush=True)
    try:
        flags = parse(tool, sys.argv[1:])
        check_shapes(tool, flags, check_files(flags))
        if told.get("sleep_s"):
            with open(flags["output"] + ".om", "wb") as file:
                file.write(b"half")
            subprocess.Popen(["sleep", str(told["sleep_s"])])  # what a real one starts too
            time.sleep(told["sleep_s"])
        if told.get("fail"):
            raise Refused(told["fail"])
    except Refused as error:
        print("{} run failed, Please check the detail log.".format(tool.upper()))
        print(error, flush=True)
        return 1
    compile_nothing(tool, flags, told)
    print("OMG generate offline model success." if tool == "omg"
          else "ATC run success, welcome to the next use.", flush=True)  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
