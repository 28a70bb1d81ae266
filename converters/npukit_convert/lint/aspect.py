"""A picture of one shape in an input of another."""

from __future__ import annotations

from typing import ClassVar

from npukit.preprocess import Preprocess
from npukit_convert.cost import estimate
from npukit_convert.lint.base import Finding, Rule, Subject

_NEAR = 0.02  # of the ratio
_STEP = 32  # most networks halve five times


class Aspect(Rule):
    """Bars are computed for nothing, stretching samples one axis more densely than the other."""

    summary: ClassVar[str] = "inputs whose width to height is not that of the pictures"

    def check(self, subject: Subject) -> list[Finding]:
        """See `Rule.check`."""
        if subject.content is None:
            return []
        found = []
        for name, spec in subject.network.inputs.items():
            if spec.preprocess is None or len(spec.shape) != 4 or spec.preprocess.geometry == "roi":
                continue
            height, width = spec.shape[2:]
            ratio = (width / height) / (subject.content[0] / subject.content[1])
            if abs(ratio - 1) > _NEAR:
                share = 1 - min(ratio, 1 / ratio)
                found.append(self._found(name, spec.preprocess, (width, height), share, subject))
        return found

    def _found(
        self, name: str, how: Preprocess, size: tuple[int, int], share: float, subject: Subject
    ) -> Finding:
        content = subject.content or size
        total = (
            1000 * estimate(subject.network.plain, subject.machine, subject.network.inputs).seconds
        )
        reason = f"input {name} is {size[0]}x{size[1]}, pictures are {content[0]}x{content[1]}: "
        reason += {
            "letterbox": f"{share:.0%} of what is computed are bars",
            "center": f"{share:.0%} of each picture is cut off",
        }.get(how.geometry, f"one axis is sampled {1 / (1 - share):.2f} times as densely")
        better = fitting(size, content)
        saved = None if how.geometry == "center" else total * max(
            0.0, 1 - better[0] * better[1] / (size[0] * size[1])
        )  # fmt: skip
        remedy = f"export it as {better[0]}x{better[1]}"
        return self.advice(None, reason, remedy, total, saved)


def fitting(size: tuple[int, int], content: tuple[int, int]) -> tuple[int, int]:
    """The input inside `size` that has the content's aspect, in steps of 32 pixels."""
    scale = min(size[0] / content[0], size[1] / content[1])
    width, height = (max(_STEP, round(side * scale / _STEP) * _STEP) for side in content)
    return width, height
