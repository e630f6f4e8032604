from __future__ import annotations

import json
from dataclasses import asdict

import pytest
import torch

import devos
from devos.engine import segmenter as rooms
from devos.engine.segmenter import choose_device, find_weights, load
from devos.engine.settings import Settings, parse_scales
from devos.errors import OptionError, WeightsError
from devos.model.checkpoint import save_weights


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"size": 63}, "--size is a short side in pixels from 64 to 4096, got 63"),
        ({"size": 5000}, "--size .* got 5000"),
        ({"memory_every": 0}, "--memory-every .* got 0"),
        ({"bank": 0}, "--bank .* got 0"),
        ({"flow": "farneback"}, "'farneback'; choose one of dis, none, raft"),
        ({"scales": ()}, r"--scales are 1 to 5 different multiples of the size, each from 0\.5 to 2, .*; got none"),
        ({"scales": (0.49,)}, r"--scales .* got 0\.49$"),
        ({"scales": (1.0, 2.01)}, r"--scales .* got 1,2\.01$"),
        ({"scales": (1.0, 1.5, 1.0)}, r"--scales .* different .* got 1,1\.5,1$"),
        ({"scales": (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)}, r"--scales are 1 to 5 .* got 0\.5,0\.75,1,1\.25,1\.5,2$"),
        ({"scales": (float("nan"),)}, r"--scales .* got nan$"),
    ],
)
def test_settings_out_of_range_are_refused(setting, words):
    with pytest.raises(OptionError, match=words):
        Settings(**setting)


def test_scales_are_read_as_they_are_written_on_the_command_line():
    assert parse_scales("0.75, 1,1.25") == (0.75, 1.0, 1.25)
    for wrong in ("", "1;2", "1,,2", "large"):
        with pytest.raises(OptionError, match=rf"as in 0\.75,1,1\.25; got {wrong or 'none'}$"):
            parse_scales(wrong)


def test_a_network_is_loaded_from_a_file_and_ready_for_use(segmenter, tmp_path):
    path = tmp_path / "mine.safetensors"
    save_weights(segmenter.model, path, {"step": 3})
    loaded = load(path, device="cpu", size=64, flow="none")
    assert loaded.settings == Settings(size=64, flow="none")
    assert not loaded.model.training
    assert not any(p.requires_grad for p in loaded.model.parameters())
    assert loaded.weights.info == {"step": 3}
    assert loaded.with_settings(bank=2).settings.bank == 2
    assert loaded.with_settings(bank=2).model is loaded.model
    views = load(path, device="cpu", flip=True, scales=[0.5, 1.0]).settings
    assert (views.flip, views.scales) == (True, (0.5, 1.0))
    recorded = json.loads(json.dumps(asdict(views)))
    assert loaded.with_settings(**recorded).settings == views


def test_a_name_without_weights_is_told_as_such():
    with pytest.raises(WeightsError, match=r"no weights called .devos-xxl.*give the path of a \.safetensors file"):
        load("devos-xxl")


def test_released_weights_are_checked_by_their_sum_and_their_name(segmenter, tmp_path, monkeypatch):
    weights = tmp_path / "weights"
    weights.mkdir()
    save_weights(segmenter.model, weights / "tiny.safetensors", {})
    monkeypatch.setattr(rooms.importlib.resources, "files", lambda _: tmp_path)

    def index(name, sha256):
        (weights / "index.json").write_text(json.dumps({name: {"file": "tiny.safetensors", "sha256": sha256}}))

    right = load(weights / "tiny.safetensors", device="cpu").weights.sha256
    index("devos-tiny", right)
    assert find_weights("devos-tiny") == (weights / "tiny.safetensors", right)
    assert load("devos-tiny", device="cpu").model.config.name == "devos-tiny"
    index("devos-tiny", "0" * 64)
    with pytest.raises(WeightsError, match=r"is damaged: its SHA-256 is .*install devos again"):
        load("devos-tiny", device="cpu")
    index("devos-t", right)
    with pytest.raises(WeightsError, match="holds devos-tiny, but devos-t was asked for"):
        load("devos-t", device="cpu")


def test_a_device_that_is_not_here_is_told_as_such():
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type in ("cpu", "cuda", "mps")
    for name in ("cuda:77", "toaster"):
        with pytest.raises(OptionError, match=f"--device {name} cannot be used here"):
            choose_device(name)


def test_a_session_begins_by_knowing_nobody(segmenter):
    session = segmenter.session()
    assert isinstance(session, devos.Session)
    assert session.object_ids == ()
    assert session.state.num_bytes == 0
