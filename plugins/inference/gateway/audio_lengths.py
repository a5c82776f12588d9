"""How long a recording is, by its header alone. Source: gateway contract, section 1.12."""

from __future__ import annotations

from typing import IO, Any

# A header says it in a few reads; in ogg the pages are walked through, in MP3 the frames of half a minute.
_MAX_READS = 50_000
_MAX_READ_BYTES = 8 * 1024 * 1024
_MAX_SECONDS = 7 * 24 * 3600


class _TooDeep(Exception):
    """The file wants to be read for longer than it is worth."""


class _Bounded:
    """A file that may be read so often, and not much at a time."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._reads = 0

    def read(self, size: int = -1) -> bytes:
        self._reads += 1
        if self._reads > _MAX_READS or not 0 <= size <= _MAX_READ_BYTES:
            raise _TooDeep
        return self._file.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def find_seconds(file: IO[bytes], filename: str) -> float | None:
    """The seconds of a recording in WAV, MP3, Ogg, Opus, FLAC, M4A or the like; None when its header says none.

    Whatever the file holds, it costs bounded time and memory. The file is at its beginning afterwards.
    """
    from tinytag import TinyTag

    try:
        file.seek(0)
        found = TinyTag.get(filename, file_obj=_Bounded(file), tags=False).duration  # type: ignore[arg-type]
    except Exception:
        # A parser of strangers' files: what it cannot read has no length.
        return None
    finally:
        file.seek(0)
    return found if found is not None and 0 < found <= _MAX_SECONDS else None
