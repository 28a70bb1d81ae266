"""The keys of convert.yaml that INT8 needs."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

INT8, FP16, MIXED = "int8", "fp16", "int8_mixed"
PRESETS = (INT8, MIXED)  # that need calibration


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CalibrationConfig(_Strict):
    """The real data that activation ranges come from. There is no default.

    Attributes:
        frames: a video, a picture, a folder of pictures, a .npy or .npz, beside the config.
        samples: how many distinct frames at most, spread over it.
        random: use noise in place of frames; the record and the report are marked with it.
    """

    frames: str | None = None
    samples: PositiveInt = 64
    random: bool = False

    @model_validator(mode="after")
    def _one_origin(self) -> CalibrationConfig:
        if (self.frames is None) != self.random:
            raise ValueError("give frames of what the camera will see (or random: true, knowingly)")
        return self


class QuantizationConfig(_Strict):
    """How INT8 is computed.

    Attributes:
        activations: asymmetric (uint8 with a zero point) or symmetric (int8 around 0).
        method: how a range is taken from what was seen.
        percentile: of the magnitudes that are kept, for `percentile`.
        plan: a precision plan to replay in place of a search, beside the config.
        keep: layers, by node name, that stay in fp16 in any case.
    """

    activations: Literal["asymmetric", "symmetric"] = "asymmetric"
    method: Literal["minmax", "entropy", "percentile"] = "minmax"
    percentile: float = Field(default=99.99, gt=50, le=100)
    plan: str | None = None
    keep: tuple[str, ...] = ()
