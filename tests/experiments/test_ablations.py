from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from devos.experiments.ablations import VARIANTS, run_variant
from devos.experiments.results import Budget, Result, keep_result
from devos.model.checkpoint import load_weights, save_weights
from devos.model.config import ModelConfig
from devos.model.devos import DeVOS, Given
from devos.model.memory import EveryNth, Memory
from devos.model.motion import Motion

H, W = 64, 96


@pytest.fixture
def config() -> ModelConfig:
    return ModelConfig(
        name="devos-tiny", backbone="efficientnet-lite0", width=16, width_s8=16, width_s4=8,
        heads=(2, 4, 4), points=(3, 3, 4), coarse_points=(2, 2, 0), num_slots=2,
    )  # fmt: skip


def build(config: ModelConfig, variant: str) -> DeVOS:
    """A variant with random weights everywhere, so that nothing that is there is without effect."""
    torch.manual_seed(0)
    model = DeVOS(replace(config, matching=VARIANTS[variant].matching)).eval()
    g = torch.Generator().manual_seed(1)
    for parameter in (*model.adva.parameters(), *model.flow_encoder.parameters(), *model.decoder.parameters()):
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=g)
    return model


def follow(model: DeVOS, *, still: bool = False, every: int = 1, seed: int = 2) -> torch.Tensor:
    """Probabilities of the last of four frames."""
    g = torch.Generator().manual_seed(seed)
    used = torch.ones(1, 3, dtype=torch.bool)
    given = Given(torch.rand(1, 3, H // 4, W // 4, generator=g).softmax(1), used)
    memory, policy = Memory(), EveryNth(every=every, max_entries=6)
    for t in range(4):
        picture = torch.rand(1, 3, H, W, generator=g)
        fields = [torch.randn(1, 2, H // 2, W // 2, generator=g) * (0 if still else 6) for _ in range(2)]
        output = model.step(picture, Motion(*fields) if t else None, memory, used, None if t else given, policy)
        memory = output.memory
    return output.probabilities


@torch.no_grad()
@pytest.mark.parametrize("variant", VARIANTS)
def test_only_without_flow_does_motion_change_nothing(config, variant):
    model = build(config, variant)
    same = torch.equal(follow(model), follow(model, still=True))
    assert same == (variant == "no-flow")


@torch.no_grad()
@pytest.mark.parametrize("variant", VARIANTS)
def test_only_without_long_term_memory_does_the_bank_change_nothing(config, variant):
    model = build(config, variant)
    same = torch.equal(follow(model, every=1), follow(model, every=9))
    assert same == (variant == "no-long-term")


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_trains_all_that_it_has_and_comes_back_from_a_file(config, variant, tmp_path):
    model = build(config, variant)
    follow(model).log()[:, 1].mean().backward()
    idle = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is None}
    # These two make embeddings for every stride, whether it is matched or not.
    assert idle <= {"flow_encoder", "identity_encoder"}
    save_weights(model, tmp_path / "variant.safetensors", {})
    loaded, _ = load_weights(tmp_path / "variant.safetensors")
    assert loaded.config == model.config


def test_a_finished_run_is_read_and_not_made_again(tmp_path):
    done = Result("no-flow", 1, Budget(), {"dev": {"jf": 0.5, "j": 0.5, "f": 0.5}}, 2.0, 0.5)
    keep_result(done, tmp_path)
    assert run_variant("no-flow", 1, Budget(), tmp_path, videos=None, photos=None, tests={}) == done
