"""The scripts in tools/ find what they are for."""

import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


def tool(name: str) -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "tools" / f"{name}.py"))


def test_the_import_law_holds() -> None:
    assert tool("layers")["violations"]() == []


@pytest.mark.parametrize(
    ("module", "imported", "allowed"),
    [
        ("mlx.core.op", "mlx.kernels", True),
        ("mlx.core.op", "mlx.core.ops.unary", False),
        ("mlx.core.ops.unary", "mlx.core.op", True),
        ("mlx.core.ops.unary", "mlx.core.fft", False),
        ("mlx.core.transforms.vjp", "mlx.core.op", True),
        ("mlx.core.transforms.vjp", "mlx.core.ops.unary", False),
        ("mlx.core.linalg", "mlx.core.ops.matmul", True),
        ("mlx.core.linalg", "mlx.core", False),
        ("mlx.core", "mlx.core.linalg", True),
        ("mlx.nn.module", "mlx.core", True),
        ("mlx.optimizers.adam", "mlx.nn", False),
        ("mlx.kernels.array", "mlx.core", False),
        ("mlx.launch.run", "mlx.core", False),
    ],
)
def test_law(module: str, imported: str, allowed: bool) -> None:
    assert tool("layers")["allowed"](module, imported) is allowed


def test_layers_sees_relative_nested_and_typing_imports() -> None:
    source = (
        "from __future__ import annotations\n"
        "from typing import TYPE_CHECKING\n"
        "from . import unary\n"
        "from ..op import Op\n"
        "if TYPE_CHECKING:\n"
        "    import mlx.nn\n"
        "def f():\n"
        "    import numpy\n"
    )
    modules = frozenset({"mlx.core.ops.unary"})
    found = tool("layers")["python_imports"](source, "mlx.core.ops.binary", False, modules)
    assert [(item.module, item.line, item.top) for item in found] == [
        ("__future__", 1, True),
        ("typing", 2, True),
        ("mlx.core.ops.unary", 3, True),
        ("mlx.core.op", 4, True),
        ("numpy", 8, False),
    ]


def test_layers_reports_a_broken_import(tmp_path: Path) -> None:
    package = tmp_path / "packages" / "optimizers" / "src" / "mlx" / "optimizers"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("import mlx.nn\nimport numpy\n")
    first, second = tool("layers")["violations"](tmp_path)
    assert first.endswith("__init__.py:1: mlx.optimizers may not import mlx.nn.")
    assert "imports numpy at module level" in second


def test_no_file_is_too_long() -> None:
    assert tool("size")["long_files"]() == []


def test_size_finds_a_long_file() -> None:
    found = {name: lines for lines, name in tool("size")["long_files"](limit=50)}
    assert found["tests/test_tools.py"] == len(Path(__file__).read_text().splitlines())
    assert "kernels/src/mlx/kernels/dtypes.pxi" in found


def test_where_finds_a_function_in_this_tree() -> None:
    assert tool("where")["places"]("no_op_has_this_" + "name") == []
    kinds = {(place.path.name, place.kind) for place in tool("where")["places"]("long_files")}
    assert ("size.py", "function") in kinds


def test_where_finds_formulas_kernels_and_records(tmp_path: Path) -> None:
    formula = tmp_path / "unary.def"
    formula.write_text("MLXK_UNARY(sinh, F, same, (exp(x) - exp(-x)) / 2)\nMLXK_UNARY(sin, F)\n")
    kernel = tmp_path / "scan.cpp"
    kernel.write_text('MLXK_STEM(scan, table) {\n  table.add("cumsum", {.run = scan});\n}\n')
    record = tmp_path / "records.py"
    record.write_text('RECORDS = [Record("sinh", low=-2.0)]\nsinh = elementwise("sinh")\n')
    where = tool("where")
    assert [place.line for place in where["text_places"](formula, "sinh")] == [1]
    assert [place.line for place in where["text_places"](kernel, "cumsum")] == [2]
    found = [(place.line, place.kind) for place in where["python_places"](record, "sinh")]
    assert sorted(found) == [(1, "record"), (2, "definition"), (2, "record")]


def test_symbols_finds_what_leaves_the_namespace() -> None:
    listing = (
        "0000 T mlxk::cpu::v4::register_sort(mlxk::KernelTable&)\n"
        "0000 t mlxk::(anonymous namespace)::helper()\n"
        "0000 W void std::__introsort_loop<float*>(float*, float*)\n"
        "0000 W void each<mlxk::cpu::v4::Tile>(mlxk::cpu::v4::Tile)\n"
        "0000 V DW.ref.__gxx_personality_v0\n"
        "0000 W mlxk::cpu::v3::other()\n"
    )
    assert tool("symbols")["strays"](listing, "v4") == [
        "W void std::__introsort_loop<float*>(float*, float*)",
        "W mlxk::cpu::v3::other()",
    ]


def test_the_type_stub_holds_the_installed_methods() -> None:
    stubs = tool("stubs")
    stub = stubs["STUB"].read_text()
    assert stubs["rewritten"](stub) == stub, "run `uv run python tools/stubs.py`"
