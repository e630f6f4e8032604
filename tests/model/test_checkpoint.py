from __future__ import annotations

import hashlib
import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from devos.errors import WeightsError
from devos.model.checkpoint import load_weights, read_weights, save_weights


@pytest.fixture
def path(model, tmp_path):
    save_weights(model, tmp_path / "tiny.safetensors", {"step": 7, "scores": {"J": 0.5}})
    return tmp_path / "tiny.safetensors"


def rewrite(path, change_metadata=None, change_tensors=None):
    with safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()["devos"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    (change_metadata or (lambda m: None))(about)
    (change_tensors or (lambda t: None))(tensors)
    save_file(tensors, path, {"devos": json.dumps(about)})


def test_weights_come_back_in_half_precision_with_all_that_was_said_of_them(path, model):
    loaded, weights = load_weights(path, "devos-tiny")
    assert loaded.config == model.config
    assert not loaded.training
    assert weights.info == {"step": 7, "scores": {"J": 0.5}}
    assert weights.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    for name, value in model.state_dict().items():
        assert loaded.state_dict()[name].dtype == torch.float32
        assert torch.equal(loaded.state_dict()[name], value.half().float()), name


def test_weights_saved_again_are_the_same_and_no_scratch_file_stays(path, tmp_path):
    loaded, weights = load_weights(path)
    save_weights(loaded, tmp_path / "again.safetensors", weights.info)
    again = read_weights(tmp_path / "again.safetensors")
    assert again.config == weights.config
    assert again.info == weights.info
    assert all(torch.equal(again.tensors[name], value) for name, value in weights.tensors.items())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again.safetensors", "tiny.safetensors"]


def test_full_precision_changes_nothing(model, tmp_path):
    save_weights(model, tmp_path / "full.safetensors", {}, half=False)
    loaded, _ = load_weights(tmp_path / "full.safetensors")
    assert all(torch.equal(loaded.state_dict()[name], value) for name, value in model.state_dict().items())


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"no weights file .*none\.safetensors"):
        read_weights(tmp_path / "none.safetensors")


@pytest.mark.parametrize("keep", [0, 5, 500, -1])
def test_a_damaged_file_is_told_as_such(path, keep):
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(WeightsError, match="damaged or is no safetensors file"):
        read_weights(path)


def test_weights_of_another_program_are_refused(tmp_path):
    save_file({"weight": torch.zeros(3)}, tmp_path / "other.safetensors", {"format": "pt"})
    with pytest.raises(WeightsError, match="weights of another program"):
        read_weights(tmp_path / "other.safetensors")


def test_weights_of_another_model_are_refused_by_name(path):
    with pytest.raises(WeightsError, match="holds devos-tiny, but devos-t was asked for"):
        load_weights(path, "devos-t")


def test_weights_of_another_format_are_refused(path):
    rewrite(path, lambda m: m.update(format=99))
    with pytest.raises(WeightsError, match="has format 99"):
        read_weights(path)


def test_a_configuration_that_this_version_does_not_know_is_refused(path):
    def add(metadata):
        metadata["config"]["warp_drive"] = 9

    rewrite(path, add)
    with pytest.raises(WeightsError, match="another version of devos"):
        read_weights(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.pop("decoder.block32.join.weight"),
        lambda t: t.update(stray=torch.zeros(2)),
        lambda t: t.update({"decoder.block32.join.bias": torch.zeros(3)}),
    ],
    ids=["one is missing", "one is too many", "one has another shape"],
)
def test_weights_that_do_not_fit_exactly_are_refused(path, change):
    rewrite(path, change_tensors=change)
    with pytest.raises(WeightsError, match="does not fit devos-tiny"):
        load_weights(path)


def test_the_same_weights_make_the_same_file(tmp_path, model):
    for name in ("a", "b"):
        save_weights(model, tmp_path / f"{name}.safetensors", {"step": 1, "scores": {"jf": 0.5}})
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
