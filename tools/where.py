"""Prints every place of an op: ``tools/where.py relu``.

Reads the tree; keeps no list of ops. A place is a definition, a record, a kernel or a formula, not
a use.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]


class Place(NamedTuple):
    """One line that has to do with an op."""

    path: Path
    line: int
    kind: str
    text: str


def tracked_files(root: Path) -> list[Path]:
    """All files that git knows or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return [root / name for name in sorted(set(listing.stdout.splitlines()))]


def python_places(path: Path, name: str) -> Iterator[Place]:
    """Functions, classes, assignments and calls whose first argument is the op's name."""
    source = path.read_text()
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        kind = ""
        if isinstance(node, ast.FunctionDef) and node.name == name:
            kind = "function"
        elif isinstance(node, ast.ClassDef) and node.name.lower() == name.replace("_", ""):
            kind = "class"
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                kind = "definition"
        elif isinstance(node, ast.Call) and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and first.value == name:
                kind = "record"
        if kind and isinstance(node, (ast.stmt, ast.expr)):
            yield Place(path, node.lineno, kind, lines[node.lineno - 1].strip())


PATTERNS = {
    "formula": ({".def"}, r"^\s*\w+\(\s*{name}\b"),
    "kernel": (
        {".cpp", ".h", ".cu", ".cuh", ".metal", ".pyx"},
        r"\b(?:add|Kernel|op_id|register_op)\(\s*\"{name}\"|\bMLXK_STEM\(\s*{name}\b",
    ),
    "page": ({".md"}, r"^#+ .*\b{name}\b"),
    "type stub": ({".pyi"}, r"^\s*def {name}\("),
}


def text_places(path: Path, name: str) -> Iterator[Place]:
    """Formulas, kernels and pages, found by pattern."""
    for kind, (suffixes, pattern) in PATTERNS.items():
        if path.suffix not in suffixes:
            continue
        expression = re.compile(pattern.format(name=re.escape(name)))
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if expression.search(line):
                yield Place(path, number, kind, line.strip())


def places(name: str, root: Path = ROOT) -> list[Place]:
    """Every place of the op ``name`` below ``root``, sources before tests."""
    found: list[Place] = []
    for path in tracked_files(root):
        if path.is_file():
            find = python_places if path.suffix == ".py" else text_places
            found += find(path, name)
    return sorted(found, key=lambda place: ("tests" in place.path.parts, place.path, place.line))


def main(arguments: list[str]) -> int:
    """Prints the places; returns 1 if there are none."""
    if len(arguments) != 1:
        print("usage: tools/where.py NAME", file=sys.stderr)
        return 2
    found = places(arguments[0])
    for place in found:
        location = f"{place.path.relative_to(ROOT)}:{place.line}"
        print(f"{location:<56} {place.kind:<10} {place.text[:80]}")
    if not found:
        print(f"[where] no place of an op named '{arguments[0]}'.", file=sys.stderr)
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
