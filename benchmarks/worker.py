"""Runs inside one library's environment; takes one JSON request a line and answers with one.

A request names a case and a mode; the answer is the best time of a round in seconds and, at first,
a sample of the result that run.py compares between the libraries, and the memory a call takes.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from cases import Case, load
from libraries import LIBRARIES, Library

ROUND_SECONDS = 0.3
MANY = 1_000_000  # a host case that does so much needs no run to warm up


def sample(result: Any, library: Library, random: bool) -> list[float]:
    """Some numbers of a result: its mean, and 16 elements spread over it or the deviation."""
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
        """The best time of a round."""
        if self.case.host:
            return self.call() / self.case.count
        best, spent = float("inf"), 0.0
        while spent < ROUND_SECONDS:
            start = time.perf_counter()
            self.call()
            elapsed = time.perf_counter() - start
            best, spent = min(best, elapsed), spent + elapsed
        return best


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
