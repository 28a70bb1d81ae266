"""`compiler:` of convert.yaml: which compiler makes the offline model, where, and how."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from npukit.errors import ConfigError
from npukit.profiles import Target

_SSH = "ssh://"


class CompilerConfig(BaseModel):
    """A text stands for `at` (`ssh://user@board`) or `command` (a path).

    Attributes:
        tool: a compiler that the target's route has; the first of them by default.
        at: `local`, or a machine that has the compiler: `ssh://user@board`.
        command: the program's path there; by default it is looked for.
        python: the interpreter that runs the job there, for tools that need another one.
        soc_version: the chip's version, where the target has several.
        timeout_s: after which the compiler is stopped.
        aipp: a file, beside the config, in place of the one that `preprocess:` becomes.
        input_fp16_nodes: inputs given in float16.
        output_type: FP32, FP16 or UINT8.
        high_precision: slower, more exact implementations of operators.
        precision_mode: how atc treats float32 layers.
        dynamic_batch: batch sizes of one model for several.
        dynamic_image_size: [height, width] of one model for several.
        options: further flags of the vendor's, without `--`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tool: Literal["omg", "atc"] | None = None
    at: str = Field(default="local", pattern=r"^(local|ssh://.+)$")
    command: str | None = None
    python: str | None = None
    soc_version: str | None = None
    timeout_s: float = Field(default=1800.0, gt=0)
    aipp: str | None = None
    input_fp16_nodes: tuple[str, ...] = ()
    output_type: Literal["FP32", "FP16", "UINT8"] = "FP32"
    high_precision: bool = False
    precision_mode: str | None = None
    dynamic_batch: tuple[PositiveInt, ...] = ()
    dynamic_image_size: tuple[tuple[PositiveInt, PositiveInt], ...] = ()
    options: dict[str, str] = {}

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {text_key(value): value} if isinstance(value, str) else value


def text_key(text: str) -> str:
    """The key that a text alone stands for."""
    return "at" if text.startswith(_SSH) or text == "local" else "command"


def check_compiler(options: CompilerConfig, target: Target | None, route: str, where: str) -> None:
    """Refuse what cannot be compiled with.

    Raises:
        ConfigError: no target, a compiler that does not read the route, or another chip.
    """
    if target is None:
        raise ConfigError(
            "there is no target to compile for", where=f"{where}, compiler", hint="give `target:`"
        )
    tools = target.routes[route].value if route in target.routes else None
    if not tools:
        raise ConfigError(f"nothing compiles for {target.title}", where=f"{where}, compiler")
    if options.tool is not None and options.tool not in tools:
        raise ConfigError(
            f"{options.tool} does not compile {route} for {target.title}",
            where=f"{where}, compiler.tool",
            hint=f"{', '.join(tools)} does",
        )
    versions = target.soc_versions.value or ()
    if options.soc_version is not None and options.soc_version not in versions:
        raise ConfigError(
            f"{target.title} has no version {options.soc_version!r}",
            where=f"{where}, compiler.soc_version",
            hint=f"versions: {', '.join(versions)}",
        )
