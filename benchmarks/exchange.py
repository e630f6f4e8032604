"""What comes in and what goes out, against programs that are not ours.

    python benchmarks/exchange.py matrix            # frames, times and pixels beside the program ffmpeg
    python benchmarks/exchange.py phone out         # a clip as a phone makes it, through every video that is written
    python benchmarks/exchange.py long --frames 10000   # every writer at once: memory as a curve, frames a second

`matrix` and `phone` need the program ffmpeg.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from devos.exchange.registry import FORMATS
from devos.exchange.writers import VideoInfo
from devos.frames import Frame, FrameSize, MaskFrame, ObjectScore
from devos.io import open_video
from devos.pipeline.exports import Exports

CONTAINERS = {"mp4": "libx264 mpeg4 libx265", "mov": "libx264 prores_ks", "mkv": "libx264 ffv1 libvpx-vp9 mpeg2video",
              "webm": "libvpx-vp9", "avi": "mjpeg mpeg4", "ts": "libx264 mpeg2video"}  # fmt: skip
GROUPS = {"short": "-g 4", "long-b": "-g 30 -bf 2", "intra": "-g 1"}
CUTS = {"whole": "", "cut": "-ss 0.5"}
RATES = {"25": "", "ntsc": "-r 30000/1001", "vfr": "-vf select='not(eq(mod(n\\,5)\\,3))' -fps_mode vfr"}
TURNS = {"upright": "", "turned": "-metadata:s:v rotate=90"}
PIXELS = {"libx264": ("yuv420p", "yuv444p", "yuv420p10le"), "ffv1": ("yuv422p", "gray", "bgr0"), "mjpeg": ("yuvj420p",),
          "prores_ks": ("yuv422p10le",)}  # fmt: skip


def ffmpeg(*arguments: str) -> bytes:
    """Run ffmpeg; what it writes to its output."""
    command = ["ffmpeg", "-nostdin", "-y", "-v", "error", *arguments]
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout


def cells() -> Iterator[tuple[str, ...]]:
    """Container, encoder, group, cut, rate, turn, kind of pixel."""
    for container, encoders in CONTAINERS.items():
        for encoder in encoders.split():
            pixels = PIXELS.get(encoder, ("yuv420p",))
            for group, cut, rate, turn in itertools.product(GROUPS, CUTS, RATES, TURNS):
                if (turn == "upright" or container in ("mp4", "mov")) and not (rate == "vfr" and container == "avi"):
                    for pixel in pixels if group == "short" and cut == "whole" else pixels[:1]:
                        yield container, encoder, group, cut, rate, turn, pixel


def matrix(step: int) -> None:
    """Each cell as ffmpeg shows it and as we read it: number of frames, times to a thousandth, pixels."""
    tried, equal, refused, different = 0, 0, 0, []
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "source.mkv"
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=1.6", "-c:v", "ffv1", str(source))
        for number, cell in enumerate(cells()):
            if number % step:
                continue
            file = Path(scratch) / f"clip.{cell[0]}"
            try:
                make(source, file, cell, Path(scratch))
            except subprocess.CalledProcessError:
                refused += 1
                continue
            tried += 1
            if (found := compare(file)) is None:
                equal += 1
            else:
                different.append((*cell, found))
    print(
        json.dumps({"tried": tried, "equal": equal, "ffmpeg cannot write": refused, "different": different}, indent=1)
    )


def make(source: Path, file: Path, cell: tuple[str, ...], scratch: Path) -> None:
    """One clip of the matrix."""
    _, encoder, group, cut, rate, turn, pixel = cell
    whole = scratch / f"whole{file.suffix}"
    words = [*GROUPS[group].split(), *RATES[rate].split(), "-c:v", encoder, "-pix_fmt", pixel]
    words += ["-preset", "ultrafast"] if encoder.startswith("libx26") else []
    words += ["-deadline", "realtime", "-cpu-used", "8"] if encoder == "libvpx-vp9" else []
    ffmpeg("-i", str(source), *words, str(whole))
    if cut == "whole" and turn == "upright":
        shutil.copyfile(whole, file)
    else:
        ffmpeg(*CUTS[cut].split(), "-i", str(whole), "-c", "copy", *TURNS[turn].split(), str(file))


def compare(file: Path) -> str | None:
    """What differs; None if nothing does."""
    shown = ffmpeg("-i", str(file), "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    theirs = np.frombuffer(shown, np.uint8)
    listing = ffmpeg("-i", str(file), "-fps_mode", "passthrough", "-f", "framecrc", "-c:v", "wrapped_avframe", "-")
    lines = listing.decode().splitlines()
    base = Fraction(next(line.split(":")[1].strip() for line in lines if line.startswith("#tb 0")))
    times = [int(line.split(",")[2]) * base for line in lines if not line.startswith("#")]
    with open_video(file) as video:
        frames = list(video)
    ours = np.stack([frame.rgb for frame in frames])
    if ours.size != theirs.size:
        return f"{len(frames)} frames of {ours.shape[1:3]}, ffmpeg has {theirs.size // (ours[0].size)}"
    if (worst := int(np.abs(ours.astype(int) - theirs.reshape(ours.shape)).max())) > 3:
        return f"pixels differ by up to {worst}"
    late = max(abs(frame.time_s - float(t - times[0])) for frame, t in zip(frames, times, strict=True))
    return f"times differ by up to {late:.4f} s" if late > 0.0011 else None


def phone(out: Path) -> None:
    """A clip that lies on its side, of varying rate, with sound and HDR's tags; what is left of that in each video."""
    out.mkdir(parents=True, exist_ok=True)
    clip, turned = out / "straight.mp4", out / "phone.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x180:r=30:d=3", "-f", "lavfi", "-i", "sine=440:d=3", "-vf",
           "select='not(eq(mod(n\\,7)\\,3))'", "-fps_mode", "vfr", "-c:v", "libx264", "-pix_fmt", "yuv420p",
           "-colorspace", "bt2020nc", "-color_primaries", "bt2020", "-color_trc", "arib-std-b67", "-color_range", "tv",
           "-c:a", "aac", "-video_track_timescale", "90000", str(clip))  # fmt: skip
    ffmpeg("-i", str(clip), "-c", "copy", "-metadata:s:v", "rotate=90", str(turned))
    names = [name for name in ("overlay", "green", "prores", "ffv1", "vp9", "av1") if name in FORMATS]
    with open_video(turned) as video:
        info = VideoInfo("phone", video.size, video.num_frames, video.fps, look=video.look, sound=video.sound)
        with Exports([FORMATS[name] for name in names], out / "export", info) as exports:
            times = []
            for frame in video:
                times.append(frame.time_s)
                exports.write(masks_of(frame), frame)
                if frame.index == 30:
                    still(frame.rgb, out / "source.png")
        print("source", video.size, f"{len(times)} frames", f"{float(video.fps):.4f}", video.look)
    for name in names:
        print(name, told_by_ffprobe(out / "export" / FORMATS[name].place, times))
        take_still(name, out / "export" / FORMATS[name].place, out / f"{name}.png")
    side_by_side(out, ["source", *names])


