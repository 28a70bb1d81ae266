"""Make the demo clip, its exact alpha and the default new background.

Reads astronaut.png and launch_pad.jpg beside this file (make_cutout.py makes both) and writes
demo.mp4, demo_alpha.mp4 and background.jpg. The room behind the person is drawn here. The person
and her alpha go through the same warp, so the alpha track is exact by construction; the clip
itself is lossy. The same versions of numpy, OpenCV and PyAV give the same files again.

    python make_demo.py
"""

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, Colorspace

FloatArray = npt.NDArray[np.float32]
ByteArray = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]
Point = tuple[float, float]

HERE = Path(__file__).resolve().parent
WIDTH, HEIGHT, RATE, FRAMES = 1280, 720, 30, 120
SEED = 20150211
CRF = "20"
BT709 = 1  # the code of its primaries and of its transfer curve (ITU-T H.273)

# The room is drawn larger than the frame, so that the camera can pan, and at twice its size.
ROOM_WIDTH, ROOM_HEIGHT, OVERSAMPLE = 1400, 790, 2
ROOM_FOCUS_SIGMA = 1.1  # pixels: the person is in focus, the wall behind her not quite

# The person turns about this point of astronaut.png, which the frame shows at this place.
PIVOT = (228.0, 470.0)
PLACE = (512.0, 724.0)
SCALE = 1.52

# Standard deviation of the sensor noise in linear light: read noise and shot noise.
READ_NOISE, SHOT_NOISE = 0.0010, 0.00020


def to_linear(code: npt.ArrayLike) -> FloatArray:
    """Return linear light 0..1 for sRGB codes 0..255."""
    value = np.asarray(code, np.float32) / np.float32(255)
    high = np.power((value + np.float32(0.055)) / np.float32(1.055), np.float32(2.4))
    return np.where(value <= 0.04045, value / np.float32(12.92), high).astype(np.float32)


def to_code(linear: npt.NDArray[Any]) -> FloatArray:
    """Return sRGB codes 0..255, not rounded, for linear light."""
    value = np.clip(linear, 0, 1).astype(np.float32)
    root = np.power(np.maximum(value, np.float32(1e-6)), np.float32(1 / 2.4))
    high = np.float32(1.055) * root - np.float32(0.055)
    code = np.where(value <= 0.0031308, value * np.float32(12.92), high)
    return np.asarray(code * np.float32(255), np.float32)


