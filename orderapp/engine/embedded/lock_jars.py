"""Write `jars.lock` anew: `python -m orderapp.engine.embedded.lock_jars`.

Keeps the comments and the coordinates of the file, fetches every jar into an empty cache, and
puts in the sizes and hashes of what came. Look at the difference before it is committed.
"""

import sys
import tempfile
from pathlib import Path

from orderapp.engine.embedded.jars import LOCK_FILE, fetch, sha256


def main() -> None:
    lines = []
    with tempfile.TemporaryDirectory() as scratch:
        for line in LOCK_FILE.read_text("utf-8").splitlines():
            if not line or line.startswith("#"):
                lines.append(line)
                continue
            coordinates = line.split()[-1]
            path = fetch(coordinates, Path(scratch))
            lines.append(f"{sha256(path)} {path.stat().st_size:>8} {coordinates}")
    LOCK_FILE.write_text("\n".join(lines) + "\n", "utf-8")
    sys.stdout.write(f"wrote {LOCK_FILE}\n")


if __name__ == "__main__":
    main()
