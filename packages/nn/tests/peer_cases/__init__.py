"""The comparisons by family: the ``CASES`` of each module in this folder."""

from importlib import import_module
from pathlib import Path

FAMILIES = {
    path.stem: import_module(f"peer_cases.{path.stem}").CASES
    for path in sorted(Path(__file__).parent.glob("[a-z]*.py"))
    if path.stem != "case"
}
