"""The skill on its own clip: `pytest` in the skill's folder."""

from pathlib import Path

import numpy as np

from npukit.capture import open_source
from npukit.runtime import load_model
from npukit.session import Session
from npukit.skill import load_skill

FOLDER = Path(__file__).resolve().parents[1]


def test_every_frame_comes_out(tmp_path: Path) -> None:
    with Session(load_skill(str(FOLDER))) as session:
        report = session.run(session.skill.capture, [str(tmp_path / "out.mp4")])
    assert report.error is None
    assert report.frames_in == 120
    assert list(report.frames_out.values()) == [120]


def test_the_result_differs_from_the_camera_outside_the_person_only() -> None:
    with Session(load_skill(str(FOLDER), {"background": "green"})) as session:
        frame = next(open_source(session.skill.capture).frames()).frame
        result = session.skill.process(frame)  # type: ignore[attr-defined]
    difference = np.abs(frame.to_rgb().astype(int) - result.to_rgb()).max(axis=2)
    changed = float((difference > 8).mean())
    assert 0.4 < changed < 0.9, f"{changed:.0%} of the picture changed"


def test_the_network_gives_an_alpha() -> None:
    model = load_model(str(FOLDER / "model/network.sim"))
    frame = next(open_source(str(FOLDER / "assets/demo.mp4")).frames()).frame
    ((name, spec),) = model.inputs.items()
    (alpha,) = model.infer({name: spec.feed(frame)}).values()
    assert alpha.min() >= 0.0
    assert alpha.max() <= 1.0
    assert 0.1 < alpha.mean() < 0.6
