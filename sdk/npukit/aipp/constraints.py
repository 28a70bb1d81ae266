"""What the compiler and the chip refuse in a well-formed AIPP configuration.

The rules on one block are in `rules` and `geometry_rules`, a function each; the limits of a chip
in `targets/*.json`. Source of what is said of whole files (E10052): GraphEngine's ge_aipp_op.cc.
"""

from __future__ import annotations

from typing import Callable, Iterator, List, Tuple

from npukit.aipp import geometry_rules, rules
from npukit.aipp.cases import NO_CODE, Case, Context, NetworkInput, Violation
from npukit.aipp.config import AippConfig, AippOp, Mode
from npukit.aipp.errors import AippConstraintError
from npukit.profiles import load_target

Rule = Callable[[Case], Iterator[Violation]]
_ALONE = Context()
_ANY: Tuple[Rule, ...] = (
    rules.mode,
    rules.given_once,
    rules.not_fp16,
    rules.ranges,
    rules.reserved,
)
_STATIC: Tuple[Rule, ...] = (
    rules.input_format,
    rules.channels,
    geometry_rules.source_size,
    geometry_rules.profiles,
    geometry_rules.crop,
    geometry_rules.result_size,
)
_DYNAMIC: Tuple[Rule, ...] = (rules.max_size,)


def violations(config: AippConfig, context: Context = _ALONE) -> Tuple[Violation, ...]:
    """Everything that is refused, in the order of the blocks; rules of unknown sizes are left out.

    Args:
        config: the file.
        context: what else the compiler is given.
    """
    found: List[Violation] = list(_of_the_file(config, context))
    chip = load_target(context.target)
    for op in config.aipp_op:
        case = Case(op, _related(op, context), context, chip)
        for rule in _ANY + (_STATIC if op.get("aipp_mode") == Mode.static else _DYNAMIC):
            found.extend(rule(case))
    return tuple(found)


def check(config: AippConfig, context: Context = _ALONE, where: str = "") -> None:
    """Refuse what the compiler would refuse.

    Raises:
        AippConstraintError: the first violation, with the vendor's code.
    """
    for first in violations(config, context):
        raise AippConstraintError(str(first), first.code, first.field, where=where)


def _related(op: AippOp, context: Context) -> NetworkInput:
    if op.related_input_name:
        named = [item for item in context.inputs if item.name == op.related_input_name]
        return named[0] if named else NetworkInput()
    rank = op.get("related_input_rank")
    return context.inputs[rank] if rank < len(context.inputs) else NetworkInput()


def _of_the_file(config: AippConfig, context: Context) -> Iterator[Violation]:
    if not config.aipp_op:
        yield Violation("E10052", "aipp_op", "the file has no aipp_op block")
    by_name = [bool(op.related_input_name) for op in config.aipp_op]
    ranked = any(op.related_input_rank is not None for op in config.aipp_op)
    if any(by_name) and (ranked or not all(by_name)):  # without either it is rank 0
        yield Violation(
            "E10052",
            "related_input_name",
            "related_input_name and related_input_rank must not both be used",
        )
    seen = set()
    for op in config.aipp_op:
        place = (op.related_input_name or op.get("related_input_rank"), op.input_edge_idx)
        if place in seen:
            yield Violation("E10052", "aipp_op", "two aipp_op blocks relate to the same input")
        seen.add(place)
        if context.inputs and not _exists(op, context):
            yield Violation(
                "E10052",
                "related_input_name" if op.related_input_name else "related_input_rank",
                "the network has no input {!r}".format(
                    op.related_input_name or op.get("related_input_rank")
                ),
            )
    if context.dynamic_dims and config.aipp_op:
        yield Violation(NO_CODE, "aipp_op", "--dynamic_dims does not go with AIPP")


def _exists(op: AippOp, context: Context) -> bool:
    if op.related_input_name:
        return op.related_input_name in [item.name for item in context.inputs]
    return bool(op.get("related_input_rank") < len(context.inputs))
