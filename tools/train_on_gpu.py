"""Train devos-t for a given time on whatever is here, such as a GPU for half an hour; then do it again, and it goes on.

    devos data build DATA --not-in DEV -o packed                       # at home: archives under 60 MB
    python tools/train_on_gpu.py packed -o runs/gpu --minutes 27       # there: beside a copy of the repository

First the steps that fit into the time are found by timing some (kept in OUT/plan.json), then they are taken. Where
the time comes in pieces, `timeout -s TERM 550` in front of the command ends it in good order after 550 seconds, and
the same command goes on, with the plan that was made. OUT/devos-t.safetensors is the result, half precision, 10 MB;
OUT/devos-t-000123.safetensors on the way. It needs torch, numpy, opencv-python-headless, pillow, safetensors,
jaxtyping, natsort, av and typer; where the last ones are missing, put their wheels into a folder and give --wheels.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src"
NEEDED = {"torch": "torch", "numpy": "numpy", "cv2": "opencv-python-headless", "PIL": "pillow", "av": "av",
          "safetensors": "safetensors", "jaxtyping": "jaxtyping", "natsort": "natsort", "typer": "typer"}  # fmt: skip
"""Modules, and the packages that they come in."""


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "data", type=Path, help="archives of `devos data build`, or a folder with video-train and static"
    )
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=27, help="of training, without what is timed before")
    parser.add_argument("--recipe", default="crowds", help="any recipe of `devos train`")
    parser.add_argument("--init", type=Path, help="weights to start from; default: the shipped devos-t")
    parser.add_argument("--batch", type=int, help="clips of a step; default: 16 on a GPU, the recipe's on a CPU")
    parser.add_argument("--size", type=int, help="side of the clips; default: the recipe's")
    parser.add_argument("--seed", type=int, help="default: the recipe's")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", help="default: bf16 on a GPU, float32 on a CPU")
    parser.add_argument("--compile", action="store_true", help="the first step then takes minutes")
    parser.add_argument("--workers", type=int, default=max(1, len(os.sched_getaffinity(0)) - 1))
    parser.add_argument("--wheels", type=Path, help="folder of wheels of what is missing here")
    return parser.parse_args()


def provide(wheels: Path | None, out: Path) -> None:
    """Find devos in this copy of the repository, and what it needs, from wheels if there are some."""
    sys.path.insert(0, str(SOURCE))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(SOURCE), os.environ.get("PYTHONPATH"))))
    site = out / "site"
    if wheels is not None and not site.is_dir():
        files = [str(path) for path in sorted(wheels.glob("*.whl"))]
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "-q",
            "--no-index",
            "--no-deps",
            "--target",
            str(site),
            *files,
        ]
        subprocess.run(command, check=True)
    if site.is_dir():
        sys.path.insert(1, str(site))
        os.environ["PYTHONPATH"] += os.pathsep + str(site)
    missing = [package for module, package in NEEDED.items() if importlib.util.find_spec(module) is None]
    if missing:
        sys.exit(f"missing here: {', '.join(missing)}; bring their wheels along and give their folder with --wheels")


def main() -> None:
    """Plan, unless that was done; then train what is left."""
    options = parse()
    options.out.mkdir(parents=True, exist_ok=True)
    provide(options.wheels, options.out)
    from devos.errors import DevosError

    try:
        train(options)
    except DevosError as error:
        sys.exit(f"error: {error}")


def train(options: argparse.Namespace) -> None:
    """The run itself."""
    import torch

    from devos.cli.train import report
    from devos.engine.segmenter import choose_device, find_weights, released_weights
    from devos.io.files import write_json
    from devos.training import budget, phases, places
    from devos.training.compute import Compute
    from devos.training.distributed import ALONE
    from devos.training.recipes.book import find_recipe
    from devos.training.run import Run, keep_freed_memory, prepare

    torch.set_num_threads(1)
    keep_freed_memory()
    device = str(choose_device(options.device))
    on_gpu = device.startswith("cuda")
    compute = Compute(precision=options.precision or ("bf16" if on_gpu else "float32"), compiled=options.compile)
    recipe = find_recipe(options.recipe)
    init = options.init or find_weights("devos-t")[0]
    sources = places.open_places(places.name_places(data=options.data), workers=options.workers, tell=print)
    kept = options.out / "plan.json"
    known = json.loads(kept.read_text()) if kept.is_file() else None

    def time_one(phase: phases.Phase) -> budget.Pace:
        pace = budget.measure(phase.config, sources, init=init, device=device, compute=compute, workers=options.workers)
        print(f"{phase.name}: a step of {phase.config.clips.batch_size} clips takes {pace.step_s:.3f} s, to make them "
              f"{pace.clips_s:.3f} s with {options.workers} processes", flush=True)  # fmt: skip
        return pace

    batch = options.batch or (16 if on_gpu else None)
    planned, plan = budget.plan_for(recipe.configure(size=options.size, seed=options.seed), options.minutes, time_one,
                                    batch, known and known["phases"])  # fmt: skip
    if known is None:
        write_json(kept, {"recipe": recipe.name, "minutes": options.minutes, "device": device,
                          "precision": compute.precision, "workers": options.workers, "phases": plan})  # fmt: skip
    for one in plan:
        print(f"{one['name']}: {one['steps']} steps of {one['batch']} clips", flush=True)
    job = phases.plan(recipe, planned, options.out, init, [path for path, _ in released_weights().values()])

    def begin(phase: phases.Phase, home: Path, weights: Path | None) -> Run:
        return prepare(phase.config, home, sources, init=weights, device=device, compute=compute)

    def finish(phase: phases.Phase, run: Run | None) -> None:
        if run is not None:
            run.to_the_end(workers=options.workers, watch=report)

    try:
        job.run(begin, finish, ALONE, sources)
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on")
    print(job.result)


if __name__ == "__main__":
    main()
