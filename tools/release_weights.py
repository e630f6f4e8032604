"""Put trained weights into the package, in half precision, with their scores inside and their SHA-256 in the index.

    python tools/release_weights.py runs/b/devos-t-000200.safetensors runs/b/devos-t.safetensors --scores dev.json

Several files of one network are averaged. `dev.json` is what `devos evaluate davis --json` printed for the result.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

from devos.model.checkpoint import load_weights, read_weights, save_weights

FOLDER = Path(__file__).parents[1] / "src" / "devos" / "weights"


def main() -> None:
    """Read, write, index."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, nargs="+")
    parser.add_argument("--scores", type=Path, help="JSON of `devos evaluate davis`")
    options = parser.parse_args()
    model, weights = load_weights(options.weights[-1])
    parts = [read_weights(path) for path in options.weights]
    if any(part.config != weights.config for part in parts):
        parser.error("the files hold different networks; give snapshots of one")
    model.load_state_dict({name: sum(p.tensors[name] for p in parts) / len(parts) for name in weights.tensors})
    info = {**weights.info, "averaged_steps": [part.info.get("step") for part in parts]}
    if options.scores is not None:
        scores = json.loads(options.scores.read_text())
        info["scores"] = {key: round(scores[key], 4) for key in ("jf", "j", "f")}
        info["scores"]["sequences"] = {name: round(s["jf"], 4) for name, s in scores["sequences"].items()}
    FOLDER.mkdir(exist_ok=True)
    name = weights.config.name
    target = FOLDER / f"{name}.safetensors"
    save_weights(model, target, info)
    target.chmod(0o644)
    index_path = FOLDER / "index.json"
    index = json.loads(index_path.read_text()) if index_path.exists() else {}
    index[name] = {"file": target.name, "sha256": hashlib.sha256(target.read_bytes()).hexdigest()}
    index_path.write_text(json.dumps(index, indent=2) + "\n")
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB, sha256 {index[name]['sha256']}")


if __name__ == "__main__":
    main()
