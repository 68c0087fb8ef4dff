"""Random arguments at every public name, in a child process: nothing but exceptions comes back.

The ordinary run takes seconds. ``make fuzz MINUTES=60`` goes on for as long as it is told.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fuzz_calls import calls, targets
from hypothesis import HealthCheck, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

MINUTES = float(os.environ.get("FUZZ_MINUTES", "0"))
# Seconds for a batch of calls, which take milliseconds; the long run is a guest of the machine.
DEADLINE = 600.0 if MINUTES else 60.0
CALLS = 20  # in a batch, at most
LIFE = 300  # batches of one child

TARGETS = list(targets())


class Child:
    """A process that makes calls, started again when it has ended."""

    def __init__(self, folder: Path) -> None:
        self.process: subprocess.Popen[str] | None = None
        self.batches = 0
        self.progress = folder / "progress"
        self.said = folder / "said"

    def start(self) -> subprocess.Popen[str]:
        if self.process and (self.process.poll() is not None or self.batches >= LIFE):
            self.end()
        if self.process is None:
            self.batches = 0
            self.progress.write_text("")
            with self.said.open("w") as said:
                self.process = subprocess.Popen(
                    [sys.executable, str(Path(__file__).with_name("fuzz_child.py")), self.progress],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=said,
                    text=True,
                )
            assert self.process.stdout
            assert json.loads(self.process.stdout.readline()) == []  # it is up
        return self.process

    def end(self) -> None:
        if self.process:
            self.process.kill()
            self.process.communicate()
        self.process = None

    def run(self, batch: list[str]) -> list[str]:
        """What is to be complained about."""
        process = self.start()
        assert process.stdin
        assert process.stdout
        self.batches += 1
        try:
            process.stdin.write(json.dumps(batch) + "\n")
            process.stdin.flush()
            ready, _, _ = select.select([process.stdout], [], [], DEADLINE)
            line = process.stdout.readline() if ready else ""
        except BrokenPipeError:
            ready, line = [process.stdout], ""
        if line:
            return json.loads(line)
        if not ready:
            process.send_signal(signal.SIGABRT)  # faulthandler says where it was
        code = process.wait(30)
        self.end()
        number = int(self.progress.read_text().strip() or 0)
        what = "ended" if ready else "did not come back"
        said = self.said.read_text()[-3000:]
        return [f"{batch[number]}\nthe process {what} with code {code}\n{said}"]


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    made = Child(tmp_path)
    yield made
    made.end()


def attempt(child: Child, examples: int, start: int | None = None) -> list[str]:
    """Runs random batches, and gives every complaint about a call that was not taken well."""
    complaints: list[str] = []

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=start is None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(calls(TARGETS), min_size=1, max_size=CALLS))
    def batches(batch: list[str]) -> None:
        complaints.extend(child.run(batch))

    (batches if start is None else seeded(start)(batches))()
    return complaints


def test_targets_are_found() -> None:
    sources = {target.source for target in TARGETS}
    assert {"mx.add", "mx.array", "mx.array.__getitem__", "mx.random.normal"} <= sources
    assert len(sources) > 400


def test_bad_calls_only_raise(child: Child) -> None:
    if not MINUTES:
        complaints = attempt(child, examples=150)
        assert not complaints, "\n\n".join(complaints)
        return
    end = time.monotonic() + 60 * MINUTES
    found: dict[tuple[str, str], str] = {}  # by the function and what was said last
    batches = 0
    while time.monotonic() < end:
        start = int.from_bytes(os.urandom(4), "little")
        for complaint in attempt(child, examples=500, start=start):
            where = complaint.partition("(")[0], complaint.strip().splitlines()[-1]
            if where not in found:
                found[where] = f"seed {start}: {complaint}"
                print(found[where], flush=True)
        batches += 500
    print(f"{batches} batches of up to {CALLS} calls")
    assert not found, "\n\n".join(found.values())
