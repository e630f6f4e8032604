from __future__ import annotations

import os
import sys

import pytest

from devos.errors import VideoError
from devos.io.names import refuse_strange_name

LATIN = os.fsdecode(b"\xe9t\xe9.mp4")


def test_a_name_that_is_not_utf_8_is_refused_as_that():
    with pytest.raises(VideoError, match=r"\\udce9t\\udce9\.mp4: the name is not UTF-8; rename it"):
        refuse_strange_name(LATIN, VideoError)


def test_where_the_locale_cannot_read_a_name_it_is_the_locale_that_is_told_of(monkeypatch):
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "ascii")
    with pytest.raises(VideoError, match=r"cannot be read with this locale's ascii; set PYTHONUTF8=1"):
        refuse_strange_name("\udcc3\udca9.mp4", VideoError)
    refuse_strange_name("plain.mp4", VideoError)
