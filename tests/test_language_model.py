"""examples/language_model.py at reduced size: it trains, writes and draws."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_language_model(tmp_path: Path) -> None:
    sizes = [
        "--steps",
        "20",
        "--batch-size",
        "4",
        "--context",
        "32",
        "--dims",
        "32",
        "--layers",
        "1",
        "--sample",
        "20",
    ]
    result = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "language_model.py"), *sizes],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    loss = re.search(r"^loss (\d+\.\d+)", result.stdout, re.M)
    assert loss is not None
    assert float(loss.group(1)) < 4.8
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")
