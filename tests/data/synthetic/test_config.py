from __future__ import annotations

from dataclasses import replace

import pytest

from devos.data.synthetic.config import SHARES, SyntheticConfig, crowded, wild


def test_what_is_new_never_happens_unless_it_is_asked_for():
    config = SyntheticConfig()
    asked = {"flow_exact", "least_area", "look_alike"}
    assert all(getattr(config, name) == 0 for name in SHARES if name not in asked)


def test_every_event_may_happen_in_both_presets():
    assert all(0 < getattr(preset, name) <= 1 for preset in (crowded(), wild()) for name in SHARES)
    assert crowded().crowd + crowded().mates > wild().crowd + wild().mates


@pytest.mark.parametrize("name", SHARES)
def test_a_share_is_between_nothing_and_all(name):
    with pytest.raises(ValueError, match=rf"{name} is a share in \[0, 1\], got 1.5"):
        replace(SyntheticConfig(), **{name: 1.5})


def test_shares_of_the_kinds_of_crowds_are_one_whole_at_most_and_a_crowd_has_members():
    with pytest.raises(ValueError, match=r"crowd and mates together"):
        SyntheticConfig(crowd=0.7, mates=0.4)
    for size in ((0, 3), (4, 2)):
        with pytest.raises(ValueError, match="a crowd has"):
            SyntheticConfig(crowd_size=size)
