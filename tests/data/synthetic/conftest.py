"""Photos to make clips of, and a setting to make things in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from devos.data.photo_sets import list_photos
from devos.data.photos import Photo
from devos.data.synthetic.config import SyntheticConfig
from devos.data.synthetic.layers import Setting
from devos.data.synthetic.tracks import still_camera

SMALL = SyntheticConfig(size=96, length=6, max_objects=8, look_alike=0.0)


@pytest.fixture
def photos(photo_root) -> list[Photo]:
    return [info.read() for info in list_photos("own", photo_root).photos]


@pytest.fixture
def make_setting(photos) -> Callable[..., Setting]:
    """A still camera's view of the photos; small clips of six frames with up to eight objects."""

    def make(**shares: Any) -> Setting:
        return Setting(replace(SMALL, **shares), tuple(photos), still_camera(SMALL.length))

    return make
