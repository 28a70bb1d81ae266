"""Skills: the manifest and the models that it names. The skill's code is not loaded."""

from __future__ import annotations

import math
from pathlib import Path

from npukit.errors import NpukitError
from npukit.manifest import Manifest, read_manifest
from npukit.runtime.base import input_tensor
from npukit_cli.inspection.description import Description, Tensor, layout


def describe_skill(folder: Path) -> Description:
    """Describe a skill.

    Raises:
        ConfigError: the folder has no manifest, or a wrong one.
    """
    from npukit_cli.inspection.recognise import describe  # which knows this module

    manifest = read_manifest(str(folder))
    files = [item for item in folder.rglob("*") if item.is_file()]
    found = Description(
        kind="skill",
        file=str(folder),
        bytes=sum(item.stat().st_size for item in files),
        name=manifest.name,
        version=manifest.version,
        target=", ".join(manifest.boards),
        inputs=tuple(_inputs(manifest)),
        outputs=tuple(
            Tensor(f"{model}.{name}", "float32", shape, layout(shape), 4 * math.prod(shape))
            for model, declared in manifest.tensors.items()
            for name, shape in declared.outputs.items()
        ),
        facts={
            "title": manifest.title,
            "entry": manifest.entry,
            "models": {name: dict(targets) for name, targets in manifest.models.items()},
            "parameters": {item.name: item.default for item in manifest.parameters.values()},
        },
    )
    notes = []
    for targets in manifest.models.values():
        for target, file in targets.items():
            if not (folder / file).exists():
                notes.append(f"{file} (for {target}) is not there")
                continue
            try:
                found.parts[file] = describe(folder / file)
            except NpukitError as error:
                notes.append(f"{file}: {error.message}")
    found.notes = tuple(notes)
    return found


def _inputs(manifest: Manifest) -> list[Tensor]:
    found = []
    for model, declared in manifest.tensors.items():
        for name, spec in declared.inputs.items():
            tensor = input_tensor(name, spec, manifest.folder)
            form = spec.preprocess.source if spec.preprocess else layout(spec.shape)
            found.append(Tensor(f"{model}.{name}", tensor.dtype, tensor.shape, form, tensor.nbytes))
    return found
