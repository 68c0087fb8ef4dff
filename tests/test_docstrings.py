"""Every example in a docstring runs and prints what it says.

``mx``, ``nn``, ``optim`` and ``np`` are imported for the examples.
"""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PRELUDE = {"mx": "mlx.core", "nn": "mlx.nn", "optim": "mlx.optimizers", "np": "numpy"}


def modules_with_examples() -> list[str]:
    """The dotted names of all Python sources that hold a ``>>>``."""
    names = []
    for folder in sorted((ROOT / "packages").glob("*/src")):
        for path in sorted(folder.rglob("*.py")):
            if ">>> " in path.read_text():
                name = ".".join(path.relative_to(folder).with_suffix("").parts)
                names.append(name.removesuffix(".__init__"))
    return names


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples(name: str) -> None:
    module = importlib.import_module(name)
    names = {short: importlib.import_module(full) for short, full in PRELUDE.items()}
    report: list[str] = []
    finder = doctest.DocTestFinder(exclude_empty=True)
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    runner = doctest.DocTestRunner(verbose=False, optionflags=flags)
    for test in finder.find(module, name, extraglobs=names):
        runner.run(test, out=report.append)
    assert not report, "".join(report)
    assert runner.tries > 0
