"""How often what is drawn: thousands of draws from the sampler, which opens no file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from devos.data.mixing import (
    Alike,
    ByLength,
    ByObjects,
    MergeConfig,
    Mix,
    Part,
    Ramp,
    davis_youtube,
    davis_youtube_mose,
    photos_only,
    videos_and_photos,
)
from devos.data.photos import PhotoInfo
from devos.data.sampler import Sampler
from devos.data.sources import Photos, Videos
from devos.errors import OptionError

DRAWS = 6000
LEAST_P = 1e-3
"""Of a right sampler one test in a thousand would fail by chance; the seeds are fixed, so it does not."""


@pytest.fixture(scope="session")
def videos(made):
    """Videos of so many objects each."""

    def make(counts: list[int], length: int = 3) -> Videos:
        return Videos(tuple(
            made.known(f"v{i}", [dict.fromkeys(range(1, count + 1), 200)] * length)
            for i, count in enumerate(counts)
        ))  # fmt: skip

    return make


@pytest.fixture(scope="session")
def sources(videos):
    return {
        "davis": videos([1, 2, 3, 1]),
        "youtube-vos": videos([1] * 7),
        "mose": videos([1, 2, 3, 4, 5, 9]),
        "static": Photos(()),
    }


def draws(mix, sources, progress, count=DRAWS, seed=0):
    sampler, rng = Sampler(mix, sources), np.random.default_rng(seed)
    return [sampler.draw(progress, rng) for _ in range(count)]


def fits(counts, expected_shares) -> bool:
    """Whether counts are likely under those probabilities (chi-square)."""
    total = sum(counts)
    return stats.chisquare(counts, np.array(expected_shares) * total).pvalue > LEAST_P


def is_rate(successes, trials, rate) -> bool:
    return stats.binomtest(successes, trials, rate).pvalue > LEAST_P


@pytest.mark.parametrize("progress", [0.0, 0.5, 1.0])
def test_davis_comes_five_times_as_often_as_youtube_vos(sources, progress):
    counts = Counter(draw.source for draw in draws(davis_youtube(), sources, progress))
    assert set(counts) == {"davis", "youtube-vos"}
    assert fits([counts["davis"], counts["youtube-vos"]], [5 / 6, 1 / 6])


@pytest.mark.parametrize(("progress", "k"), [(0.0, 0.75), (0.25, 0.6), (0.5, 0.45), (1.0, 0.15)])
def test_mose_takes_over_from_youtube_vos_while_davis_keeps_its_share(sources, progress, k):
    counts = Counter(draw.source for draw in draws(davis_youtube_mose(), sources, progress))
    assert fits([counts[name] for name in ("davis", "youtube-vos", "mose")], [5 / 6, k / 6, (1 - k) / 6])


def test_shares_of_sequences_count_how_many_a_source_has(sources):
    mix = Mix(parts=davis_youtube().parts, per_sequence=True)
    counts = Counter(draw.source for draw in draws(mix, sources, 0.3))
    assert fits([counts["davis"], counts["youtube-vos"]], [20 / 27, 7 / 27])


@pytest.mark.parametrize("progress", [0.0, 1.0])
def test_davis_and_youtube_vos_are_merged_with_probability_04_and_mose_never(sources, progress):
    found = draws(davis_youtube_mose(), sources, progress)
    for name in ("davis", "youtube-vos"):
        merged = [draw.partner is not None for draw in found if draw.source == name]
        assert len(merged) > 100
        assert is_rate(sum(merged), len(merged), 0.4)
    mose = [draw for draw in found if draw.source == "mose"]
    assert len(mose) > 200
    assert all(draw.partner is None for draw in mose)


def test_a_partner_is_any_other_video_of_the_same_source(sources):
    found = [
        draw for draw in draws(davis_youtube(), sources, 0.0) if draw.source == "davis" and draw.partner is not None
    ]
    pairs = Counter((draw.video, draw.partner) for draw in found)
    every = [(i, j) for i in range(4) for j in range(4) if i != j]
    assert set(pairs) == set(every)
    assert fits([pairs[pair] for pair in every], [1 / 12] * 12)


def test_a_source_of_one_video_has_no_partner(videos):
    mix = Mix(parts=(Part(source="a", share=1.0, merge=MergeConfig(probability=1.0)),))
    assert {draw.partner for draw in draws(mix, {"a": videos([2])}, 0.0, 50)} == {None}


def test_look_alikes_have_a_share_of_their_own_and_change_no_other_draw(videos):
    def found(merge):
        mix = Mix(parts=(Part(source="a", share=1.0, merge=merge),))
        return draws(mix, {"a": videos([1, 2, 3])}, 0.0, 2000)

    both = found(MergeConfig(probability=0.4, look_alike=0.3))
    assert is_rate(sum(draw.look_alike for draw in both), 2000, 0.3)
    assert is_rate(sum(draw.partner is not None for draw in both), 2000, 0.4)
    assert not any(draw.look_alike for draw in found(MergeConfig(probability=0.4)))
    with pytest.raises(ValueError, match=r"look_alike is in \[0, 1\]"):
        MergeConfig(look_alike=-0.1)


def mose_only(mix):
    """MOSE as it is in a mix, without the others, so that every draw tells something."""
    return Mix(parts=tuple(part for part in mix.parts if part.source == "mose"))


@pytest.mark.parametrize("temperature", [0.0, 0.5, 1.0, 2.0])
def test_importance_sampling_draws_videos_by_their_objects_to_the_power_of_t(sources, temperature):
    found = draws(mose_only(davis_youtube_mose(temperature=temperature)), sources, 1.0)
    counts = Counter(draw.video for draw in found)
    weights = np.array([1, 2, 3, 4, 5, 9]) ** temperature
    assert fits([counts[i] for i in range(6)], weights / weights.sum())


def test_without_importance_sampling_the_videos_of_mose_are_alike(sources):
    alike, preferred = (
        Counter(draw.video for draw in draws(mose_only(davis_youtube_mose(importance_sampling=on)), sources, 1.0))
        for on in (False, True)
    )
    assert fits([alike[i] for i in range(6)], [1 / 6] * 6)
    assert not fits([preferred[i] for i in range(6)], [1 / 6] * 6)


def test_the_videos_of_davis_and_youtube_vos_are_alike(sources):
    found = draws(davis_youtube(), sources, 0.0)
    for name, count in (("davis", 4), ("youtube-vos", 7)):
        counts = Counter(draw.video for draw in found if draw.source == name)
        assert fits([counts[i] for i in range(count)], [1 / count] * count)


def test_longer_videos_are_likelier_but_not_in_proportion(videos):
    source = Videos(videos([1], length=4).items + videos([1], length=36).items)
    assert ByLength().weights(source.items).tolist() == [2, 6]
    assert Alike().weights(source.items).tolist() == [1, 1]
    mix = Mix(parts=(Part(source="a", share=1.0, odds=ByLength()),))
    assert fits([Counter(d.video for d in draws(mix, {"a": source}, 0.0))[i] for i in (0, 1)], [0.25, 0.75])


def test_pretraining_has_photos_only(made):
    source = {"static": Photos((object_photo(),))}
    assert {draw.source for draw in draws(photos_only(), source, 0.0, 20)} == {"static"}


def object_photo():
    return PhotoInfo(Path("a.jpg"), Path("a.png"))


def test_our_small_mix_has_its_share_of_videos_and_does_with_either_alone(videos):
    both = {"videos": videos([1, 1]), "photos": Photos((object_photo(),))}
    counts = Counter(draw.source for draw in draws(videos_and_photos(0.65), both, 0.0))
    assert fits([counts["videos"], counts["photos"]], [0.65, 0.35])
    for name in both:
        assert {d.source for d in draws(videos_and_photos(0.65), {name: both[name]}, 0.0, 20)} == {name}


def test_a_source_that_the_recipe_needs_and_that_is_not_there_is_named(sources):
    with pytest.raises(OptionError, match="takes clips from davis, youtube-vos, mose, but there is no mose"):
        Sampler(davis_youtube_mose(), {name: sources[name] for name in ("davis", "youtube-vos")})
    with pytest.raises(OptionError, match="there is no videos and no photos"):
        Sampler(videos_and_photos(0.5), {})


def test_the_same_random_state_gives_the_same_draws(sources):
    one, same, other = (draws(davis_youtube_mose(), sources, 0.4, 50, seed) for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_what_makes_no_mix_is_refused():
    with pytest.raises(ValueError, match="each source once"):
        Mix(parts=())
    with pytest.raises(ValueError, match="each source once"):
        Mix(parts=(Part(source="a", share=1.0), Part(source="a", share=2.0)))
    with pytest.raises(ValueError, match="0 or more"):
        Mix(parts=(Part(source="a", share=Ramp(1.0, -1.0)),))
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        MergeConfig(probability=1.5)
    assert ByObjects() == ByObjects(1.0)