def take_still(name: str, video: Path, path: Path) -> None:
    """Frame 30, with the alpha where there is one: of VP9 only libvpx gives it, an AVIF has it as its second stream."""
    joined = "[0:0]select=eq(n\\,30)[c];[0:1]format=gray,select=eq(n\\,30)[a];[c]format=rgba[r];[r][a]alphamerge"
    pick = ["-filter_complex", joined] if name == "av1" else ["-vf", "select=eq(n\\,30)"]
    decoder = ["-c:v", "libvpx-vp9"] if name == "vp9" else []
    ffmpeg(*decoder, "-i", str(video), *pick, "-frames:v", "1", "-pix_fmt", "rgba", str(path))


def side_by_side(out: Path, names: list[str]) -> None:
    """All of them on one sheet, what is clear over grey squares."""
    from PIL import Image, ImageDraw

    pictures = [Image.open(out / f"{name}.png").convert("RGBA") for name in names]
    width, height = pictures[0].size
    squares = (np.add.outer(np.arange(height) // 10, np.arange(width) // 10) % 2 * 40 + 180).astype(np.uint8)
    sheet = Image.new("RGB", ((width + 8) * len(names) - 8, height + 16), "white")
    for place, (name, picture) in enumerate(zip(names, pictures, strict=True)):
        ground = Image.fromarray(squares).convert("RGBA")
        ground.alpha_composite(picture)
        sheet.paste(ground.convert("RGB"), (place * (width + 8), 16))
        ImageDraw.Draw(sheet).text((place * (width + 8) + 2, 2), name, fill="black")
    sheet.save(out / "phone.webp", quality=80)


def still(rgb: np.ndarray, path: Path) -> None:
    """One picture."""
    from PIL import Image

    Image.fromarray(rgb).save(path)


def told_by_ffprobe(path: Path, times: list[float]) -> dict[str, object]:
    """What the program ffprobe says of a video, and how far its frames' times are from the source's."""
    command = ["ffprobe", "-v", "error", "-show_streams", "-of", "json", str(path)]
    told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    # of an AVIF the second stream is the alpha of the first
    command += ["-select_streams", "v:0", "-show_entries", "frame=pts_time,media_type"]
    told["frames"] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["frames"]
    video = next(one for one in told["streams"] if one["codec_type"] == "video")
    shown = [float(one["pts_time"]) for one in told["frames"] if one["media_type"] == "video" and "pts_time" in one]
    keys = ("width", "height", "avg_frame_rate", "color_space", "color_primaries", "color_transfer", "color_range")
    worst = max((abs(a - b) for a, b in zip(shown, times, strict=False)), default=0.0)
    sound = [one["codec_name"] for one in told["streams"] if one["codec_type"] == "audio"]
    return {"frames": len(shown), "worst_s": round(worst, 5), "sound": sound,
            **{key: video.get(key) for key in keys}}  # fmt: skip


def masks_of(frame: Frame, num_objects: int = 2) -> MaskFrame:
    """Discs that wander over a frame, with soft edges."""
    height, width = frame.size
    y, x = np.mgrid[:height, :width]
    labels, soft, scores = np.zeros((height, width), np.uint16), [], []
    for number in range(num_objects):
        centre = (width * (0.3 + 0.4 * number + 0.1 * np.sin(frame.index / 9)), height * (0.4 + 0.2 * number))
        distance = np.hypot(x - centre[0], y - centre[1]) - min(height, width) / 6
        labels[distance < 0] = number + 1
        soft.append(1 / (1 + np.exp(np.clip(2 * distance, -20, 20))))
        scores.append(ObjectScore(number + 1, 0.9, 0.9))
    return MaskFrame(frame.index, frame.time_s, frame.name, labels, tuple(scores), np.stack(soft).astype(np.float16))


def long(num_frames: int, names: list[str], size: FrameSize) -> None:
    """Every writer at once."""
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    info = VideoInfo("long", size, num_frames, Fraction(25))
    for chosen in ([], names):
        curve = {}
        with tempfile.TemporaryDirectory() as scratch:
            begun = time.perf_counter()
            with Exports([FORMATS[name] for name in chosen], Path(scratch), info) as exports:
                for index in range(num_frames):
                    frame = Frame(index, index / 25, f"{index:05d}", np.roll(noise, index, axis=1))
                    exports.write(masks_of(frame), frame)
                    if index + 1 in (1, 200, 1000, num_frames // 2, num_frames) or (index + 1) % 2000 == 0:
                        curve[index + 1] = round(_rss() / 1024, 1)
                        said = f"{index + 1} frames, {time.perf_counter() - begun:.1f} s, {curve[index + 1]} MB"
                        print(said, file=sys.stderr, flush=True)
            seconds = time.perf_counter() - begun
            files = [path for path in Path(scratch).rglob("*") if path.is_file()]
            disk = sum(path.stat().st_size for path in files)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"writers": len(chosen), "frames": num_frames, "size": str(size), "frames_per_s":
                          round(num_frames / seconds, 1), "rss_mb": curve, "peak_mb": round(peak, 1),
                          "files": len(files), "disk_mb": round(disk / 1e6, 1)}), flush=True)  # fmt: skip


def _rss() -> float:
    """Kilobytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("VmRSS")))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("matrix", "phone", "long"))
    parser.add_argument("out", nargs="?", type=Path, default=Path("phone"))
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--step", type=int, default=1, help="only every n-th cell of the matrix")
    parser.add_argument("--without", default="", help="formats to leave out, with commas between")
    given = parser.parse_args()
    if given.what == "matrix":
        matrix(given.step)
    elif given.what == "phone":
        phone(given.out)
    else:
        long(given.frames, [name for name in FORMATS if name not in given.without.split(",")], FrameSize(48, 64))
