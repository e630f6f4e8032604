"""Explain one mask: what kind of picture it is, which objects it marks, what is odd about it; and mend it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt16

from devos.errors import OutputError
from devos.io.labels import write_label_png
from devos.io.mask_codes import code_tables
from devos.io.mask_edges import snap, soft_codes
from devos.io.mask_pictures import read_mask_picture, refuse_photograph
from devos.io.regions import find_regions

_FEW_PIXELS = 10
_SPECK = 0.01
"""A part of an object smaller than this share of it is called a speck."""


@dataclass(frozen=True)
class MaskReport:
    """What there is to say of a mask."""

    path: Path
    labels: UInt16[np.ndarray, "h w"]
    """The object ids as they are read, edges made hard."""
    lines: tuple[str, ...]
    problem: str
    """Why it cannot be used as it is; empty if it can."""


def look_at(path: Path) -> MaskReport:
    """Read a mask and explain it. MaskError for what is no mask at all."""
    mask = read_mask_picture(path)
    refuse_photograph(mask)
    lines = [f"{path.name}: {mask.size}, {mask.coding.value}, {len(mask.areas)} values"]
    soft = soft_codes(mask)
    problem = ""
    if soft:
        problem = f"{path}: has soft (anti-aliased) edges; use --snap-masks, or mend it with --fix"
        lines.append(
            f"soft edges: {sum(mask.areas[code] for code in soft)} pixels of {len(soft)} values between others"
        )
        mask = snap(mask, soft)
    tables, notes = code_tables([(path, mask.coding, tuple(mask.areas))])
    lines += [f"note: {note}" for note in notes]
    table = tables[mask.coding]
    codes = np.array(sorted(table), np.int32)
    ids = np.array([table[code] for code in codes.tolist()], np.uint16)
    labels = ids[np.searchsorted(codes, mask.codes)]
    regions = find_regions(labels)
    if not regions:
        problem = f"{path}: is all background, it marks no object; paint each object with its id (1, 2, ...)"
    for object_id, region in regions.items():
        lines.append(_of_object(labels, object_id, region.area, region.window))
    return MaskReport(path, labels, tuple(lines), problem)


def _of_object(labels: np.ndarray, object_id: int, area: int, window: tuple[slice, slice]) -> str:
    inside = (labels[window] == object_id).astype(np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(inside, connectivity=8)
    specks = [int(part[cv2.CC_STAT_AREA]) for part in stats[1:] if part[cv2.CC_STAT_AREA] < _SPECK * area]
    box = f"x {window[1].start} to {window[1].stop - 1}, y {window[0].start} to {window[0].stop - 1}"
    text = f"object {object_id}: {area} px, {box}, {count - 1} part{'s' if count > 2 else ''}"
    if specks:
        text += f"; {len(specks)} of them specks of {sum(specks)} px together: a slip of the brush?"
    return text + ("; very small" if area < _FEW_PIXELS else "")


def write_fixed(report: MaskReport, target: Path) -> None:
    """Write the mask as an indexed PNG of its ids. OutputError if that would replace the one that was looked at."""
    if target.resolve() == report.path.resolve():
        raise OutputError(f"{target}: is the mask itself; name a new file")
    write_label_png(target, report.labels)
