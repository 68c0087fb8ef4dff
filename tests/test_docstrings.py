"""Every example in a docstring runs and prints what it says.

The docstrings are read from the sources, so those of native functions and of classes that name
another module count too. The examples see their module's names, and ``mx``, ``nn``, ``optim`` and
``np``.
"""

import ast
import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PRELUDE = {"mx": "mlx.core", "nn": "mlx.nn", "optim": "mlx.optimizers", "np": "numpy"}
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)


def sources_with_examples() -> list[str]:
    """Paths, from the root, of all Python sources that hold a ``>>>``."""
    paths = sorted((ROOT / "packages").glob("*/src/**/*.py"))
    return [str(path.relative_to(ROOT)) for path in paths if ">>> " in path.read_text()]


@pytest.mark.parametrize("source", sources_with_examples())
def test_examples(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # some write files
    dotted = (
        source.split("/src/")[1].removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    )
    names = dict(vars(importlib.import_module(dotted)))
    names |= {short: importlib.import_module(full) for short, full in PRELUDE.items()}
    report: list[str] = []
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    runner = doctest.DocTestRunner(verbose=False, optionflags=flags)
    for node in ast.walk(ast.parse((ROOT / source).read_text())):
        text = ast.get_docstring(node) if isinstance(node, DOCUMENTED) else None
        if text and ">>> " in text:
            name = getattr(node, "name", "module")
            line = getattr(node, "lineno", 1)
            test = doctest.DocTestParser().get_doctest(text, dict(names), name, source, line)
            runner.run(test, out=report.append)
    assert not report, "".join(report)
    assert runner.tries > 0
