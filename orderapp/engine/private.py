"""Directories and files of data, for their owner alone."""

import logging
import os
from pathlib import Path

logger = logging.getLogger(__name__)

DIRECTORY, FILE = 0o700, 0o600
#: What nobody but the owner is to have.
SPARE = 0o077
STICKY = 0o1000


def opener(path: str, flags: int) -> int:
    """For `open`: a file that is made so is for its owner alone."""
    return os.open(path, flags, FILE)


class PrivateDirectory:
    """Where an app keeps what it makes under these names.

    A directory that is missing, empty, or holds nothing else, is for its owner alone. One that
    belongs to another user, or holds other things too, keeps its mode, and only what the app
    makes in it is private."""

    def __init__(self, path: Path, *names: str) -> None:
        self.path = path
        self._names = names
        self._is_prepared = False

    def prepare(self) -> None:
        """Make it, or tighten what is there. Once. Raises `OSError`."""
        if self._is_prepared:
            return
        self.path.mkdir(DIRECTORY, parents=True, exist_ok=True)
        found = list(self.path.iterdir())
        ours = [path for path in found if path.name in self._names]
        for path in ours:
            _tighten_all(path)
        self._tighten(is_alone=len(ours) == len(found))
        self._is_prepared = True

    def _tighten(self, *, is_alone: bool) -> None:
        mode = self.path.stat().st_mode & 0o7777
        if not mode & SPARE:
            return
        # A directory for everybody's files is sticky, and may be empty at times.
        if is_alone and not mode & STICKY and _tighten(self.path):
            line = "%s had the mode %o: from now on it is for its owner alone"
            logger.warning(line, self.path, mode)
        else:
            line = "%s is shared, and keeps its mode %o: only what is made in it is private"
            logger.info(line, self.path, mode)


def _tighten_all(path: Path) -> None:
    """A file, or a directory with all that is in it."""
    if path.is_dir() and path.stat().st_mode & SPARE:
        for directory, directories, files in os.walk(path):
            for found in (Path(directory, name) for name in (*directories, *files)):
                if not found.is_symlink():
                    _tighten(found)
    # Last, since one that is tight is not looked into again.
    _tighten(path)


def _tighten(path: Path) -> bool:
    """Whether it could be done: not to what belongs to another user, or has gone meanwhile."""
    try:
        found = path.stat()
        if os.name == "posix" and found.st_uid != os.geteuid():
            return False  # root could, but it is not root's to decide
        path.chmod(found.st_mode & 0o7777 & ~SPARE)
    except (FileNotFoundError, PermissionError):
        return False
    return True
