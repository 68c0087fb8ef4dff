"""Fails when a source file is longer than 800 lines: one subject a file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 800
CYTHON = {".pyx", ".pxd", ".pxi"}
SUFFIXES = {".py", ".pyi", *CYTHON, ".h", ".cpp", ".cu", ".cuh", ".metal", ".def", ".cmake"}


def long_files(root: Path = ROOT, limit: int = LIMIT) -> list[tuple[int, str]]:
    """Length and name of every source file above ``limit`` lines."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    found = []
    for name in sorted(set(listing.stdout.splitlines())):
        path = root / name
        if path.suffix in SUFFIXES and path.is_file():
            lines = path.read_bytes().count(b"\n")
            if lines > limit:
                found.append((lines, name))
    return found


def main() -> int:
    """Prints the files above the limit; returns 1 if there are any."""
    found = long_files()
    for lines, name in found:
        print(f"{name}: {lines} lines; {LIMIT} is the limit. Split it by subject.")
    if not found:
        print(f"size: no file above {LIMIT} lines.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
