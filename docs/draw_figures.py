"""Make the pictures of docs/figures.md anew, from the clip that comes with the package: python docs/draw_figures.py."""

from __future__ import annotations

import tempfile
from pathlib import Path

from PIL import Image
from typer.testing import CliRunner

from devos.cli.main import app
from devos.data.catalog import find_videos
from devos.evaluation.predictors import CopyFirst, FlowWarp, Saving
from devos.evaluation.scoring import Protocol
from devos.io import open_video
from devos.pipeline.demo import demo_clip
from devos.pipeline.segment import segment

DOCS = Path(__file__).resolve().parent
WIDTH, COLOURS = 1100, 160
FRAME = 40


def main() -> None:
    """Both pictures."""
    clip, mask = demo_clip()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        frames, masks = root / "JPEGImages" / "bunny", root / "Annotations" / "bunny"
        frames.mkdir(parents=True)
        masks.mkdir(parents=True)
        with open_video(clip) as video:
            for frame in video:
                Image.fromarray(frame.rgb).save(frames / f"{frame.name}.png")
        (masks / "00000.png").write_bytes(mask.read_bytes())
        (bunny,) = find_videos(root)
        segment(frames, mask, root / "ours", overlay=False)
        baselines = {"flow only": FlowWarp(Protocol.DAVIS2017), "first mask": CopyFirst(Protocol.DAVIS2017)}
        for name, predictor in baselines.items():
            for _ in Saving(predictor, root / name)(bunny):
                pass
        results = [f"--results=devos-t={root / 'ours' / 'masks'}"]
        results += [f"--results={name}={root / name}" for name in baselines]
        run("attention", clip, "-m", mask, "--frame", FRAME, "-o", root / "attention.png")
        run("compare", "--root", root, *results, "--frames", "10,24,38,52", "-o", root / "compare.png")
        for name in ("attention", "compare"):
            shrink(root / f"{name}.png", DOCS / f"figure-{name}.png")


def run(*arguments: object) -> None:
    """`devos figure ...`."""
    CliRunner().invoke(app, ["figure", *map(str, arguments)], catch_exceptions=False)


def shrink(source: Path, target: Path) -> None:
    """Small enough for a repository: fewer pixels, fewer colours."""
    picture = Image.open(source).convert("RGB")
    picture = picture.resize((WIDTH, round(picture.height * WIDTH / picture.width)), Image.Resampling.LANCZOS)
    # The palette that covers all colours: the usual ones leave out those of the small marks.
    few = picture.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE)
    few.save(target, optimize=True)


if __name__ == "__main__":
    main()
