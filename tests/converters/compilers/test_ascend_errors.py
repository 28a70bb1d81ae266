"""What the compilers print becomes sentences with the node and a remedy.

The lines are the documented messages with values put in, and lines that users have reported.
"""

from __future__ import annotations

import re

import pytest

from npukit_convert.compilers.ascend_errors import CODES, problems


@pytest.mark.parametrize(
    ("line", "code", "node", "sentence", "remedy"),
    [
        (
            "E19010: No parser is registered for Op [Conv_52, optype [ai.onnx::11::Convx]].",
            "E19010", "Conv_52", "operator ai.onnx::11::Convx of 'Conv_52' is not known", "opset",
        ),
        (
            "E19010: [PID: 3] 2024-03-01-10:11 No parser is registered for Op [a/b, optype [X]].",
            "E19010", "a/b", "operator X of 'a/b' is not known", "opset",
        ),
        (
            "E13003: No supported Ops kernel and engine are found for [norm], optype [GroupNorm].",
            "E13003", "norm", "this chip has no kernel for GroupNorm of 'norm'", "lint",
        ),
        (
            "E13002: Optype [Conv2D] of Ops kernel [AIcore] is unsupported. Reason: dilation.",
            "E13002", "", "operator Conv2D is not supported: dilation", "lint",
        ),
        (
            "E10501: IR for Op [a, optype [Foo]], is not registered.",
            "E10501", "a", "operator Foo of 'a' is not known", "lint",
        ),
        (
            "E11009: No Caffe parser is registered for Op [hs, optype [HardSwish]].",
            "E11009", "hs", "Caffe layer type HardSwish of 'hs' is not known", "rewrite HardSwish",
        ),
        (
            "E10016: Input Op [data] specified in [--input_shape] is not found in the model.",
            "E10016", "data", "--input_shape names 'data', which is no input", "inspect",
        ),
        (
            "E10034: Nodes (for example, [image]) connected to aipp must not be of type fp16.",
            "E10034", "image", "input 'image' goes through AIPP", "input_fp16_nodes",
        ),
        (
            "E81012: Compile op[aipp] failed, cause: src_image_size_w must be even",
            "E81012", "", "the AIPP file is refused: src_image_size_w must be even", "preprocess",
        ),
        (
            "E11029: Op [conv1] exists in model file but not found in weight file.",
            "E11029", "conv1", "'conv1' has no weights in the caffemodel", "one network",
        ),
        (
            "E19022: Model memory requires [9000] memory, which exceeds system limit [8000].",
            "E19022", "", "the network needs 9000 of memory", "smaller",
        ),
        (
            "E10001: Value [Ascend31] for [--soc_version] is invalid. Reason: unknown.",
            "E10001", "", "--soc_version cannot be 'Ascend31': unknown", "compiler",
        ),
        (
            "omg: libfmk_common.so: cannot open shared object file: No such file or directory",
            "", "", "the compiler lacks libfmk_common.so", "DDK_HOME",
        ),
        (
            "ModuleNotFoundError: No module named 'te.platform'",
            "", "", "lacks te.platform", "Python",
        ),
        ("terminate called ... what():  std::bad_alloc", "", "", "ran out of memory", "4 GB"),
        (
            "E99998: Something new for Op [x].", "E99998", "", "Something new for Op [x].",
            "list of codes",
        ),
        ("E13003: reworded by a later version", "E13003", "", "reworded by a later", "lint"),
    ],
)  # fmt: skip
def test_a_line_in_words(line: str, code: str, node: str, sentence: str, remedy: str) -> None:
    (problem,) = problems(f"ATC start working now\n{line}\nATC run failed, Please check the log\n")
    assert (problem.code, problem.node) == (code, node)
    assert sentence in problem.sentence
    assert remedy in problem.remedy
    assert problem.said == line


def test_each_problem_once_and_in_order() -> None:
    log = (
        "E10034: Nodes (for example, [image]) connected\n"
        "E19999: Unknown error occurred.\n"
        "E10034: Nodes (for example, [image]) connected\n"
    )
    assert [problem.code for problem in problems(log)] == ["E10034", "E19999"]


def test_an_ordinary_log_holds_none() -> None:
    log = "ATC start working now, please wait for a moment.\nloss E5 at 1E10\nATC run success.\n"
    assert problems(log) == ()


@pytest.mark.parametrize("code", CODES)
def test_every_entry_can_be_told(code: str) -> None:
    """Each value that its sentence names is one that its expression takes out of the message."""
    known = CODES[code]
    groups = set(re.compile(known.pattern).groupindex) | {"type"}
    for text in (known.sentence, known.remedy):
        assert set(re.findall(r"\{(\w+)", text)) <= groups
    (problem,) = problems(f"{code}: ")
    assert problem.remedy
    assert "{" not in problem.remedy
