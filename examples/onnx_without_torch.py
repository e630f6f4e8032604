"""Follow objects with exported graphs: neither devos nor torch is needed, only numpy, ONNX Runtime and OpenCV.

    devos export onnx devos-t -o graphs
    python examples/onnx_without_torch.py graphs frames first.png out

`frames`: a folder of pictures, in the order of their names. `first.png`: a mask of the first one, 0 for background, an
object's number elsewhere; up to 10 objects. `out` gets a mask for each frame. `Follower` is the part to take over into
another program or language; OpenCV only reads, resizes, and says how the picture moved.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

LEAST = 1e-4
"""Probability below which nothing is told apart when maps are enlarged."""


class Follower:
    """One video: `start` on its first frame, then `step` on each of the others."""

    def __init__(self, folder: Path, threads: int = 0) -> None:
        """`folder`: as `devos export onnx` writes it. `threads`: 0 for as many as there are cores."""
        self.manifest = json.loads((folder / "manifest.json").read_text())
        self.num_slots = self.manifest["num_slots"] + 1  # slot 0 is background
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.graphs = {
            name: onnxruntime.InferenceSession(folder / graph["file"], options, providers=["CPUExecutionProvider"])
            for name, graph in self.manifest["graphs"].items()
        }
        self.frame = 0
        self.bank: list[dict[str, np.ndarray]] = []

    def start(self, image: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """`image`: 3 h w, float32 RGB in [0, 1], sides multiples of 32. `shares`: objects h/4 w/4, float32, how much of
        each cell an object covers. Returns the probabilities, 1 + objects h/4 w/4, background first.
        """
        self.num_objects = len(shares)
        if self.num_objects >= self.num_slots:
            raise ValueError(f"there are {len(shares)} objects, but only {self.num_slots - 1} go into one group")
        probabilities = np.zeros((1, self.num_slots, *shares.shape[1:]), np.float32)
        probabilities[0, 1 : 1 + self.num_objects] = shares
        probabilities[0, 0] = np.clip(1 - shares.sum(0), 0, 1)
        return self._remember(self._run("encode", image=image[None]), probabilities)

    def step(self, image: np.ndarray, to_prev: np.ndarray, to_curr: np.ndarray) -> np.ndarray:
        """`to_prev`, `to_curr`: 2 h/8 w/8, float32, (dx, dy) in pixels of the image; where each cell of this frame was
        on the one before, and where each cell of that one went. Returns the probabilities, as `start`.
        """
        features = self._run("encode", image=image[None])
        bank = {f"bank_{name}": np.concatenate([entry[name] for entry in self.bank if name in entry], 1)
                for name in self.bank[0]}  # fmt: skip
        slots = np.arange(1 + self.num_objects)
        known = features | self.previous | bank | {"to_prev": to_prev[None], "to_curr": to_curr[None], "slots": slots}
        known |= self._run("look", **known)
        known |= self._run("match", **known)
        # A part of the frame around the objects would do here (manifest.json says how), and take less time.
        logits = self._run("refine", **known)["logits"]
        odds = np.exp(logits - logits.max(1, keepdims=True))
        probabilities = np.zeros((1, self.num_slots, *logits.shape[2:]), np.float32)
        probabilities[:, slots] = odds / odds.sum(1, keepdims=True)
        return self._remember(features, probabilities)

    def _remember(self, features: dict[str, np.ndarray], probabilities: np.ndarray) -> np.ndarray:
        made = self._run("memorise", **features, probabilities=probabilities)
        values = {name: made[name] for name in made if name.startswith("values_")}
        self.previous = {f"previous_{name}": features[name] for name in ("s8", "s16", "s32")} | values
        if self.frame % self.manifest["bank"]["every"] == 0:
            # A row for each cell. With several groups their values lie side by side in a row.
            entry = {name: rows(made[name]) for name in ("values_s16", "values_s32")}
            self.bank.append({"keys_s16": made["keys_s16"], "keys_s32": made["keys_s32"]} | entry)
            if len(self.bank) > self.manifest["bank"]["most"]:
                del self.bank[1]  # the oldest but the first, whose mask was given
            for entry in self.bank[1 : -self.manifest["bank"]["fine"]]:
                entry.pop("keys_s16", None)  # of the old ones, only the first is read in detail
                entry.pop("values_s16", None)
        self.frame += 1
        return probabilities[0, : 1 + self.num_objects]

    def _run(self, graph: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """What a graph gives; of the inputs it takes those that it has."""
        session = self.graphs[graph]
        names = [output.name for output in session.get_outputs()]
        taken = {each.name: inputs[each.name] for each in session.get_inputs()}
        return dict(zip(names, session.run(names, taken), strict=True))


def rows(values: np.ndarray) -> np.ndarray:
    """Values `g v h w` -> `1 hw gv`."""
    g, v, h, w = values.shape
    return np.ascontiguousarray(values.transpose(2, 3, 0, 1)).reshape(1, h * w, g * v)


def flow_cells(flow: cv2.DISOpticalFlow, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Where each 8x8 pixels of `source` are on `target`: 2 h/8 w/8. Both: grey, at half the size."""
    field = flow.calc(source, target, None).transpose(2, 0, 1) * np.float32(2)
    _, h, w = field.shape
    return np.ascontiguousarray(field.reshape(2, h // 4, 4, w // 4, 4).mean((2, 4)))


def labels(probabilities: np.ndarray, ids: np.ndarray, width: int, height: int) -> np.ndarray:
    """The most probable object at each pixel; maps are enlarged, never labels."""
    logs = np.log(np.maximum(probabilities, LEAST))
    large = np.stack([cv2.resize(x, (width, height), interpolation=cv2.INTER_LINEAR) for x in logs])
    return np.array([0, *ids], np.uint8)[large.argmax(0)]


def main(folder: Path, frames: Path, mask: Path, out: Path, short_side: int = 384) -> None:
    """Read the frames, follow the objects, write a mask for each."""
    out.mkdir(parents=True, exist_ok=True)
    follower = Follower(folder)
    given = cv2.imread(str(mask), cv2.IMREAD_UNCHANGED)
    height, width = given.shape
    ids = np.unique(given)[1:]
    inner_h, inner_w = (max(2, round(side * short_side / min(height, width) / 32)) * 32 for side in (height, width))
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    flow.setFinestScale(1)
    before = None
    for path in sorted(frames.iterdir()):
        picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        if picture.shape[:2] != (inner_h, inner_w):
            picture = cv2.resize(picture, (inner_w, inner_h), interpolation=cv2.INTER_AREA)
        image = np.ascontiguousarray(picture.transpose(2, 0, 1), np.float32) / 255
        grey = cv2.resize(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (inner_w // 2, inner_h // 2),
                          interpolation=cv2.INTER_AREA)  # fmt: skip
        if before is None:
            size = inner_w // 4, inner_h // 4
            covered = [(given == i).astype(np.float32) for i in ids]
            shares = np.stack([cv2.resize(x, size, interpolation=cv2.INTER_AREA) for x in covered])
            found = follower.start(image, shares)
        else:
            found = follower.step(image, flow_cells(flow, grey, before), flow_cells(flow, before, grey))
        answer = given if before is None else labels(found, ids, width, height)
        cv2.imwrite(str(out / f"{path.stem}.png"), answer)
        before = grey


if __name__ == "__main__":
    if len(sys.argv) not in (5, 6) or not all(Path(path).exists() for path in sys.argv[1:4]):
        sys.exit(f"{__doc__}\nusage: onnx_without_torch.py GRAPHS FRAMES FIRST.png OUT [SHORT_SIDE]")
    main(*map(Path, sys.argv[1:5]), *map(int, sys.argv[5:6]))
