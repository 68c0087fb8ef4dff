"""The op table: all records of ``records/``, one file a family, each found by itself."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from cases import Case

CASES: list[Case] = [
    record
    for module in pkgutil.iter_modules([str(Path(__file__).parent / "records")])
    for record in importlib.import_module(f"records.{module.name}").RECORDS
]
