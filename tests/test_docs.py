"""Every Python block of the pages runs, and the site builds from its sources.

The blocks of one page run in order in one fresh interpreter, in an empty folder, with warnings as
errors. A line number in a traceback is the line of the page.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python[^\n]*\n(.*?)^```", re.M | re.S)


def program(text: str) -> str:
    """The blocks of a page, each at its own line."""
    lines: list[str] = []
    for block in BLOCK.finditer(text):
        start = text.count("\n", 0, block.start(1))
        lines += [""] * (start - len(lines))
        lines += block.group(1).splitlines()
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_python_block_runs(page: Path, tmp_path: Path) -> None:
    source = program(page.read_text())
    if not source.strip():
        return
    runner = "import sys; exec(compile(sys.stdin.read(), sys.argv[1], 'exec'))"
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", runner, str(page)],
        input=source,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_blocks_keep_their_lines() -> None:
    text = "# Page\n\n```python\nx = 1\n```\n\ntext\n\n```sh\nls\n```\n\n```python\ny = x\n```\n"
    assert program(text) == "\n\n\nx = 1\n\n\n\n\n\n\n\n\n\ny = x\n"


def test_the_first_page_links_to_every_page() -> None:
    text = (ROOT / "docs/index.md").read_text()
    pages = [
        path for folder in ("guide", "internals") for path in (ROOT / "docs" / folder).glob("*.md")
    ]
    assert [page.name for page in pages if f"{page.parent.name}/{page.name})" not in text] == []


def test_pages_link_to_files_that_exist() -> None:
    missing = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text()):
            if not (page.parent / target).exists():
                missing.append(f"{page.relative_to(ROOT)}: {target}")
    assert missing == []
