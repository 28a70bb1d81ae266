"""Huawei's Ascend chips: `omg` and `atc`, the AIPP file, the .om."""

from __future__ import annotations

from collections.abc import Mapping

from npukit import aipp
from npukit.errors import ConfigError
from npukit.profiles import Target
from npukit.runtime.declaration import InputSpec
from npukit_convert.aipp_file import aipp_config
from npukit_convert.compilers.ascend_errors import Problem, problems
from npukit_convert.compilers.atc import Atc
from npukit_convert.compilers.command import CAFFE, Command, Request
from npukit_convert.compilers.host import Host
from npukit_convert.compilers.job import Job, Result
from npukit_convert.compilers.local import LocalHost
from npukit_convert.compilers.omg import Omg
from npukit_convert.compilers.ssh import SshHost
from npukit_convert.errors import CompilerError, CompilerMissing
from npukit_convert.targets.base import (
    Calibration,
    Compiled,
    FloatModel,
    Precision,
    TargetCompiler,
)

COMMANDS: Mapping[str, type[Command]] = {"omg": Omg, "atc": Atc}
_LOG_LINES = 15


class AscendCompiler(TargetCompiler):
    """The Ascend family."""

    @classmethod
    def compiles(cls, target: Target) -> bool:
        """See `TargetCompiler.compiles`."""
        return any(
            tool in COMMANDS for figure in target.routes.values() for tool in figure.value or ()
        )

    def command(
        self,
        name: str,
        form: str,
        spec: Mapping[str, InputSpec],
        precision: Precision,
        calibration: Calibration | None = None,
    ) -> str:
        """See `TargetCompiler.command`."""
        return self._job(name, form, {}, spec, calibration, precision).line()

    def compile(
        self,
        float_model: FloatModel,
        spec: Mapping[str, InputSpec],
        calibration: Calibration | None,
        precision: Precision,
    ) -> Compiled:
        """See `TargetCompiler.compile`."""
        name = float_model.name
        files = dict(float_model.files)
        pictures = [one for one, declared in spec.items() if declared.preprocess is not None]
        if pictures:
            sized = not self._options.dynamic_image_size
            files[_aipp_file(name)] = (
                self._aipp or aipp.to_text(aipp_config(spec, sized))
            ).encode()
        job = self._job(name, float_model.form, files, spec, calibration, precision)
        host = self._host()
        result = host.run(job, self._tell)
        made = {file: data for file, data in job.inputs.items() if file not in float_model.files}
        if result.status == "missing":
            raise CompilerMissing(
                f"{job.tool} is not installed",
                command=job.line(),
                files=made,
                looked=result.looked,
                where=host.name,
            )
        _check(result, job, host, float_model)
        return Compiled(
            {**made, **result.outputs},
            job.line(),
            str(result.tool),
            host.name,
            result.machine,
            result.seconds,
            result.log,
        )

    def _host(self) -> Host:
        options = self._options
        if options.at == "local":
            return LocalHost(options.python)
        return SshHost(options.at, options.python)

    def _job(
        self,
        name: str,
        form: str,
        files: Mapping[str, bytes],
        spec: Mapping[str, InputSpec],
        calibration: Calibration | None,
        precision: Precision,
    ) -> Job:
        options = self._options
        command = self._command(form)
        pictures = tuple(one for one, declared in spec.items() if declared.preprocess is not None)
        given: Mapping[str, bytes] = {}
        if calibration is not None:
            given = command.calibration(
                name, calibration.feeds, precision.fp16_layers, precision.symmetric,
                self._soc_version(),
            )  # fmt: skip
        request = Request(
            name=name,
            form=form,
            model=f"{name}.prototxt" if form == CAFFE else f"{name}.onnx",
            weights=f"{name}.caffemodel" if form == CAFFE else None,
            shapes={one: declared.shape for one, declared in spec.items()},
            aipp=_aipp_file(name) if pictures else None,
            aipp_inputs=pictures,
            soc_version=self._soc_version(),
            fp16_inputs=precision.fp16_inputs,
            output_type=precision.output_type,
            high_precision=precision.high_precision,
            precision_mode=precision.mode,
            calibration=next(iter(given), None),
            batches=options.dynamic_batch,
            sizes=options.dynamic_image_size,
            options=options.options,
        )
        return Job(
            tool=command.tool,
            arguments=command.arguments(request),
            inputs={**files, **given},
            outputs=(f"{name}{self._target.suffix.value}",),
            installs=command.installs,
            command=options.command,
            environment=command.environment,
            timeout_s=options.timeout_s,
        )

    def _command(self, form: str) -> Command:
        tools = [tool for tool in self._target.routes[form].value or () if tool in COMMANDS]
        return COMMANDS[self._options.tool or tools[0]]()

    def _soc_version(self) -> str | None:
        """The one that was asked for, or the only one that the target has.

        Raises:
            ConfigError: the target has several.
        """
        versions = self._target.soc_versions.value or ()
        if self._options.soc_version is None and len(versions) > 1:
            raise ConfigError(
                f"{self._target.title} comes in versions {', '.join(versions)}",
                where="compiler.soc_version",
                hint="give the board's: `npu-smi info` shows it",
            )
        return self._options.soc_version or (versions[0] if versions else None)


def _check(result: Result, job: Job, host: Host, model: FloatModel) -> None:
    where = f"{job.tool} on {host.name}"
    if result.status == "done":
        return
    if result.status == "timeout":
        raise CompilerError(
            f"not done after {job.timeout_s:g} s; it was stopped",
            where=where,
            hint="give it more time: --compiler.timeout_s",
        )
    if result.status == "damaged":
        raise CompilerError(f"{', '.join(result.looked)} did not arrive whole", where=where)
    raise _refusal(result, job, model, where)


def _refusal(result: Result, job: Job, model: FloatModel, where: str) -> CompilerError:
    """What the compiler printed, in words; the first of several errors is the cause."""
    found = problems(result.log)
    last = "\n".join(result.log.strip().splitlines()[-_LOG_LINES:])
    if not found:
        return CompilerError(
            f"failed with code {result.code}" if result.code else "made no offline model",
            where=where,
            hint=f"its last words:\n{last}\nthe command: {job.line()}",
        )
    first = found[0]
    rest = "".join(f"\nalso {_told(one)}" for one in found[1:])
    return CompilerError(
        f"{_told(first)}{rest}",
        where=f"{where}, node {_origin(first, model)}" if first.node else where,
        hint=f"{first.remedy}\nthe command: {job.line()}",
    )


def _told(problem: Problem) -> str:
    return f"{problem.sentence} ({problem.code})" if problem.code else problem.sentence


def _origin(problem: Problem, model: FloatModel) -> str:
    origin = model.origins.get(problem.node)
    known = origin is not None and origin != problem.node
    return f"{problem.node} (from {origin})" if known else problem.node


def _aipp_file(name: str) -> str:
    return f"{name}.aipp.cfg"
