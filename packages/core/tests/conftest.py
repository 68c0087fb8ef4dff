"""Lets tests import the op table and what makes fuzzed calls, beside them."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent / folder) for folder in ("ops", "fuzz")]
