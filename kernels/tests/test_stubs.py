"""Each .pyi holds what its module holds: names, members, and the parameters of functions."""

import ast
import importlib
import inspect
from pathlib import Path

import mlx.core  # noqa: F401  # installs the methods of arrays
import pytest
from mlx import kernels

folder = Path(kernels.__file__).parent
NATIVE = {
    "cython_function_or_method",
    "getset_descriptor",
    "member_descriptor",
    "method_descriptor",
    "staticmethod",
}
# What mlx.core installs on a class.
INSTALLED = {"function", "property", "OpFunction"}
modules = sorted(path.stem for path in folder.glob("*.pyi"))


def declared(body: list[ast.stmt]) -> dict[str, ast.stmt]:
    names: dict[str, ast.stmt] = {}
    for statement in body:
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            names[statement.name] = statement
        elif isinstance(statement, ast.AnnAssign):
            names[statement.target.id] = statement  # type: ignore[attr-defined]
        elif isinstance(statement, ast.Assign):
            names[statement.targets[0].id] = statement  # type: ignore[attr-defined]
    return names


def parameters(function: ast.FunctionDef) -> list[str]:
    a = function.args
    rest = [("*", x) for x in (a.vararg,) if x] + [("", x) for x in a.kwonlyargs]
    return [x.arg for x in (*a.posonlyargs, *a.args)] + [star + x.arg for star, x in rest]


def found(function: object) -> list[str]:
    signature = inspect.signature(function)  # type: ignore[arg-type]
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    return [stars.get(p.kind, "") + p.name for p in signature.parameters.values()]


def test_every_module_has_a_stub():
    assert modules == sorted(path.stem for path in folder.glob("*.pyx"))


@pytest.mark.parametrize("name", modules)
def test_stub(name):
    module = importlib.import_module(f"mlx.kernels.{name}")
    stub = declared(ast.parse((folder / f"{name}.pyi").read_text()).body)
    home = {f"mlx.kernels.{name}", "mlx.core"}
    public = {
        key
        for key, value in vars(module).items()
        if not key.startswith("_")
        and (getattr(value, "__module__", None) in home or isinstance(value, tuple))
    }
    private = {key for key in stub if not key.startswith("_")}
    assert private == public
    for key, statement in stub.items():
        if isinstance(statement, ast.FunctionDef):
            assert found(getattr(module, key)) == parameters(statement), key
        elif isinstance(statement, ast.ClassDef):
            check_class(getattr(module, key), statement)


def check_class(kind: type, statement: ast.ClassDef) -> None:
    members = declared(statement.body)
    for key in members:
        assert hasattr(kind, key) or kind.__name__ == "OpFunction", (kind, key)
    native = {key for key, value in vars(kind).items() if type(value).__name__ in NATIVE}
    installed = {key for key, value in vars(kind).items() if type(value).__name__ in INSTALLED}
    assert {key for key in native | installed if not key.startswith("_")} == {
        key for key in members if not key.startswith("_")
    }
