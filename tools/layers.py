"""Checks who imports whom: the import law of the house.

``LAW`` says, for each room, which parts of ``mlx`` its modules may import; the longest matching
prefix is the room of a module. Imports inside functions count, those for type checkers alone do
not. At module level nothing outside the standard library may be imported: it would be paid for by
every ``import mlx.core``.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]

# What stands beside core/op: it knows kernels only.
BASE = ("mlx.core.dtypes", "mlx.core.device", "mlx.core.stream", "mlx.core.memory")
LAW: dict[str, tuple[str, ...]] = {
    "mlx.kernels": ("mlx.kernels",),
    **dict.fromkeys(BASE, ("mlx.kernels", *BASE)),
    "mlx.core.op": ("mlx.kernels", *BASE),
    "mlx.core.ops": ("mlx.kernels", *BASE, "mlx.core.op", "mlx.core.ops"),
    "mlx.core.transforms": (
        "mlx.kernels",
        *BASE,
        "mlx.core.op",
        "mlx.core.transforms",
        "mlx.utils",
    ),
    # fft, linalg, random, fast, indexing, io ...: anything of core but the public front.
    "mlx.core.": ("mlx.kernels", "mlx.core.", "mlx.utils"),
    "mlx.core": ("mlx.kernels", "mlx.core", "mlx.utils"),
    "mlx.utils": ("mlx.kernels", "mlx.core"),
    "mlx.nn": ("mlx.core", "mlx.nn", "mlx.utils"),
    "mlx.optimizers": ("mlx.core", "mlx.optimizers", "mlx.utils"),
    "mlx.distributed": ("mlx.kernels", "mlx.core.distributed", "mlx.distributed"),
    "mlx.launch": ("mlx.launch",),
}


class Import(NamedTuple):
    """One imported module, where, and whether at module level."""

    module: str
    line: int
    top: bool


def matches(module: str, prefix: str) -> bool:
    """Whether ``module`` is ``prefix`` or below it; a prefix with a final dot is only below."""
    if prefix.endswith("."):
        return module.startswith(prefix)
    return module == prefix or module.startswith(prefix + ".")


def room_of(module: str) -> str | None:
    """The longest prefix in the law that covers ``module``."""
    rooms = [room for room in LAW if matches(module, room)]
    return max(rooms, key=len, default=None)


def allowed(module: str, imported: str) -> bool:
    """Whether the law lets ``module`` import ``imported``, both below ``mlx``."""
    room = room_of(module)
    return room is not None and any(matches(imported, prefix) for prefix in LAW[room])


def resolve(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    """The absolute name of the module that a ``from ... import`` names."""
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    kept = parts[: len(parts) - node.level + is_package]
    return ".".join([*kept, node.module] if node.module else kept)


def is_type_checking(node: ast.AST) -> bool:
    """Whether ``node`` is ``if TYPE_CHECKING:``."""
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def python_imports(
    source: str, module: str, is_package: bool, modules: frozenset[str] = frozenset()
) -> Iterator[Import]:
    """All imports of a Python file; ``from a import b`` names ``a.b`` if that is a module."""

    def visit(node: ast.AST, top: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if is_type_checking(child):
                continue
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield Import(alias.name, child.lineno, top)
            elif isinstance(child, ast.ImportFrom):
                base = resolve(child, module, is_package)
                names = {f"{base}.{alias.name}" for alias in child.names}
                below = names & modules
                for name in sorted(below):
                    yield Import(name, child.lineno, top)
                if below != names:
                    yield Import(base, child.lineno, top)
            inner = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from visit(child, top and not inner)

    yield from visit(ast.parse(source), True)


CYTHON_IMPORT = re.compile(r"^(\s*)(?:from\s+([\w.]+)\s+c?import|c?import\s+([\w.]+))", re.M)


def cython_imports(source: str, module: str) -> Iterator[Import]:
    """All imports of a Cython file, by pattern; relative ones stay inside and are left out."""
    for match in CYTHON_IMPORT.finditer(source):
        name = match.group(2) or match.group(3)
        if not name.startswith("."):
            line = source.count("\n", 0, match.start()) + 1
            yield Import(name, line, not match.group(1))


def source_folders(root: Path) -> list[Path]:
    """The ``src`` folders of all members."""
    return sorted([root / "kernels" / "src", *(root / "packages").glob("*/src")])


def module_name(path: Path, folder: Path) -> str:
    """The dotted name of a source file."""
    name = ".".join(path.relative_to(folder).with_suffix("").parts)
    return name.removesuffix(".__init__")


def violations(root: Path = ROOT) -> list[str]:
    """Every broken import as ``path:line: sentence``."""
    files = [
        (path, folder)
        for folder in source_folders(root)
        for suffix in ("py", "pyx", "pxd")
        for path in sorted(folder.rglob(f"*.{suffix}"))
    ]
    modules = frozenset(module_name(path, folder) for path, folder in files)
    found = []
    for path, folder in files:
        module = module_name(path, folder)
        where = path.relative_to(root)
        if module == "mlx":
            found.append(f"{where}:1: mlx is a namespace and has no __init__.py.")
            continue
        if room_of(module) is None:
            found.append(f"{where}:1: {module} belongs to no room of the law in tools/layers.py.")
            continue
        source = path.read_text()
        if path.suffix == ".py":
            imports = python_imports(source, module, path.name == "__init__.py", modules)
        else:
            imports = cython_imports(source, module)
        for item in imports:
            top = item.module.split(".")[0]
            if top == "mlx":
                if not allowed(module, item.module):
                    found.append(f"{where}:{item.line}: {module} may not import {item.module}.")
            elif top not in sys.stdlib_module_names | {"__future__", "cython", "cpython", "libc"}:
                own = path.suffix != ".py" and top == "libcpp"
                if item.top and not own:
                    found.append(
                        f"{where}:{item.line}: {module} imports {item.module} at module level; "
                        "import it inside the function that needs it."
                    )
    return found


def main() -> int:
    """Prints the violations; returns 1 if there are any."""
    found = violations()
    print("\n".join(found) if found else "layers: the import law holds.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
