from __future__ import annotations

from dataclasses import replace

import pytest

from devos.data.catalog import find_videos
from devos.data.sources import unchecked
from devos.model.checkpoint import save_weights
from devos.training.judging import Change, judge
from devos.training.recipes.recipe import Phase
from devos.training.run import prepare


def test_a_phase_is_judged_on_the_same_clips_before_and_after(config, make_model, video_root, tmp_path):
    sources, start = unchecked(find_videos(video_root), ()), tmp_path / "start.safetensors"
    save_weights(make_model(), start, {})
    config = replace(config, learning_rate=3e-3, clips=replace(config.clips, num_batches=12))
    after = prepare(config, tmp_path / "run", sources, init=start).to_the_end(workers=0)
    phase = Phase("short", config)
    nothing = judge(phase, sources, start, start, num_batches=2)
    assert nothing.before == pytest.approx(nothing.after) and not nothing.fell
    learnt = judge(phase, sources, start, after, num_batches=2)
    assert learnt.before == pytest.approx(nothing.before) and learnt.fell
    assert judge(phase, sources, after, start, num_batches=2) == Change(learnt.after, learnt.before, learnt.j[::-1])
    assert all(0 <= j <= 1 for j in learnt.j)
