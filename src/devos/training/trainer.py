"""A run's state and its one verb: take an optimisation step."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor, nn

from devos.data.batching import Batch
from devos.errors import DevosError
from devos.model.devos import DeVOS
from devos.training.checkpoints import check_same_run, random_states, restore_random_states
from devos.training.compute import PLAIN, Compute, compile_parts, parts_of
from devos.training.config import TrainConfig
from devos.training.distributed import ALONE, World, averaging, shared
from devos.training.origin import Origin
from devos.training.sharding import is_share, own_part, settle, share_like, whole
from devos.training.unroll import Unrolled


class DivergedError(DevosError, FloatingPointError):
    """A loss or a gradient is no number; the step was not taken."""


@dataclass(frozen=True)
class Figures:
    """What a step says of itself: means over the whole batch, of all processes."""

    entropy: float
    dice: float
    j: float
    """Mean J of the clips at stride 4, in [0, 1]."""
    gradient_norm: float
    """Before it was clipped; not finite where fp16 skipped the step."""
    stop: bool
    """Whether a process was asked to stop."""
    due: bool
    """Whether a checkpoint is due, by the clock of a process."""
    predicted: UInt8[Tensor, "clips pairs h4 w4"]
    """The likeliest slot in each cell of frames 1, 2, ... of this process's last clips in the batch."""


