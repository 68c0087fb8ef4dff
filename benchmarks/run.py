"""Runs the benchmarks: one worker per library, interleaved rounds, one Markdown page.

python benchmarks/run.py [--one WORD] [--rounds 5] [--libraries ours,mlx,...]
                         [--report build/bench/report.md]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from cases import Case, load

HERE = Path(__file__).parent
BUILD = HERE.parent / "build" / "bench"
PEERS = ("mlx", "torch", "jax", "numpy")
FEW_BYTES = 4096  # a smaller workspace holds single numbers


class Worker:
    """A library's process."""

    def __init__(self, name: str) -> None:
        python = sys.executable if name == "ours" else str(BUILD / name / "bin" / "python")
        self.name = name
        self.process = subprocess.Popen(
            [python, str(HERE / "worker.py"), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"TORCHINDUCTOR_CACHE_DIR": str(BUILD / "inductor")},
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        """One request, one answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        return json.loads(line) if line else {"error": "the worker died"}

    def end(self) -> None:
        """Ends the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def machine_limits(*one: str) -> dict[str, float]:
    """Measures the machine, in one limit or in all: bytes or operations a second by name."""
    program = BUILD / "limits"
    source = HERE / "limits.cpp"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        flags = ["-O3", "-march=native", "-ffp-contract=fast", "-std=c++20", "-pthread"]
        subprocess.run(
            [os.environ.get("CXX", "g++"), *flags, str(source), "-o", str(program)], check=True
        )
    text = subprocess.run([program, *one], check=True, capture_output=True, text=True).stdout
    return {name: float(value) for name, value in (line.split() for line in text.splitlines())}


def modes(worker: Worker, case: Case) -> tuple[str, ...]:
    """The modes in which a worker runs a case."""
    if case.host:
        return ("host",)
    return {"numpy": ("eager",), "jax": ("jit",)}.get(worker.name, ("eager", "compiled"))


def agree(samples: dict[str, list[float]], tolerance: float) -> list[str]:
    """Names whose sample differs from ours."""
    reference = next((s for key, s in samples.items() if key.startswith("ours")), None)
    if reference is None:
        return []
    scale = max(max(abs(x) for x in reference), 1e-3)
    return [
        key
        for key, values in samples.items()
        if len(values) != len(reference)
        or any(abs(a - b) > tolerance * scale for a, b in zip(values, reference, strict=True))
    ]


@dataclass
class Measured:
    """What a case gave, by "library mode"."""

    seconds: dict[str, float]
    memory: dict[str, list[int]]  # bytes of the result, and beside it at the peak
    peaks: dict[str, int]  # bytes above the import, by library
    limit: float  # the machine's in the same rounds, where the case is held against one
    remarks: list[str]


def peak_of(case: Case, name: str) -> int | None:
    """Bytes that a library holds at most in a case, above its import, in a process of its own."""
    worker = Worker(name)
    answer = worker.ask(do="peak", case=case.name)
    worker.end()
    return answer.get("peak")


def measure(case: Case, workers: list[Worker], rounds: int) -> Measured:
    """Median seconds, memory, and remarks."""
    times: dict[str, list[float]] = {}
    samples: dict[str, list[float]] = {}
    memory: dict[str, list[int]] = {}
    limits: list[float] = []
    remarks: list[str] = []
    chosen = [
        w
        for w in workers
        if w.name in case.functions or (w.name == "ours" and "mlx" in case.functions)
    ]
    for turn in range(rounds):
        if case.limit:
            limits += machine_limits(case.limit).values()
        for worker in chosen:
            for mode in modes(worker, case):
                key = f"{worker.name} {mode}"
                if turn and key not in times:
                    continue
                answer = worker.ask(do="time", case=case.name, mode=mode)
                if "error" in answer:
                    times.pop(key, None)
                    remarks.append(f"{key}: {answer['error'][:160]}")
                    continue
                times.setdefault(key, []).append(answer["seconds"])
                if answer["sample"]:
                    samples[key] = answer["sample"]
                if answer["memory"]:
                    memory[key] = answer["memory"]
    for worker in chosen:
        worker.ask(do="forget")
    peaks = {w.name: peak for w in chosen if case.peak and (peak := peak_of(case, w.name))}
    remarks += [f"{key} gives another answer" for key in agree(samples, case.tolerance)]
    if has_large_workspace(memory) and not case.workspace:
        remarks.append("ours holds more beside its result than in it, and no reason is given")
    seconds = {key: statistics.median(values) for key, values in times.items()}
    limit = statistics.median(limits) if limits else 0.0
    return Measured(seconds, memory, peaks, limit, remarks)


def shown(seconds: float) -> str:
    """Seconds with a unit."""
    for unit, scale in (("s", 1), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def shown_bytes(count: int) -> str:
    """Bytes with a unit."""
    for unit, scale in (("MB", 1 << 20), ("KB", 1 << 10)):
        if count >= scale:
            return f"{count / scale:.3g} {unit}"
    return f"{count} B"


def largest_memory(memory: dict[str, list[int]]) -> tuple[int, int]:
    """Bytes of the result and beside it, of the mode of ours that takes most."""
    ours = [pair for key, pair in memory.items() if key.startswith("ours")]
    result, beside = max(ours, key=sum, default=(0, 0))
    return result, beside


def has_large_workspace(memory: dict[str, list[int]]) -> bool:
    """Whether ours holds more beside its result than in it."""
    result, beside = largest_memory(memory)
    return beside > max(result, FEW_BYTES)


def shown_memory(case: Case, measured: Measured) -> str:
    """Peak above the import, or result + workspace of ours and what a larger one is for."""
    if measured.peaks:
        return "peak " + ", ".join(f"{n} {shown_bytes(b)}" for n, b in measured.peaks.items())
    if not measured.memory:
        return "–"
    shown = " + ".join(map(shown_bytes, largest_memory(measured.memory)))
    reason = case.workspace if has_large_workspace(measured.memory) else ""
    return f"{shown}: {reason}" if reason else shown


def row(case: Case, measured: Measured) -> list[str]:
    """The cells of one line of the page."""
    times = measured.seconds
    ours = {key: t for key, t in times.items() if key.startswith("ours")}
    peers = {key: t for key, t in times.items() if not key.startswith("ours")}
    best_ours = min(ours.values(), default=math.nan)
    peer = min(peers, key=lambda key: peers[key], default="")
    ratio = f"{best_ours / peers[peer]:.2f}" if peer and ours else "–"
    limit, target, reached = "–", "–", "–"
    if measured.limit:
        bound = case.amount / measured.limit
        limit = f"{best_ours / bound:.2f} x {case.limit}"
        if case.factor:
            target = f"{case.factor:.2f} x"
            reached = "yes" if best_ours <= case.factor * bound else "no"
    elif case.target_us:
        target = shown(case.target_us * 1e-6)
        reached = "yes" if best_ours <= case.target_us * 1e-6 else "no"
    cells = [" / ".join(shown(t) for t in ours.values()) or "–"]
    cells += [f"{shown(peers[peer])} ({peer})" if peer else "–", ratio, limit, target, reached]
    cells.append(shown_memory(case, measured))
    return [case.name, *cells, ", ".join(f"{key} {shown(t)}" for key, t in peers.items())]


def main() -> None:
    """Runs what was asked and writes the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--one", default="")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--libraries", default=",".join(("ours", *PEERS)))
    parser.add_argument("--report", type=Path, default=BUILD / "report.md")
    arguments = parser.parse_args()
    BUILD.mkdir(parents=True, exist_ok=True)
    limits = machine_limits()
    workers = [
        Worker(name)
        for name in arguments.libraries.split(",")
        if name == "ours" or (BUILD / name / "bin" / "python").exists()
    ]
    isa = os.environ.get("MLXK_ISA", "best")
    lines = [
        f"# Benchmarks on {platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
        f"kernels: {isa}",
        "",
        "Limits: "
        + ", ".join(f"{name} {value / 1e9:.1f} G/s" for name, value in limits.items())
        + ".",
        "",
        "| case | ours (eager / compiled) | best peer | ratio | of the limit | to reach "
        "| reached | result + workspace | all peers |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    notes = []
    for case in load().values():
        if arguments.one not in case.name:
            continue
        measured = measure(case, workers, arguments.rounds)
        lines.append("| " + " | ".join(row(case, measured)) + " |")
        print(lines[-1], flush=True)
        remarks = [f"- {case.name}: {remark}" for remark in measured.remarks]
        print("\n".join(remarks), end="\n" if remarks else "", flush=True)
        notes += remarks
    arguments.report.write_text("\n".join([*lines, "", *notes, ""]))
    print(f"written to {arguments.report}")


if __name__ == "__main__":
    main()
