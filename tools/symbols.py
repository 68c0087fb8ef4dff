"""Checks that nothing compiled for one instruction set can run on another.

The linker keeps one copy of a weak symbol, whichever object brings it. A template or an inline
function that two instruction sets emit under one name may so run AVX-512 code on a CPU without
it. Therefore every weak, unique or global symbol that an object file of an instruction set
defines must carry its namespace in its name.

Usage: ``tools/symbols.py BUILD_FOLDER``.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

# Global, weak, weak object, unique, common; lower-case t, d, b, r are internal and free.
EXPORTED = set("TDBRGSWVuC") | {"w", "v"}
# Pointers to the C++ runtime: data, and equal everywhere.
HARMLESS = ("DW.ref.",)


def strays(listing: str, isa: str) -> list[str]:
    """The symbols in the output of ``nm -C --defined-only`` that leave the namespace of ``isa``."""
    namespace = f"mlxk::cpu::{isa}::"
    found = []
    for line in listing.splitlines():
        parts = line.split(maxsplit=2)
        if len(parts) < 3 or parts[1] not in EXPORTED:
            continue
        kind, name = parts[1], parts[2]
        if namespace not in name and not name.startswith(HARMLESS):
            found.append(f"{kind} {name}")
    return found


def main(folder: Path) -> int:
    """Checks all kernel objects below ``folder``; returns 1 if one has a stray symbol."""
    # What the build files name, not what lies there: an old object may have lost its source.
    statement = re.compile(r"^build (CMakeFiles/kernels_(\w+)\.dir/\S+\.o):", re.M)
    objects = statement.findall((folder / "build.ninja").read_text())
    if not objects:
        print(f"[symbols] {folder} builds no kernel object file.", file=sys.stderr)
        return 2
    bad = 0
    for name, isa in objects:
        path = folder / name
        listing = subprocess.run(
            ["nm", "-C", "--defined-only", str(path)], capture_output=True, text=True, check=True
        )
        for symbol in strays(listing.stdout, isa):
            bad += 1
            print(f"{path.name} ({isa}): {symbol}")
    if bad:
        print(f"[symbols] {bad} symbols leave their instruction set's namespace.")
        return 1
    print(f"symbols: {len(objects)} kernel objects keep to their namespaces.")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
