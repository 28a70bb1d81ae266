"""Names for the array types in annotations (numpy on the board has no typing worth using)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    U8 = npt.NDArray[np.uint8]
    F32 = npt.NDArray[np.float32]
    F64 = npt.NDArray[np.float64]
    Array = npt.NDArray[Any]
else:
    U8 = F32 = F64 = Array = Any
