"""How wild made-up clips are: one probability for each thing that may happen in them."""

from __future__ import annotations

from dataclasses import dataclass

from devos.data.clips import LEAST_AREA


@dataclass(frozen=True, kw_only=True)
class SyntheticConfig:
    """Sizes, and a share of clips or of layers for each kind of event; by default only what layers need to move."""

    size: int = 256
    """Height and width, in pixels."""
    length: int = 4
    """Frames."""
    max_objects: int = 3
    """Most objects that are followed."""
    max_layers: int = 3
    """Most photos pasted over the first one."""
    shift: float = 0.035
    """Typical motion from frame to frame, as a share of the size."""
    flow_exact: float = 0.5
    """Share of clips whose flow is the exact one; the others' is estimated from their pictures, as in use."""
    least_area: float = LEAST_AREA
    """Share of the first frame that an object must cover to be followed."""

    crowd: float = 0.0
    """Share of clips in which copies of one object walk before each other, most of them followed as their own."""
    mates: float = 0.0
    """Share of clips in which different objects form such a crowd."""
    same_set: float = 0.0
    """Share of clips whose photos, but for the first, are of one folder, each folder alike: things of one kind."""
    crowd_size: tuple[int, int] = (2, 8)
    """Least and most members of a crowd of copies."""
    far: float = 0.0
    """Share of the crowds that stand further off, half as tall, and what they carry is tiny."""
    look_alike: float = 0.25
    """Share of the layers outside of crowds behind which a copy moves that is not followed."""
    occluder: float = 0.0
    """Share of clips in which one to three things that are not followed pass in front."""
    leave: float = 0.0
    """Share of the moving layers that leave the frame and come back."""
    blink: float = 0.0
    """Share of the moving layers that are not there in some frames after the first."""
    wave: float = 0.0
    """Share of the layers that bend strongly, in waves and as limbs do."""
    shade: float = 0.0
    """Share of the layers whose shading changes slowly."""
    parts: float = 0.0
    """Share of the things a part of which is an object of its own: a bag that is carried, a part of other colours."""
    exchange: float = 0.0
    """Share of the layers over which another texture slides, as over clothes that turn."""
    unfold: float = 0.0
    """Share of the layers that show a part of themselves at first and more later, as what turns its side to us."""
    small: float = 0.0
    """Share of the layers that are small and fly about at up to several times their own size a frame."""
    shapes: float = 0.0
    """Share of the layers whose outline is drawn: stars, wheels, rods, blobs."""
    camera: float = 0.0
    """Share of clips with a camera that pans, zooms and shakes."""
    motion_blur: float = 0.0
    """Share of clips in which what moves is blurred along its motion."""
    defocus: float = 0.0
    """Share of clips whose scene, or what passes in front of it, is out of focus."""
    light: float = 0.0
    """Share of clips over which shadows and lights move."""

    def __post_init__(self) -> None:
        for name in SHARES:
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"{name} is a share in [0, 1], got {value}")
        if self.crowd + self.mates > 1:
            raise ValueError(f"crowd and mates together are a share of all clips, got {self.crowd} and {self.mates}")
        least, most = self.crowd_size
        if not 1 <= least <= most:
            raise ValueError(f"a crowd has at least 1 member and at most no fewer than at least, got {self.crowd_size}")


SHARES = ("flow_exact", "least_area", "crowd", "mates", "same_set", "far", "look_alike", "occluder", "leave", "blink",
          "wave", "shade", "parts", "exchange", "unfold", "small", "shapes", "camera", "motion_blur", "defocus",
          "light")  # fmt: skip
"""The fields that are shares."""


def crowded() -> SyntheticConfig:
    """Most clips are crowds of look-alikes; give the stage `max_objects=6` or more, so that they are followed."""
    return SyntheticConfig(
        max_layers=5, least_area=0.002, crowd=0.5, mates=0.25, same_set=0.5, far=0.25, occluder=0.3, leave=0.08,
        blink=0.03, wave=0.4, shade=0.25, parts=0.4, exchange=0.15, unfold=0.2, small=0.06, shapes=0.1, camera=0.4,
        motion_blur=0.25, defocus=0.15, light=0.25,
    )  # fmt: skip


def wild() -> SyntheticConfig:
    """Everything happens, crowds in a third of the clips."""
    return SyntheticConfig(
        max_layers=4, least_area=0.0015, crowd=0.2, mates=0.15, same_set=0.3, far=0.25, occluder=0.4, leave=0.12,
        blink=0.05, wave=0.5, shade=0.35, parts=0.2, exchange=0.25, unfold=0.2, small=0.15, shapes=0.2, camera=0.5,
        motion_blur=0.35, defocus=0.2, light=0.35,
    )  # fmt: skip
