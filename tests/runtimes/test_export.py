from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image
from typer.testing import CliRunner

from devos.cli.main import app
from devos.engine.segmenter import Segmenter
from devos.runtimes import export

from .conftest import film, first_mask

EXAMPLE = Path(__file__).parents[2] / "examples" / "onnx_without_torch.py"
WITHOUT = "import runpy, sys; sys.modules['torch'] = sys.modules['devos'] = None; sys.argv = sys.argv[1:]; "


@pytest.fixture(scope="module")
def graphs(network: Path, home: Path) -> Path:
    result = CliRunner().invoke(app, ["export", "onnx", str(network), "-o", str(home / "graphs")])
    assert result.exit_code == 0, result.output
    return home / "graphs"


def iou(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float((ours & theirs).sum() / max((ours | theirs).sum(), 1))


def test_the_example_follows_objects_without_torch_as_devos_does(
    graphs: Path, on_torch: Segmenter, tmp_path: Path
) -> None:
    frames, mask = film(17), first_mask()  # the bank forgets details of its second frame
    (tmp_path / "frames").mkdir()
    for t, frame in enumerate(frames):
        Image.fromarray(frame).save(tmp_path / "frames" / f"{t:05d}.png")
    Image.fromarray(mask).save(tmp_path / "first.png")
    code = WITHOUT + "runpy.run_path(sys.argv[0], run_name='__main__')"
    arguments = [EXAMPLE, graphs, tmp_path / "frames", tmp_path / "first.png", tmp_path / "out", 64]
    done = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    session = on_torch.with_settings(memory_every=5, bank=6, focus=False).session()
    for t, frame in enumerate(frames):
        expected = session.step(frame, mask if t == 0 else None).labels
        found = np.asarray(Image.open(tmp_path / "out" / f"{t:05d}.png"))
        assert all(iou(found == i, expected == i) >= 0.995 for i in (0, 1, 2))
    assert np.bincount(expected.ravel()).min() > 400  # there is something to compare


def test_the_manifest_tells_what_the_graphs_take_and_give(graphs: Path, network: Path) -> None:
    manifest = json.loads((graphs / "manifest.json").read_text())
    assert manifest["weights_sha256"] == hashlib.sha256(network.read_bytes()).hexdigest()
    assert manifest["config"]["name"] == "devos-tiny" and manifest["how_to_drive"]
    for graph in manifest["graphs"].values():
        path = graphs / graph["file"]
        assert graph["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        assert [i.name for i in session.get_inputs()] == list(graph["inputs"])
        assert [o.name for o in session.get_outputs()] == list(graph["outputs"])
        assert {i.name: i.shape for i in session.get_inputs()} == {n: i["shape"] for n, i in graph["inputs"].items()}


def test_an_earlier_export_is_replaced_only_when_told_to_and_other_folders_never(
    graphs: Path, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = ["export", "onnx", str(network), "-o", str(graphs)]
    refused = CliRunner().invoke(app, again)
    assert refused.exit_code == 2 and "holds an earlier export" in refused.output
    refused = CliRunner().invoke(app, ["export", "onnx", str(network), "-o", str(network.parent), "--overwrite"])
    assert refused.exit_code == 2 and "is no earlier export" in refused.output and network.is_file()
    monkeypatch.setattr(export, "_export", lambda *graph: graph[-1].write_bytes(b"new"))  # the real ones take seconds
    assert CliRunner().invoke(app, [*again, "--overwrite"]).exit_code == 0
    assert (graphs / "match.onnx").read_bytes() == b"new"
