"""The overlay, where a run was done without one, or into another folder."""

from __future__ import annotations

from pathlib import Path

from devos.exchange.writers import Shot, VideoInfo, Writer
from devos.io.overlay import OverlayVideo


class OverlayWriter(Writer):
    """`OverlayVideo`."""

    needs_frames = True

    def __init__(self, path: Path, video: VideoInfo) -> None:
        super().__init__(path, video)
        self._overlay = OverlayVideo(path, video.fps, video.size, look=video.look, sound=video.sound)
        self._is_empty = True

    def write(self, shot: Shot) -> None:
        """Draw one frame."""
        self._overlay.write(shot.picture, shot.masks)
        self._is_empty = False

    def close(self) -> None:
        """Finish the file and give it its name."""
        self._overlay.close()
        if self._is_empty:
            self.path.unlink(missing_ok=True)

    def discard(self) -> None:
        """Without a file."""
        self._overlay.discard()
