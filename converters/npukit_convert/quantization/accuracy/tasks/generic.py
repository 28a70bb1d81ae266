"""Any network: nothing is known of its task, so float32 is the only truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from npukit.arrays import F32
from npukit.frame import Nv21Frame
from npukit_convert.quantization.accuracy.tasks.base import Case, Measure, Meter, Task


class Generic(Task):
    """No measures of its own."""

    summary = "any network: its outputs against those of float32, and nothing else"
    measures: ClassVar[Mapping[str, Measure]] = {}

    def prepare(
        self, feeds: dict[str, F32], frame: Nv21Frame | None, exact: Nv21Frame | None
    ) -> tuple[dict[str, F32], F32 | None]:
        """See `Task.prepare`."""
        return feeds, None

    def meter(self) -> Meter:
        """See `Task.meter`."""
        return _Nothing()


class _Nothing(Meter):
    def add(self, case: Case, outputs: Mapping[str, F32]) -> None:
        pass

    def result(self) -> dict[str, float]:
        return {}
