"""Check data sets before training on them: `python -m devos.data davis=davis2017:/data/DAVIS`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from devos.data.coco import COCO_TREE
from devos.data.fact_cache import default_cache
from devos.data.photo_sets import PHOTO_LAYOUTS
from devos.data.sources import open_source, parse_place
from devos.data.video_sets import VIDEO_LAYOUTS
from devos.errors import DevosError


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what was found; the exit code is 0, or 2 if a set does not lie as expected or has nothing to train on."""
    parser = argparse.ArgumentParser(prog="python -m devos.data", description=__doc__)
    parser.add_argument(
        "source", nargs="*", metavar="NAME=LAYOUT[/SPLIT]:ROOT", help="a data set; several may be given"
    )
    parser.add_argument("--layouts", action="store_true", help="show every layout and how it lies on disk")
    parser.add_argument("--strict", action="store_true", help="refuse a set if anything of it would be left out")
    parser.add_argument("--thorough", action="store_true", help="decode every picture too, not only its header and end")
    parser.add_argument("--workers", type=int, default=1, help="processes that read")
    given = parser.parse_args(arguments)
    if given.layouts:
        videos = [(name, form.title, form.tree) for name, form in VIDEO_LAYOUTS.items()]
        photos = [(name, form.title, form.tree) for name, form in PHOTO_LAYOUTS.items()]
        print("\n\n".join(f"{name}: {title}\n{tree}" for name, title, tree in videos + photos), end="\n\n")
        print(f"coco: COCO\n{COCO_TREE}")
    try:
        for name, place in map(parse_place, given.source):
            _, found = open_source(name, [place], cache=default_cache(), workers=given.workers,
                                   thorough=given.thorough, strict=given.strict)  # fmt: skip
            print("\n".join(line for findings in found for line in findings.lines(most=20)))
    except DevosError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
