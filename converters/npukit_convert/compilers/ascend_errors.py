"""What Huawei's compilers print when they fail, as sentences with the node and a remedy.

Codes and the form of their messages: error_manager/error_code.json of Ascend's metadef. The
regular expressions take the values out of a message; words and remedies are npukit's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

_OP = r"Op ?\[(?P<node>[^\],]+)(?:, ?optype \[(?P<type>[^\]]+)\])?"
_FLAG = r"\[--(?P<flag>\w+)\]"
_UNSUPPORTED = (
    "`npukit lint` says which operators a chip has; rewrite {type}, or move that part into the "
    "skill"
)
_REPORT = "report it: npukit writes this file"


class Known(NamedTuple):
    """A known error: how its message looks, what it means, what to do."""

    pattern: str
    sentence: str
    remedy: str


class Problem(NamedTuple):
    """An error that was found in a log.

    Attributes:
        code: the vendor's, empty for what has none.
        node: the operator's name, empty if none is named.
        sentence: what happened.
        remedy: what to do.
        said: the vendor's line.
    """

    code: str
    node: str
    sentence: str
    remedy: str
    said: str


CODES: Mapping[str, Known] = {
    "E10001": Known(
        r"Value \[(?P<value>.*?)\] for \[(?P<flag>.*?)\] is invalid\. Reason: (?P<why>.*)",
        "{flag} cannot be {value!r}: {why}",
        "correct it under `compiler:`",
    ),
    "E10002": Known(
        r"Value \[(?P<value>.*?)\] for \[--input_shape\] is invalid\. Reason: (?P<why>[^.]*)",
        "the input shapes {value!r} are not understood: {why}",
        _REPORT,
    ),
    "E10005": Known(
        rf"Value \[(?P<value>.*?)\] for {_FLAG}", "--{flag} is true or false, not {value!r}",
        "correct it under compiler.options",
    ),
    "E10007": Known(
        rf"{_FLAG} is required", "--{flag} is required", "give it under compiler.options"
    ),
    "E10008": Known(r"", "the weights of the Caffe network are missing", _REPORT),
    "E10009": Known(
        r"", "only one of dynamic batch, image size and dims can be given",
        "keep one of compiler.dynamic_batch and compiler.dynamic_image_size",
    ),
    "E10016": Known(
        r"Input Op \[(?P<node>.*?)\] specified in \[--(?P<flag>\w+)\]",
        "--{flag} names {node!r}, which is no input of the network",
        "name inputs as the network does: `npukit inspect` shows them",
    ),
    "E10034": Known(
        r"for example, \[(?P<node>.*?)\]", "input {node!r} goes through AIPP, so it cannot be fp16",
        "leave it out of compiler.input_fp16_nodes",
    ),
    "E10041": Known(
        r"from \[(?P<file>.*?)\]", "the network {file} is not understood",
        "its form and --framework must agree; a file of a few hundred bytes is a Git LFS pointer",
    ),
    "E10052": Known(
        r"Reason: (?P<why>.*)", "the AIPP file is not valid: {why}",
        "correct `preprocess:`, or the file that compiler.aipp names",
    ),
    "E10501": Known(_OP, "operator {type} of {node!r} is not known", _UNSUPPORTED),
    "E11005": Known(
        r"input \[(?P<node>.*?)\]", "input {node!r} has no shape", "give it under `inputs:`"
    ),
    "E11008": Known(
        r"", "layer type DetectionOutput is not taken under this name",
        "rename it: compiler.options op_name_map, to SSDDetectionOutput or FSRDetectionOutput",
    ),
    "E11009": Known(_OP, "Caffe layer type {type} of {node!r} is not known", _UNSUPPORTED),
    "E11018": Known(
        r"\[(?P<node>.*?)\]", "the name {node!r} has characters that are not allowed", _REPORT
    ),
    "E11021": Known(
        r"\[(?P<file>.*?)\]", "{file} is of Caffe's old format (`layers`)",
        "upgrade it with Caffe's upgrade_net_proto_text",
    ),
    "E11022": Known(r"", "the prototxt has no layers", "check the file"),
    "E11023": Known(
        r"", "the caffemodel is of Caffe's old format (`layers`)",
        "upgrade it with Caffe's upgrade_net_proto_binary",
    ),
    "E11029": Known(
        _OP, "{node!r} has no weights in the caffemodel",
        "prototxt and caffemodel must be of one network",
    ),
    "E11033": Known(
        r"Blob \[(?P<node>.*?)\]", "the weights of {node!r} have the wrong size",
        "prototxt and caffemodel must be of one network",
    ),
    "E13002": Known(
        r"Optype \[(?P<type>.*?)\].*Reason: (?P<why>.*)", "operator {type} is not supported: {why}",
        _UNSUPPORTED,
    ),
    "E13003": Known(
        r"for \[(?P<node>[^\]]+)\], optype \[(?P<type>[^\]]+)\]",
        "this chip has no kernel for {type} of {node!r}", _UNSUPPORTED,
    ),
    "E14001": Known(
        r"Argument \[(?P<value>.*?)\] for Op \[(?P<node>[^\],]+).*Reason: (?P<why>.*)",
        "{node!r} cannot have {value!r}: {why}", "change that layer of the network",
    ),
    "E16002": Known(
        r"optype \[(?P<type>.*?)\]", "ONNX operator {type} is not known",
        "export with an opset that this CANN version reads (11 to 15), or rewrite the operator",
    ),
    "E19010": Known(
        _OP, "operator {type} of {node!r} is not known",
        "export with an opset that this CANN version reads (11 to 15); `npukit lint` says which "
        "operators a chip has",
    ),
    "E19014": Known(
        r"Value \[(?P<value>.*?)\] for Op \[(?P<node>[^\],]+).*Reason: (?P<why>.*)",
        "{node!r} cannot have {value!r}: {why}", "change that layer of the network",
    ),
    "E19018": Known(
        r"\[(?P<file>.*?)\]", "{file} is no valid protobuf text",
        "the prototxt or AIPP file is not of the grammar that this compiler reads",
    ),
    "E19022": Known(
        r"requires \[(?P<value>.*?)\]", "the network needs {value} of memory, more than there is",
        "make the input, the batch or the network smaller",
    ),
    "E70014": Known(
        r"(?P<why>.*)", "AIPP gives another size than the network takes: {why}",
        "height and width of the input and of the AIPP file must agree",
    ),
    "E81012": Known(
        r"cause: (?P<why>.*)", "the AIPP file is refused: {why}",
        "correct `preprocess:`, or the file that compiler.aipp names",
    ),
    "EE1000": Known(
        r"(?P<why>.*)", "the chip's version is not known to this compiler: {why}",
        "compiler.soc_version must be one that this CANN version lists",
    ),
    "EZ3003": Known(
        rf"(?:{_OP})?", "this chip has no kernel for an operator of the network", _UNSUPPORTED
    ),
}  # fmt: skip
# What has no code.
TEXTS: tuple[Known, ...] = (
    Known(
        r"(?P<file>lib[\w.+-]+): cannot open shared object file", "the compiler lacks {file}",
        "its environment is not set: source set_env.sh (CANN), or set DDK_HOME (DDK)",
    ),
    Known(
        r"ModuleNotFoundError: No module named '(?P<file>[\w.]+)'",
        "the compiler's Python lacks {file}",
        "install it for the Python that the compiler uses (CANN's installation guide lists them)",
    ),
    Known(
        r"[Oo]ut of memory|bad_alloc|Cannot allocate memory", "the compiler ran out of memory",
        "4 GB and more are needed",
    ),
)  # fmt: skip
_CODE = re.compile(r"\b(E[A-Z]?\d{4,5})\b\s*:?\s*(.*)")
_STAMP = re.compile(r"^\[PID: ?\d+\]\s*[\d:. -]*")  # newer compilers: [PID: 1] 2024-01-31-10:00:00


def problems(log: str) -> tuple[Problem, ...]:
    """The errors in a log, each once, in order; those that npukit does not know too."""
    found: dict[tuple[str, str], Problem] = {}
    for line in log.splitlines():
        match = _CODE.search(line)
        if match is not None:
            problem = _of_code(match[1], _STAMP.sub("", match[2]).strip(), line.strip())
            found.setdefault((problem.code, problem.sentence), problem)
            continue
        for known in TEXTS:
            text = re.search(known.pattern, line)
            if text is not None:
                sentence = known.sentence.format(**text.groupdict())
                found.setdefault(
                    ("", sentence), Problem("", "", sentence, known.remedy, line.strip())
                )
    return tuple(found.values())


def _of_code(code: str, message: str, said: str) -> Problem:
    known = CODES.get(code)
    if known is None:
        return Problem(code, "", message or "no message", "see the vendor's list of codes", said)
    match = re.search(known.pattern, message)
    if match is None:  # another version words it differently
        return Problem(code, "", message, known.remedy.format(type="it"), said)
    values = {name: value or "an operator" for name, value in match.groupdict().items()}
    node = match.groupdict().get("node") or ""
    values.setdefault("type", "it")
    return Problem(
        code, node, known.sentence.format(**values).rstrip("."), known.remedy.format(**values), said
    )