def smooth_noise(rng: np.random.Generator, size: tuple[int, int], cell: Point) -> FloatArray:
    """Return smooth noise of about unit deviation, ``size`` (height, width), grains of ``cell``."""
    rows = max(2, round(size[0] / cell[0]))
    columns = max(2, round(size[1] / cell[1]))
    grid = rng.standard_normal((rows, columns)).astype(np.float32)
    large = cv2.resize(grid, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(large, np.float32)


class Room:
    """A wall with a window, shelves, a picture, a lamp and a plant, painted in linear light."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.size = (ROOM_HEIGHT * OVERSAMPLE, ROOM_WIDTH * OVERSAMPLE)
        rows, columns = np.mgrid[0 : self.size[0], 0 : self.size[1]].astype(np.float32)
        self.x: FloatArray = (columns + np.float32(0.5)) / np.float32(OVERSAMPLE)
        self.y: FloatArray = (rows + np.float32(0.5)) / np.float32(OVERSAMPLE)
        self.light: FloatArray = np.zeros((*self.size, 3), np.float32)
        self.pixels: FloatArray = np.zeros((*self.size, 3), np.float32)

    def draw(self) -> FloatArray:
        """Return the finished room, ROOM_HEIGHT x ROOM_WIDTH, RGB in linear light."""
        self._wall()
        self._picture(668, 58, 838, 262)
        for top, left, right in ((196, 905, 1345), (392, 905, 1345)):
            self._shelf(left, right, top)
        self._books(925, 1190, 196)
        self._vase(1262, 196)
        self._books(1010, 1330, 392)
        self._clock(958, 392)
        self._sideboard(628)
        self._pot(95, 628)
        self._lamp_foot(1200, 628)
        self._lighting()
        self.pixels *= self.light
        self._lamp_shade(1200, 628)
        self._window(48, -40, 312, 402)
        self._leaves(95, 560)
        size = (ROOM_WIDTH, ROOM_HEIGHT)
        room = cv2.resize(self.pixels, size, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.GaussianBlur(room, (0, 0), ROOM_FOCUS_SIGMA), np.float32)

    # Strokes

    def _mask(self, points: Sequence[Point]) -> npt.NDArray[np.bool_]:
        """Return which pixels the polygon covers."""
        mask = np.zeros(self.size, np.uint8)
        corners = np.rint(np.asarray(points, np.float64) * OVERSAMPLE * 16 - 8).astype(np.int32)
        cv2.fillPoly(mask, [corners], 1, shift=4)
        return mask.astype(bool)

    def _fill(
        self, points: Sequence[Point], colour: Colour, shade: FloatArray | float = 1.0
    ) -> None:
        """Fill a polygon with ``colour`` (sRGB) times ``shade`` (a number or a map of the room)."""
        mask = self._mask(points)
        factor = np.asarray(shade, np.float32)
        factor = factor[mask][:, None] if factor.ndim else factor
        self.pixels[mask] = to_linear(colour) * factor

    def _box(
        self, box: tuple[float, float, float, float], colour: Colour, shade: FloatArray | float = 1
    ) -> None:
        """Fill a rectangle given as left, top, right, bottom."""
        left, top, right, bottom = box
        self._fill([(left, top), (right, top), (right, bottom), (left, bottom)], colour, shade)

    def _shadow(self, points: Sequence[Point], sigma: float, strength: float) -> None:
        """Darken what is painted so far by a soft shadow."""
        mask = self._mask(points).astype(np.float32)
        soft = cv2.GaussianBlur(mask, (0, 0), sigma * OVERSAMPLE)
        self.pixels *= np.float32(1) - np.float32(strength) * soft[..., None]

    def _wood(self) -> FloatArray:
        """Return the light and dark of wood grain that runs from left to right."""
        coarse = smooth_noise(self.rng, self.size, (10.0, 700.0))
        fine = smooth_noise(self.rng, self.size, (3.0, 160.0))
        return np.asarray(1 + 0.11 * coarse + 0.07 * fine, np.float32)

    # Things

    def _wall(self) -> None:
        """Paint plaster: grey-green with unevenness of three sizes."""
        grain = np.zeros(self.size, np.float32)
        for cell, depth in ((330.0, 0.030), (60.0, 0.018), (7.0, 0.022)):
            grain += np.float32(depth) * smooth_noise(self.rng, self.size, (cell, cell))
        self.pixels[:] = to_linear((172, 180, 170)) * (1 + grain[..., None])

    def _picture(self, left: float, top: float, right: float, bottom: float) -> None:
        """Hang a framed print: a sun over hills."""
        shadow = [(left + 4, top + 8), (right + 12, top + 8), (right + 12, bottom + 14)]
        self._shadow([*shadow, (left + 4, bottom + 14)], 7, 0.55)
        self._box((left, top, right, bottom), (58, 44, 34), self._wood())
        self._box((left + 9, top + 9, right - 9, bottom - 9), (232, 228, 216))
        inner = (left + 27, top + 30, right - 27, bottom - 30)
        self._box(inner, (226, 190, 140))
        centre = ((left + right) / 2 + 16, top + 88)
        self._fill(_ellipse(centre, 30, 30), (206, 92, 58))
        for level, height, phase, colour in (
            (0.56, 15.0, 0.4, (150, 150, 128)),
            (0.69, 12.0, 2.2, (92, 116, 112)),
            (0.83, 9.0, 4.1, (44, 66, 76)),
        ):
            base = inner[1] + level * (inner[3] - inner[1])
            steps = np.linspace(inner[0], inner[2], 60)
            wave = base + height * np.sin(steps / 21 + phase) * np.cos(steps / 47 + phase)
            outline = [(float(x), float(y)) for x, y in zip(steps, wave, strict=True)]
            self._fill([*outline, (inner[2], inner[3]), (inner[0], inner[3])], colour)

    def _shelf(self, left: float, right: float, top: float) -> None:
        """Hang a board whose upper face is at ``top``, with two brackets."""
        shadow = [(left + 10, top + 6), (right + 16, top + 6), (right + 16, top + 40)]
        self._shadow([*shadow, (left + 10, top + 40)], 11, 0.55)
        for x in (left + 60, right - 60):
            self._fill([(x, top + 18), (x + 9, top + 18), (x + 9, top + 58)], (40, 38, 36))
        wood = self._wood()
        self._box((left, top, right, top + 5), (196, 154, 108), wood)
        self._box((left, top + 5, right, top + 20), (146, 104, 66), wood)

    def _books(self, left: float, right: float, floor: float) -> None:
        """Stand books between ``left`` and ``right``; the last one leans."""
        palette = (
            (146, 52, 44), (38, 70, 96), (214, 196, 158), (60, 92, 74), (196, 128, 48),
            (86, 60, 84), (44, 46, 52), (128, 150, 158), (180, 84, 62), (226, 222, 210),
        )  # fmt: skip
        x = left
        order = list(self.rng.permutation(len(palette)))
        while True:
            width = float(self.rng.uniform(15, 34))
            height = float(self.rng.uniform(92, 138))
            last = x + 2 * width + 30 > right
            colour = palette[order[0]]
            order = [*order[1:], order[0]]
            lean = 24.0 if last else 0.0
            self._book(x, width, height, floor, colour, lean)
            x += width + float(self.rng.uniform(0.5, 2.0))
            if last:
                return

    def _book(
        self, x: float, width: float, height: float, floor: float, colour: Colour, lean: float
    ) -> None:
        """Paint one spine: round, with two bands and a title."""

        def at(u: float, v: float) -> Point:
            """Return the place of a point of the spine: u and v run from 0 to 1, v upwards."""
            return x + u * width + v * lean, floor - v * height - (1 - u) * lean * width / height

        def band(low: float, high: float, inset: float) -> list[Point]:
            return [at(inset, low), at(1 - inset, low), at(1 - inset, high), at(inset, high)]

        spine = band(0, 1, 0)
        self._shadow([(px + 7, py + 3) for px, py in spine], 6, 0.35)
        across = (self.x - x - (floor - self.y) / height * lean) / width
        rounding = np.asarray(1.06 - 1.7 * (across - 0.42) ** 2, np.float32)
        self._fill(spine, colour, rounding)
        light = sum(colour) > 400
        ink: Colour = (70, 56, 44) if light else (218, 196, 140)
        for low in (0.08, 0.88):
            self._fill(band(low, low + 0.025, 0), ink, rounding)
        if width > 20:
            start = float(self.rng.uniform(0.3, 0.4))
            self._fill(band(start, start + 0.36, 0.36), ink, rounding)

    def _vase(self, centre: float, floor: float) -> None:
        """Put down a glazed vase with dry twigs."""
        for _ in range(11):
            lean = float(self.rng.uniform(-48, 48))
            tip = (centre + lean, floor - float(self.rng.uniform(118, 168)))
            path = _curve((centre, floor - 70), (centre + 0.2 * lean, floor - 110), tip)
            self._fill(_ribbon(path, 1.3), (116, 92, 64))
            self._fill(_ellipse(tip, 3.4, 6.5), (190, 160, 112))
        heights = np.linspace(0, 1, 40)
        half = 15 + 17 * np.sin(math.pi * np.clip(heights * 1.12, 0, 1)) ** 1.4
        right = [
            (centre + float(w), floor - 84 * float(h)) for h, w in zip(heights, half, strict=True)
        ]
        left = [(2 * centre - px, py) for px, py in reversed(right)]
        self._shadow([(px + 9, py + 2) for px, py in right + left], 7, 0.4)
        across = (self.x - centre) / 32
        shine = 1.0 - 0.55 * (across + 0.3) ** 2 + 0.9 * np.exp(-(((across + 0.42) / 0.12) ** 2))
        self._fill(right + left, (54, 96, 110), shine.astype(np.float32))

    def _clock(self, centre: float, floor: float) -> None:
        """Put down a small round clock that shows ten past ten."""
        middle = (centre, floor - 42)
        self._shadow(_ellipse((centre + 9, floor - 37), 42, 42), 7, 0.45)
        for side in (-1, 1):
            foot = [(centre + side * 22, floor - 14), (centre + side * 32, floor)]
            self._fill([*foot, (centre + side * 26, floor)], (150, 118, 64))
        self._fill(_ellipse(middle, 40, 40), (176, 138, 74))
        self._fill(_ellipse(middle, 34, 34), (238, 234, 222))
        for hour in range(12):
            angle = hour * math.pi / 6
            dot = (centre + 28 * math.sin(angle), floor - 42 - 28 * math.cos(angle))
            self._fill(_ellipse(dot, 1.8, 1.8), (50, 46, 42))
        for angle, length in ((math.radians(305), 16.0), (math.radians(60), 24.0)):
            tip = (centre + length * math.sin(angle), floor - 42 - length * math.cos(angle))
            self._fill(_ribbon([middle, tip], 1.4), (40, 36, 34))

    def _sideboard(self, top: float) -> None:
        """Stand a sideboard along the whole wall: its top, then three doors."""
        self._shadow([(0, top - 16), (ROOM_WIDTH, top - 16), (ROOM_WIDTH, top), (0, top)], 9, 0.4)
        wood = self._wood()
        self._box((0, top, ROOM_WIDTH, top + 22), (170, 124, 82), wood)
        self._box((0, top + 22, ROOM_WIDTH, top + 30), (118, 80, 50), wood)
        self._box((0, top + 30, ROOM_WIDTH, ROOM_HEIGHT), (96, 66, 44), wood)
        for x in (240.0, 700.0, 1120.0):
            self._box((x - 3, top + 34, x + 3, ROOM_HEIGHT), (34, 24, 18))
            for side in (-26, 26):
                self._fill(_ellipse((x + side, top + 92), 7, 7), (196, 168, 112))

    def _pot(self, centre: float, floor: float) -> None:
        """Put down the plant's clay pot."""
        across = (self.x - centre) / 56
        shade = (1.05 - 0.6 * (across - 0.3) ** 2).astype(np.float32)
        body = [(centre - 46, floor - 86), (centre + 46, floor - 86), (centre + 34, floor + 8)]
        self._shadow([(px + 12, py) for px, py in [*body, (centre - 34, floor + 8)]], 9, 0.5)
        self._fill([*body, (centre - 34, floor + 8)], (176, 98, 66), shade)
        self._box((centre - 52, floor - 96, centre + 52, floor - 74), (190, 110, 76), shade)

    def _leaves(self, centre: float, floor: float) -> None:
        """Grow the plant: it stands before the window, so it comes last and brings its light."""
        for _ in range(30):
            lean = float(self.rng.uniform(-150, 165))
            rise = float(self.rng.uniform(120, 270)) * (1 - 0.3 * abs(lean) / 165)
            tip = (centre + lean, floor - rise + 0.32 * abs(lean))
            bend = (centre + 0.22 * lean, floor - rise * 0.82)
            path = _curve((centre + 0.1 * lean, floor - 20), bend, tip)
            width = float(self.rng.uniform(8, 14))
            green = float(self.rng.uniform(0.55, 1.15))
            for share, tone in ((1.0, 1.0), (0.12, 1.7)):
                base = (round(64 * green), round(112 * green), round(58 * green))
                glow = 0.62 + 0.5 * np.clip((self.x - 20) / 330, 0, 1)
                self._fill(_leaf(path, width * share), base, (tone * glow).astype(np.float32))

    def _lamp_foot(self, centre: float, floor: float) -> None:
        """Put down the lamp's ceramic body."""
        across = (self.x - centre) / 34
        shade = (1.0 - 0.55 * (across + 0.2) ** 2).astype(np.float32)
        self._shadow(_ellipse((centre + 14, floor - 28), 38, 40), 9, 0.4)
        self._fill(_ellipse((centre, floor - 30), 33, 36), (206, 198, 184), shade)
        self._box((centre - 26, floor - 2, centre + 26, floor + 8), (120, 92, 60))
        self._box((centre - 5, floor - 88, centre + 5, floor - 56), (150, 120, 70))

    def _lamp_shade(self, centre: float, floor: float) -> None:
        """Put the glowing shade on: it shines itself, so the room's light leaves it alone."""
        top, bottom = floor - 176.0, floor - 76.0
        body = [(centre - 46, top), (centre + 46, top), (centre + 72, bottom)]
        glow = np.exp(-(((self.x - centre) / 62) ** 2) - ((self.y - floor + 116) / 66) ** 2)
        weave = 1 + 0.03 * np.sin(self.x * 2.1)
        shade = ((0.52 + 0.62 * glow) * weave).astype(np.float32)
        self._fill([*body, (centre - 72, bottom)], (255, 222, 168), shade)

    def _window(self, left: float, top: float, right: float, bottom: float) -> None:
        """Put the window in: sky, far hills, trees out of focus, then the frame and its bars."""
        room = self.pixels.copy()
        down = np.clip((self.y - top) / (bottom - top), 0, 1)[..., None]
        self.pixels[:] = to_linear((150, 190, 232)) * (1 - down) + to_linear((236, 240, 240)) * down
        for level, height, colour in ((0.66, 16.0, (150, 172, 186)), (0.74, 12.0, (116, 146, 132))):
            steps = np.linspace(left, right, 80)
            wave = np.sin(steps / 53 + 5 * level) + 0.5 * np.sin(steps / 23 + 9 * level)
            ridge = top + level * (bottom - top) - height * wave
            outline = [(float(x), float(y)) for x, y in zip(steps, ridge, strict=True)]
            self._fill([*outline, (right, bottom), (left, bottom)], colour)
        self._trees(left, right, top + 0.80 * (bottom - top))
        self.pixels = np.asarray(cv2.GaussianBlur(self.pixels, (0, 0), 3.0 * OVERSAMPLE))
        outside = self._mask([(left, top), (right, top), (right, bottom), (left, bottom)])
        self.pixels = np.where(outside[..., None], self.pixels, room)
        white, edge = (226, 226, 220), (168, 170, 168)
        middle, bar = (left + right) / 2, top + 0.42 * (bottom - top)
        for box in (
            (left - 20, top, left, bottom), (right, top, right + 20, bottom),
            (middle - 7, top, middle + 7, bottom), (left, bar - 6, right, bar + 6),
        ):  # fmt: skip
            self._box(box, white, 0.86)
            self._box((box[2] - 3, *box[1:]), edge, 0.8)
        self._box((left - 38, bottom, right + 38, bottom + 16), white, 1.0)
        self._box((left - 38, bottom + 16, right + 38, bottom + 30), edge, 0.72)

    def _trees(self, left: float, right: float, base: float) -> None:
        """Paint crowns as clouds of leaves, dark ones first."""
        for tone in (0.55, 0.75, 1.0, 1.25):
            for _ in range(90):
                x = float(self.rng.uniform(left, right))
                crown = 26 * math.sin(x / 31) + 18 * math.sin(x / 13 + 1)
                y = base + float(self.rng.uniform(-24, 90)) - crown + 14 * tone
                colour = (round(78 * tone), round(112 * tone), round(60 * tone))
                self._fill(_ellipse((x, y), 9, 7), colour)

    def _lighting(self) -> None:
        """Light the room: a little everywhere, cool from the window, warm round the lamp."""
        away = np.hypot(self.x - 200, (self.y - 260) * 1.1)
        day = 0.30 + 0.85 * np.exp(-((away / 620) ** 1.6))
        warm = np.exp(-((np.hypot(self.x - 1200, self.y - 500) / 190) ** 2))
        upper = np.exp(-((np.hypot((self.x - 1200) * 1.5, self.y - 400) / 210) ** 2))
        lamp = 0.75 * warm + 0.30 * upper
        self.light = np.asarray(
            day[..., None] * np.array([0.96, 1.0, 1.05], np.float32)
            + lamp[..., None] * np.array([1.0, 0.70, 0.40], np.float32),
            np.float32,
        )


def _ellipse(centre: Point, across: float, down: float) -> list[Point]:
    """Return the outline of an ellipse with these half axes."""
    angles = np.linspace(0, 2 * math.pi, 60, endpoint=False)
    return [(centre[0] + across * math.cos(a), centre[1] + down * math.sin(a)) for a in angles]


def _curve(start: Point, bend: Point, end: Point) -> list[Point]:
    """Return points of the parabola from ``start`` to ``end`` that ``bend`` pulls to itself."""
    steps = np.linspace(0, 1, 24)[:, None]
    first, second, third = (np.asarray(p, np.float64) for p in (start, bend, end))
    path = (1 - steps) ** 2 * first + 2 * steps * (1 - steps) * second + steps**2 * third
    return [(float(x), float(y)) for x, y in path]


def _even(_: float) -> float:
    """Keep a stroke's width."""
    return 1.0


def _ribbon(
    path: Sequence[Point], half: float, profile: Callable[[float], float] = _even
) -> list[Point]:
    """Return the outline of a stroke; ``profile`` scales its half width from start 0 to end 1."""
    line = np.asarray(path, np.float64)
    along = np.gradient(line, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    widths = half * np.array([profile(t) for t in np.linspace(0, 1, len(line))])[:, None]
    outline = np.concatenate([line + across * widths, (line - across * widths)[::-1]])
    return [(float(x), float(y)) for x, y in outline]


def _leaf(path: Sequence[Point], half: float) -> list[Point]:
    """Return the outline of a leaf along ``path``: thin stalk, widest past the middle, a tip."""
    return _ribbon(path, half, lambda t: 0.1 + 0.9 * math.sin(math.pi * t**1.5) if t < 1 else 0.0)


def person_warp(index: int) -> npt.NDArray[np.float64]:
    """Return the 2x3 matrix from astronaut.png to frame ``index``: sway, bob, zoom and turn."""
    turn = 2 * math.pi * index / FRAMES
    scale = SCALE * (1 + 0.022 * math.sin(0.9 * turn + 0.4))
    angle = math.radians(1.7) * math.sin(1.4 * turn + 1.1)
    x = PLACE[0] + 26 * math.sin(1.1 * turn - 0.5) + 5 * math.sin(3.1 * turn)
    y = PLACE[1] + 3.0 * math.sin(2.3 * turn + 0.7)
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    linear = np.array([[cosine, -sine], [sine, cosine]])
    shift = np.array([x, y]) - linear @ np.array(PIVOT)
    return np.concatenate([linear, shift[:, None]], axis=1)


def room_warp(index: int) -> npt.NDArray[np.float64]:
    """Return the 2x3 matrix from the room to frame ``index``: a slow pan, not quite steady."""
    time = index / (FRAMES - 1)
    turn = 2 * math.pi * index / FRAMES
    left = 22 + 72 * time * time * (3 - 2 * time) + 1.6 * math.sin(3.7 * turn)
    top = 34 + 9 * math.sin(0.8 * turn) + 1.2 * math.sin(4.3 * turn + 1)
    return np.array([[1.0, 0.0, -left], [0.0, 1.0, -top]])


def warp(image: FloatArray, matrix: npt.NDArray[np.float64]) -> FloatArray:
    """Return ``image`` warped into the frame by cubic interpolation, clear outside the image."""
    size = (WIDTH, HEIGHT)
    return np.asarray(cv2.warpAffine(image, matrix, size, flags=cv2.INTER_CUBIC), np.float32)


def read_person(path: Path) -> FloatArray:
    """Return the cut-out as linear light times alpha, then alpha: H x W x 4."""
    bgra = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if bgra is None or bgra.ndim != 3 or bgra.shape[2] != 4:
        raise SystemExit(f"{path}: not a PNG with four channels; run make_cutout.py first")
    alpha = bgra[..., 3:].astype(np.float32) / np.float32(255)
    light = to_linear(bgra[..., 2::-1])
    return np.concatenate([light * alpha, alpha], axis=2)


def render(person: FloatArray, room: FloatArray) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Yield each frame (RGB codes 0..255) with its alpha (0..1), neither of them rounded."""
    rng = np.random.default_rng(SEED + 1)
    for index in range(FRAMES):
        warped = warp(person, person_warp(index))
        alpha = np.clip(warped[..., 3], 0, 1)
        front = np.clip(warped[..., :3], 0, alpha[..., None])
        back = np.clip(warp(room, room_warp(index)), 0, 1)
        light = front + (1 - alpha[..., None]) * back
        deviation = np.sqrt(READ_NOISE**2 + SHOT_NOISE * light)
        noise = rng.standard_normal(light.shape, np.float32)
        yield to_code(light + deviation * noise), alpha


def to_yuv420(rgb: FloatArray) -> ByteArray:
    """Return BT.709 limited-range planes as one array, H * 3 / 2 rows; chroma sits on the left."""
    red, green, blue = (rgb[..., channel] / np.float32(255) for channel in range(3))
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    chroma = np.stack([(blue - luma) / 1.8556, (red - luma) / 1.5748], axis=2)
    padded = cv2.copyMakeBorder(chroma, 0, 0, 1, 0, cv2.BORDER_REPLICATE)
    pairs = (padded[:, 0:-1:2] + 2 * padded[:, 1::2] + padded[:, 2::2]) / 4
    small = (pairs[0::2] + pairs[1::2]) / 2
    height, width = luma.shape
    planes = np.empty((height * 3 // 2, width), np.uint8)
    planes[:height] = np.rint(np.clip(16 + 219 * luma, 16, 235))
    codes = np.rint(np.clip(128 + 224 * small, 16, 240))
    planes[height:] = codes.transpose(2, 0, 1).reshape(-1, width)
    return planes


class Writer:
    """An H.264 file that appears under its name only when it is complete."""

    def __init__(self, path: Path, colour_range: ColorRange, options: dict[str, str]) -> None:
        self.path = path
        self.colour_range = colour_range
        self.temporary = path.with_name(path.name + ".tmp")
        self.container = av.open(
            str(self.temporary), "w", format="mp4", options={"movflags": "+faststart"}
        )
        stream = self.container.add_stream("libx264", rate=RATE)
        stream.width, stream.height = WIDTH, HEIGHT
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, RATE)
        # One thread: the stream must not depend on the number of processors.
        stream.options = {"preset": "veryslow", "threads": "1", **options}
        context = stream.codec_context
        context.color_range = colour_range
        context.colorspace = Colorspace.ITU709
        context.color_primaries = context.color_trc = BT709
        self.stream = stream
        self.count = 0

    def add(self, planes: ByteArray) -> None:
        """Append one picture given as the planes of yuv420p."""
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts = self.count
        frame.time_base = Fraction(1, RATE)
        frame.color_range = self.colour_range
        frame.colorspace = Colorspace.ITU709
        self.container.mux(self.stream.encode(frame))
        self.count += 1

    def close(self) -> None:
        """Write what is left and give the file its name."""
        self.container.mux(self.stream.encode(None))
        self.container.close()
        self.temporary.replace(self.path)
        print(f"{self.path}: {self.count} frames, {self.path.stat().st_size} bytes")


def write_clip(folder: Path, person: FloatArray, room: FloatArray) -> None:
    """Write demo.mp4 and demo_alpha.mp4."""
    clip = Writer(folder / "demo.mp4", ColorRange.MPEG, {"crf": CRF})
    track = Writer(folder / "demo_alpha.mp4", ColorRange.JPEG, {"qp": "0"})
    for rgb, alpha in render(person, room):
        clip.add(to_yuv420(rgb))
        planes = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
        planes[:HEIGHT] = np.rint(alpha * 255)
        track.add(planes)
    clip.close()
    track.close()


def write_background(folder: Path, source: Path) -> None:
    """Write background.jpg: the launch pad at dusk, enlarged, with a little grain."""
    bgr = cv2.imread(str(source), cv2.IMREAD_COLOR)
    if bgr is None:
        raise SystemExit(f"{source}: cannot be read; run make_cutout.py first")
    calm = cv2.bilateralFilter(bgr, 7, 14, 2.5)
    large = cv2.resize(calm, (WIDTH, HEIGHT), interpolation=cv2.INTER_LANCZOS4).astype(np.float32)
    sharp = large + 0.6 * (large - cv2.GaussianBlur(large, (0, 0), 2.2))
    grain = np.random.default_rng(SEED + 2).standard_normal((HEIGHT, WIDTH, 1), np.float32)
    picture = np.rint(np.clip(sharp + 1.2 * grain, 0, 255)).astype(np.uint8)
    done, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 86])
    if not done:
        raise SystemExit("OpenCV cannot encode JPEG")
    path = folder / "background.jpg"
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(encoded.tobytes())
    temporary.replace(path)
    print(f"{path}: {path.stat().st_size} bytes")


def main() -> None:
    """Make the three files."""
    parser = argparse.ArgumentParser(description="Make the demo clip, its alpha and a background.")
    parser.add_argument("--output", type=Path, default=HERE, help="folder to write to")
    parser.add_argument("--sources", type=Path, default=HERE, help="folder of the source pictures")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    write_background(options.output, options.sources / "launch_pad.jpg")
    room = Room(np.random.default_rng(SEED)).draw()
    write_clip(options.output, read_person(options.sources / "astronaut.png"), room)


if __name__ == "__main__":
    main()
