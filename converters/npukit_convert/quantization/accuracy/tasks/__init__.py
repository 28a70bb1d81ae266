"""What networks are for, one file each: how a task measures a result against the truth."""

from npukit.plugins import Plugins
from npukit_convert.quantization.accuracy.tasks.base import Case, Measure, Meter, Task

TASKS: Plugins[Task] = Plugins(__name__, __path__, Task, "task")

__all__ = ["TASKS", "Case", "Measure", "Meter", "Task"]