class Trainer:
    """A run: the network, its average, the optimiser, and how far it has come."""

    def __init__(
        self, config: TrainConfig, model: DeVOS, device: str | torch.device = "cpu", *,
        compute: Compute = PLAIN, world: World = ALONE, origin: Origin | None = None,
    ) -> None:  # fmt: skip
        self.config, self.compute, self.world, self.origin = config, compute, world, origin
        self.device = torch.device(device)
        compute.check(len(world.shard.places(config.clips.batch_size)))
        # FSDP2 takes only weights in the usual order.
        layout = torch.contiguous_format if compute.sharded else torch.channels_last
        self.model = model.to(self.device, memory_format=layout)  # type: ignore[call-overload]
        _freeze(self.model, config)
        if compute.compiled:
            compile_parts(self.model, self.device)
        self._unrolled = shared(Unrolled(self.model, config), world, self.device, compute.sharded)
        self.average = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        self._start = {name: value.clone() for name, value in self.average.items()} if config.kept_share else {}
        self.optimiser = torch.optim.AdamW(_groups(self.model, config), lr=config.learning_rate)
        self._scaler = compute.scaler(self.device)
        self.step = 0
        self.steady = True
        """False while a step changes the weights: what would be saved then is the state of no step."""

    def run_step(self, batch: Batch, *, stop: bool = False, due: bool = False) -> Figures:
        """One optimisation step with this process's share of a batch; DivergedError, with nothing changed, if the loss
        or (but in fp16, which skips the step) the gradient is not finite. `stop`, `due`: told to the other processes.
        """
        rate = self.config.rate_at(self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["share"]
        self.optimiser.zero_grad(set_to_none=True)
        (entropy, dice, j, stops, dues), predicted = self._backward(batch, stop, due)
        self._scaler.unscale_(self.optimiser)
        gradient_norm = self._clip().item()
        if not (math.isfinite(gradient_norm) or self._scaler.is_enabled()):
            raise DivergedError(f"the gradient of step {self.step} has the norm {gradient_norm}, at a loss of "
                                f"{entropy + dice:.4g}; nothing was changed by it")  # fmt: skip
        self.steady = False
        self._scaler.step(self.optimiser)
        self._scaler.update()
        self._average()
        self.step += 1
        self.steady = True
        return Figures(entropy, dice, j, gradient_norm, stops > 0, dues > 0, predicted)

    def _backward(self, batch: Batch, stop: bool, due: bool) -> tuple[list[float], Tensor]:
        """Leave the gradient of the whole batch in the weights. Returns the means over it of cross-entropy, dice loss,
        J, `stop` and `due`, and what was predicted for the last part.
        """
        count = self.compute.accumulate
        means, predicted = [0.0] * 5, torch.empty(0)
        for number, part in enumerate(parts_of(batch.to(self.device), count), start=1):
            with averaging(self._unrolled, number == count):
                with self.compute.autocast(self.device):
                    followed = self._unrolled(part, self.step)
                told = followed.j.new_tensor([stop, due])
                figures = torch.cat([torch.stack([followed.entropy, followed.dice, followed.j]), told])
                means = [a + b / count for a, b in zip(means, self.world.mean(figures.detach()).tolist(), strict=True)]
                # Before the backward pass: some kernels read outside their tensors where a place is no number.
                self._check_loss(*means[:2])
                torch.autograd.backward(self._scaler.scale((followed.entropy + followed.dice) / count))
            predicted = followed.predicted
        return means, predicted

    def _check_loss(self, entropy: float, dice: float) -> None:
        if not math.isfinite(entropy + dice):
            raise DivergedError(f"the loss of step {self.step} is {entropy + dice} (cross-entropy {entropy:.4g}, dice "
                                f"{dice:.4g}); nothing was changed by it")  # fmt: skip

    def _clip(self) -> Tensor:
        """Clip the gradient's norm; gives it as it was."""
        if self.compute.sharded:
            return settle(self.model, self.config.clip_gradient)
        return nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_gradient)

    @torch.no_grad()
    def _average(self) -> None:
        # Warmed up, so that the random start is forgotten in the first steps.
        decay = min(self.config.ema_decay, (1 + self.step) / (10 + self.step))
        for name, value in self.model.state_dict().items():
            mean = own_part(self.average[name])
            if value.is_floating_point():
                mean.lerp_(own_part(value), 1 - decay)
            else:
                mean.copy_(own_part(value))  # a batch norm's counter has no mean

    def state(self) -> dict[str, Any]:
        """Everything that a resumed run needs; the same file for any number of processes. They all call it together.

        Which batch comes next is the step itself: clips are made from the seed and their number alone.
        """
        return {
            "config": asdict(self.config), "compute": asdict(self.compute), "origin": self.origin, "step": self.step,
            "model": whole(self.model.state_dict()), "average": whole(self.average),
            "start": whole(self._start),
            "optimiser": whole(self.optimiser.state_dict()), "scaler": self._scaler.state_dict(),
            "random": self.world.gathered(random_states()),
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state of a run of the same configuration; WeightsError if it is of another."""
        check_same_run(state["config"], self.config)
        own = self.model.state_dict()
        self.model.load_state_dict({k: share_like(v, own[k]) if k in own else v for k, v in state["model"].items()})
        self.average = {k: share_like(v, own[k]).clone() for k, v in state["average"].items()}
        self._start = {k: share_like(v, own[k]).clone() for k, v in state.get("start", {}).items()}
        self._restore_optimiser(state["optimiser"])
        if self._scaler.is_enabled() and state.get("scaler"):
            self._scaler.load_state_dict(state["scaler"])
        random = state.get("random", [])
        if len(random) == self.world.size:
            restore_random_states(random[self.world.rank])
        self.step = state["step"]

    def _restore_optimiser(self, state: dict[str, Any]) -> None:
        weights = [weight for group in self.optimiser.param_groups for weight in group["params"]]
        moments = {
            index: {name: share_like(value, weights[index]) if is_share(weights[index]) and value.ndim else value
                    for name, value in entry.items()}
            for index, entry in state["state"].items()
        }  # fmt: skip
        self.optimiser.load_state_dict({"state": moments, "param_groups": self.optimiser.state_dict()["param_groups"]})

    def averaged(self) -> DeVOS:
        """A network with the averaged weights, and the kept share of the first ones, on the CPU. All processes call it
        together.
        """
        with torch.random.fork_rng():  # its first weights are random, and not part of the run's chance
            model = DeVOS(self.config.model)
        weights, start = whole(self.average), whole(self._start)
        kept = self.config.kept_share
        model.load_state_dict({k: v.lerp(start[k], kept) if k in start and v.is_floating_point() else v
                               for k, v in weights.items()})  # fmt: skip
        return model


def _freeze(model: DeVOS, config: TrainConfig) -> None:
    model.image_encoder.backbone.requires_grad_(config.encoder_rate > 0)
    for name in config.frozen:
        model.get_submodule(name).requires_grad_(False)


def _groups(model: DeVOS, config: TrainConfig) -> list[dict[str, Any]]:
    """What learns: matrices, which decay, and biases and norms, which do not; the backbone at its share of the rate.

    Single numbers are groups of their own, for they are not shared out where the others are.
    """
    backbone = {id(weight) for weight in model.image_encoder.backbone.parameters()}
    groups: list[dict[str, Any]] = []
    for share, inside in ((1.0, False), (config.encoder_rate, True)):
        learning = [w for w in model.parameters() if w.requires_grad and (id(w) in backbone) == inside]
        for decay, sides in ((config.weight_decay, 2), (0.0, 1), (0.0, 0)):
            weights = [w for w in learning if min(w.ndim, 2) == sides]
            if weights:
                groups.append({"params": weights, "share": share, "weight_decay": decay})
    return groups
