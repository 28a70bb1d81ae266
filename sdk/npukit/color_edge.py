"""The edge of a coarse alpha, found again in the picture's own colours.

A network that segments gives alpha at a fifth of the picture's size, with an edge that is some
of its pixels wide. Near it, alpha is taken to be a linear function of colour within a small window,
`a . I + b`, which is exact where the person and what is behind have one colour each (Levin,
Lischinski and Weiss, "A Closed-Form Solution to Natural Image Matting", PAMI 2008). The
coefficients are those of the guided filter with a colour guide (He, Sun and Tang, "Guided Image
Filtering", ECCV 2010), found on a small grid and applied to the picture as in He and Sun, "Fast
Guided Filter", 2015. What differs:

- The target is alpha made steeper (`sharpen_edge`), so the windows learn which colours are the
  person's and which are not, and not how wide the network's edge is.
- A regression draws its estimates to the mean; a gain about one half undoes that.
- Where colours explain little of the target, the target itself takes their place.
- The result stays between the least and the largest alpha of the surroundings: colour decides
  where the edge lies within a few of alpha's pixels, never whether there is a person.
- The windows remember: their moments are recursive means over the frames. What a colour
  stands for changes slowly, also where the person moves, so nothing is dragged along.
"""

from __future__ import annotations

import math
from typing import Optional, Sequence, Tuple

import cv2
import numpy as np

from npukit.arrays import F32, U8, Array
from npukit.buffers import BufferPool, Scratch
from npukit.compositing import sharpen_edge, shrink
from npukit.errors import FrameError
from npukit.frame import Nv21Frame

_CELL = 2  # pixels of alpha across a cell: the grid on which colours are learnt
_WINDOW = (7, 7)  # cells: wider than the network's edge
_SOFTEN = (3, 3)  # cells, over which the coefficients are averaged
_FINE = 5  # pixels of the result across a cell, where the picture has as many
_NOISE = 1e-4  # variance added to each channel, for values in 0..1: 2.5 levels of 255
_GAIN = 1.5
_TRUSTED = 0.25  # part of the target's variance which colours explain where they are trusted
_REACH = np.ones((5, 5), np.uint8)  # the surroundings that bound the result, pixels of alpha
_PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))  # of channels
_UNIT = np.float32(1.0 / 255.0)

Size = Tuple[int, int]


