"""How a network is trained: one checked value. The recipes that make such values are in `devos.training.recipes`."""

from __future__ import annotations

from dataclasses import dataclass, field

from devos.data.batching import ClipsConfig, Stage
from devos.model.config import ModelConfig, devos_t

PARTS = ("image_encoder", "flow_encoder", "identity_encoder", "adva", "long_term", "decoder")
"""The parts of a `DeVOS` by name, those that `TrainConfig.frozen` may name."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything that a run depends on besides the files that it reads."""

    clips: ClipsConfig
    model: ModelConfig = field(default_factory=devos_t)
    learning_rate: float = 4e-4
    final_learning_rate: float = 1e-5
    warmup_steps: int = 100
    decay_power: float = 0.9
    """The rate falls as (1 - progress) ** decay_power (supplement 1.2)."""
    weight_decay: float = 0.03
    encoder_rate: float = 0.0
    """The backbone's share of the learning rate; 0 freezes it (supplement 1.2: 0.1)."""
    frozen: tuple[str, ...] = ()
    """Parts, named as in `PARTS`, that do not learn (main phase 2: the mask and flow encoders, supplement 1.2)."""
    ema_decay: float = 0.998
    kept_share: float = 0.0
    """The share, in the weights that are saved, of those that the run started from; the rest is the moving average. In
    between a general network and one that is tuned to a few clips lie networks that are good at both (Wortsman et al.
    2022)."""
    clip_gradient: float = 1.0
    """Largest norm of a step's gradient."""
    given_share: float = 0.0
    """Chance that a frame hands the true mask, not the predicted one, to the next (main phase 1: 1; phase 2: 0)."""
    memory_every: int = 2
    """A frame of a clip enters the bank every this many frames."""
    checkpoint_every: int = 100
    """The state to resume from, one file that is replaced."""
    snapshot_every: int = 100
    """The averaged weights, a file each time; the mean of several can be better than the last."""
    log_every: int = 10
    """A line of the log, the means since the one before."""
    validate_every: int = 1000
    """Where a run is given a validation; its last step is always validated."""
    pictures_every: int = 250
    """A clip with its truth and the network's answer, where there is a board."""

    def __post_init__(self) -> None:
        if not 0 <= self.encoder_rate <= 1:
            raise ValueError(f"encoder_rate is a share of the learning rate in [0, 1], got {self.encoder_rate}")
        if not 0 <= self.given_share <= 1:
            raise ValueError(f"given_share is a chance in [0, 1], got {self.given_share}")
        if not 0 <= self.kept_share < 1:
            raise ValueError(f"kept_share is a share in [0, 1), got {self.kept_share}")
        strange = [name for name in self.frozen if name not in PARTS]
        if strange:
            raise ValueError(f"frozen names parts of the network ({', '.join(PARTS)}), got {', '.join(strange)}")
        if self.clips.num_slots != self.model.num_slots:
            raise ValueError(
                f"clips have {self.clips.num_slots} slots, the network {self.model.num_slots}; give the same"
            )

    @property
    def backbone_learns(self) -> bool:
        """Whether gradients go through the image encoder's backbone."""
        return self.encoder_rate > 0 and "image_encoder" not in self.frozen

    @property
    def num_steps(self) -> int:
        """Optimisation steps of the whole run: one a batch."""
        return self.clips.num_batches

    def rate_at(self, step: int) -> float:
        """Learning rate of a step: linear warm-up, then polynomial decay to the final rate."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        progress = (step - self.warmup_steps) / max(1, self.num_steps - self.warmup_steps)
        span = self.learning_rate - self.final_learning_rate
        return self.final_learning_rate + span * float((1 - progress) ** self.decay_power)


def debug(num_steps: int = 4, seed: int = 0, size: int = 64) -> TrainConfig:
    """The smallest run that there is, seconds on a CPU: what tests train. For people: `devos train debug`."""
    stages = (Stage(until=1.0, length=3, max_objects=2, max_gap=2, video_share=0.5),)
    clips = ClipsConfig(stages=stages, num_batches=num_steps, seed=seed, size=size, batch_size=2)
    return TrainConfig(clips=clips, warmup_steps=2, checkpoint_every=2, log_every=1)
