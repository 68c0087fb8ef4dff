"""Runs inside one library's environment; takes one JSON request a line and answers with one.

A request names a case and a mode; the answer is the best time of a round in seconds and, at first,
a sample of the result that run.py compares between the libraries, and the memory a call takes.
The first request of a process may instead be for the peak of its memory in one case.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from cases import Case, load
from libraries import LIBRARIES, Library

ROUND_SECONDS = 0.3
MANY = 1_000_000  # a host case that does so much needs no run to warm up


def sample(result: Any, library: Library, random: bool) -> list[float]:
    """Some numbers of a result: its mean, and 16 elements spread over it or the deviation."""
    if isinstance(result, tuple):
        return [number for part in result for number in sample(part, library, random)]
    values = np.ravel(library.numpy(result))
    if random:
        return [float(values.mean()), float(values.std())]
    picks = values[:: max(1, values.size // 16)][:16]
    return [float(values.mean()), *map(float, picks)]


class Prepared:
    """A case in a mode, ready to be timed."""

    def __init__(self, case: Case, library: Library, name: str, mode: str) -> None:
        inputs = [library.array(a) for a in case.inputs(np.random.default_rng(0))]
        function = case.functions.get(name) or case.functions["mlx"]
        self.case, self.library = case, library
        self.sample: list[float] | None = None
        self.memory: list[int] | None = None
        module = library.module
        if case.host:
            self.call: Callable[[], Any] = lambda: function(module, *inputs)
            if case.count < MANY:
                self.call()
            return
        prepared = library.prepare(lambda *a: function(module, *a), mode)

        def call() -> Any:
            result = prepared(*inputs)
            library.finish(result)
            return result

        self.call = call
        self.sample = sample(call(), library, case.random)
        self.memory = library.memory(call)

    def round(self) -> float:
        """The best time of a round; a host function measures its own."""
        best, spent = float("inf"), 0.0
        while spent < ROUND_SECONDS:
            start = time.perf_counter()
            result = self.call()
            elapsed = time.perf_counter() - start
            seconds = elapsed
            if self.case.host:
                seconds, self.sample = result if isinstance(result, tuple) else (result, None)
            best, spent = min(best, seconds), spent + elapsed
        return best / self.case.count if self.case.host else best


def resident(field: str) -> int | None:
    """Bytes that this process holds (VmRSS), or held at its peak (VmHWM), where Linux tells."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith(field)), None)


def main() -> None:
    """Answers requests until the input ends."""
    name = sys.argv[1]
    library = LIBRARIES[name]()
    cases = load()
    prepared: dict[tuple[str, str], Prepared] = {}
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "forget":
            prepared.clear()
            print("{}", flush=True)
            continue
        if request["do"] == "peak":
            imported = resident("VmRSS")
            Prepared(cases[request["case"]], library, name, "host")
            peak = resident("VmHWM")
            print(json.dumps({"peak": peak and imported and peak - imported}), flush=True)
            continue
        key = (request["case"], request["mode"])
        try:
            if key not in prepared:
                prepared[key] = Prepared(cases[key[0]], library, name, key[1])
            ready = prepared[key]
            answer = {"seconds": ready.round(), "sample": ready.sample, "memory": ready.memory}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