class ColorEdge:
    """Draws the edge of each frame's alpha to the colours of the frame; keeps the moments."""

    def __init__(self, memory: float = 0.0) -> None:
        """`memory`: weight of the earlier frames' colours, 0 (none) to below 1."""
        if not 0.0 <= memory < 1.0:
            raise FrameError("the memory for colours must be in [0, 1), not {}".format(memory))
        self._memory = memory
        self._moments: Optional[F32] = None
        self._pool = BufferPool()
        self._scratch = Scratch()

    def reset(self) -> None:
        """Forget the colours (a new source begins)."""
        self._moments = None

    def __call__(self, alpha: U8, view: Nv21Frame) -> U8:
        """The refined alpha of the next frame.

        Args:
            alpha: (h, w) uint8, coarse, covering the whole view.
            view: the picture.

        Returns:
            uint8, two and a half times the size of `alpha` but no larger than the view: with
            that, time hardly depends on the view's size, and noise is kept out.
        """
        if alpha.ndim != 2 or alpha.dtype != np.uint8 or not alpha.size:
            raise FrameError("alpha is (h, w) uint8, got {} {}".format(alpha.shape, alpha.dtype))
        size = (alpha.shape[1], alpha.shape[0])
        cells = (max(size[0] // _CELL, 1), max(size[1] // _CELL, 1))
        fine = tuple(min(_FINE * n, side) for n, side in zip(cells, view.size))
        firm = sharpen_edge(alpha)
        target = cv2.resize(firm, cells, interpolation=cv2.INTER_AREA).astype(np.float32) * _UNIT
        moments = self._learn(target, view)
        bounds = cv2.erode(firm, _REACH), cv2.dilate(firm, _REACH)
        between = cv2.resize(cv2.absdiff(*bounds), cells, interpolation=cv2.INTER_AREA)
        rows = _span(between.max(axis=1), size[1], fine[1])
        columns = _span(between.max(axis=0), size[0], fine[0])
        refined = self._pool.take(fine[1], fine[0])
        if rows is None or columns is None:
            cv2.resize(firm, fine, dst=refined)
        else:
            in_cells, in_alpha, in_fine = zip(rows, columns)
            if cv2.countNonZero(firm) == cv2.countNonZero(firm[in_alpha]):
                refined.fill(0)
            else:  # beside the edge alpha is the same all around: the nearest will do
                cv2.resize(firm, fine, dst=refined, interpolation=cv2.INTER_NEAREST)
            edge = refined[in_fine]
            found = _coefficients(moments[(slice(None), *in_cells)], target[in_cells])
            self._fit(found, [shrink(plane, fine)[in_fine] for plane in (view.y, view.vu)], edge)
            for bound, limit in zip(bounds, (cv2.max, cv2.min)):
                limit(edge, self._scaled("bound", bound[in_alpha], edge.shape), dst=edge)
        return refined

    def _learn(self, target: F32, view: Nv21Frame) -> F32:
        shape = (3 + 4 + len(_PAIRS), *target.shape)
        now = _moments(target, view, self._scratch.take("moments", shape, np.float32))
        kept = self._moments
        if not self._memory:
            return now
        if kept is None or kept.shape != now.shape:
            kept = self._moments = now.copy()
        flat = (-1, target.shape[1])
        cv2.accumulateWeighted(now.reshape(flat), kept.reshape(flat), 1.0 - self._memory)
        return kept

    def _fit(self, coefficients: F32, guide: Sequence[U8], out: U8) -> None:
        """Write the linear function of Y, V and U, cut to 0..255."""
        y, vu = guide
        total, *terms = (
            self._scaled(name, plane, out.shape)
            for name, plane in zip(("y", "v", "u", "rest"), coefficients)
        )
        total *= y
        for term, index in zip(terms, (0, 1)):
            chroma = self._scratch.take("chroma", out.shape, np.uint8)
            np.multiply(term, cv2.extractChannel(vu, index, dst=chroma), out=term)
            cv2.add(total, term, dst=total)
        cv2.add(total, terms[2], dst=out, dtype=cv2.CV_8U)

    def _scaled(self, name: str, plane: Array, shape: Tuple[int, ...]) -> Array:
        """A plane in another size, in working memory."""
        out = self._scratch.take(name, shape + plane.shape[2:], plane.dtype)
        return np.asarray(cv2.resize(plane, shape[::-1], dst=out))


def _moments(target: F32, view: Nv21Frame, out: F32) -> F32:
    """Window means of target, of each channel, of target times each and of each pair: (13, h, w).

    The picture is sampled, not averaged: so the noise of the samples is that of the pixels
    which the coefficients are applied to, and the regression allows for it.
    """
    y, vu = (cv2.resize(plane, target.shape[::-1]) for plane in (view.y, view.vu))
    channels = [part.astype(np.float32) * _UNIT for part in (y, vu[:, :, 0], vu[:, :, 1])]
    products = [target, *channels, *(target * channel for channel in channels)]
    products += [channels[one] * channels[other] for one, other in _PAIRS]
    for product, mean in zip(products, out):
        cv2.blur(product, _WINDOW, dst=mean)
    return out


def _coefficients(moments: F32, target: F32) -> F32:
    """From bytes of Y, V, U to alpha in 0..255: three factors and the rest, (4, h, w).

    Solves `(covariance + noise) a = covariance with the target` in each cell by elimination
    (LDL^T: the matrix is symmetric and positive, and no pivot is below the noise).
    """
    t, y, v, u, ty, tv, tu, yy, yv, yu, vv, vu, uu = moments
    ty, tv, tu = ty - t * y, tv - t * v, tu - t * u
    yy, yv, yu = yy - y * y + _NOISE, yv - y * v, yu - y * u
    vv, vu, uu = vv - v * v + _NOISE, vu - v * u, uu - u * u + _NOISE
    v_by_y, u_by_y = yv / yy, yu / yy
    vv, vu = vv - v_by_y * yv, vu - u_by_y * yv
    u_by_v = vu / vv
    uu = uu - u_by_y * yu - u_by_v * vu
    tv = tv - v_by_y * ty
    tu = tu - u_by_y * ty - u_by_v * tv
    by_u = tu / uu
    by_v = tv / vv - u_by_v * by_u
    by_y = ty / yy - v_by_y * by_v - u_by_y * by_u
    rest = t - by_y * y - by_v * v - by_u * u
    explained = ty * ty / yy + tv * tv / vv + tu * tu / uu
    variance = t - t * t + 1e-3  # of a target that is 0 or 1; and where it is the same all over
    trust = np.minimum(explained / (_TRUSTED * variance), 1.0)
    found = np.stack([trust * by_y, trust * by_v, trust * by_u, trust * rest, trust])
    for plane in found:
        cv2.blur(plane.copy(), _SOFTEN, dst=plane)
    found[3] += (1.0 - found[4]) * target
    found[:3] *= _GAIN
    found[3] = 255.0 * (_GAIN * (found[3] - 0.5) + 0.5)
    return found[:4]


def _span(profile: Array, *grids: int) -> Optional[Tuple[slice, ...]]:
    """The part that is not zero: in cells, then on each of the grids.

    It is widened, by two cells at least, to where all the grids meet, so that averaging and
    scaling the part gives what the whole would give.
    """
    used = np.flatnonzero(profile)
    if not used.size:
        return None
    count, step = len(profile), 1
    for grid in grids:
        part = count // math.gcd(count, grid)
        step = step * part // math.gcd(step, part)
    start = max(int(used[0]) - 2, 0) // step * step
    stop = min(-(-(int(used[-1]) + 3) // step) * step, count)
    sizes = (count, *grids)
    return tuple(slice(start * size // count, stop * size // count) for size in sizes)
