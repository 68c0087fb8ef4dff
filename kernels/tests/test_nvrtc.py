"""NVRTC compiles every CUDA kernel to PTX; that needs neither a GPU nor a driver."""

import ctypes
import importlib.util
import platform
import re
import sys
from pathlib import Path

import pytest

KERNELS = Path(__file__).resolve().parents[1]
SOURCES = ["cuda/elementwise.cu", "sim/block_sum.cu"]
# The oldest GPUs that CUDA 13 supports, and the H100's.
ARCHITECTURES = ["compute_75", "compute_90"]
CLASSES = {
    "B": ["bool_"],
    "I": ["int8", "int16", "int32", "int64"],
    "U": ["uint8", "uint16", "uint32", "uint64"],
    "F": ["float16", "bfloat16", "float32", "float64"],
    "C": ["complex64"],
}

has_wheel = sys.platform == "linux" and platform.machine() == "x86_64"
pytestmark = pytest.mark.skipif(not has_wheel, reason="no NVRTC wheel for this platform")


def library() -> ctypes.CDLL:
    """NVRTC out of its wheel, a development dependency."""
    spec = importlib.util.find_spec("nvidia")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    found = [
        path
        for folder in spec.submodule_search_locations
        for path in sorted(Path(folder).glob("*/lib/libnvrtc.so.*"))
    ]
    assert found, "nvidia-cuda-nvrtc is not installed; run `uv sync`."
    return ctypes.CDLL(str(found[-1]))


def compile_to_ptx(source: str, architecture: str) -> str:
    """The PTX of one file of ``kernels/``."""
    nvrtc = library()
    program = ctypes.c_void_p()
    text = (KERNELS / source).read_bytes()
    arguments = (ctypes.byref(program), text, source.encode(), 0, None, None)
    assert nvrtc.nvrtcCreateProgram(*arguments) == 0
    # Without contraction, as everywhere: only MLXK_FMA fuses.
    options = [f"--gpu-architecture={architecture}", "--std=c++17", "--fmad=false", f"-I{KERNELS}"]
    encoded = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
    failed = nvrtc.nvrtcCompileProgram(program, len(options), encoded)
    size = ctypes.c_size_t()
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    assert not failed, log.value.decode()
    assert b"warning" not in log.value, log.value.decode()
    assert nvrtc.nvrtcGetPTXSize(program, ctypes.byref(size)) == 0
    ptx = ctypes.create_string_buffer(size.value)
    assert nvrtc.nvrtcGetPTX(program, ptx) == 0
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return ptx.value.decode()


def entries(ptx: str) -> dict[str, str]:
    """The body of each kernel by its name."""
    parts = re.split(r"^\.visible \.entry (\w+)\(", ptx, flags=re.M)
    bodies = (part.split("\n}\n")[0] for part in parts[2::2])
    return dict(zip(parts[1::2], bodies, strict=True))


def formulas() -> set[str]:
    """The names of all elementwise kernels, from the lines that they are made of."""
    line = re.compile(r"^MLXK_(?:UNARY|BINARY|TERNARY)\((\w+), (\w+),", re.M)
    return {
        f"{name}_{dtype}"
        for file in ("unary", "binary", "ternary")
        for name, classes in line.findall((KERNELS / f"scalar/{file}.def").read_text())
        for key in classes
        for dtype in CLASSES[key]
    }


def test_every_cuda_file_is_compiled_here():
    assert {f"cuda/{path.name}" for path in (KERNELS / "cuda").glob("*.cu")} < set(SOURCES)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_elementwise(architecture):
    ptx = compile_to_ptx("cuda/elementwise.cu", architecture)
    assert f".target sm_{architecture.removeprefix('compute_')}" in ptx
    kernels = entries(ptx)
    assert set(kernels) == formulas()
    plain = ("multiply_complex64", "add_float32", "divide_float16", "remainder_float32")
    assert not [name for name in plain if "fma.rn.f32" in kernels[name]]
    assert "fma.rn.f32" in kernels["exp_float32"].split()
    # CUDA's own float64 functions refine approximations; ours start from none.
    ours = {name: body for name, body in kernels.items() if not name.endswith("_float64")}
    assert not [name for name, body in ours.items() if ".approx" in body or ".ftz" in body]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_block_sum(architecture):
    (body,) = entries(compile_to_ptx("sim/block_sum.cu", architecture)).values()
    assert "bar.sync" in body
    assert "shfl.sync.down" in body
    assert ".shared" in body


def test_an_error_of_the_source_is_reported(tmp_path):
    (tmp_path / "wrong.cu").write_text("__global__ void wrong() { int x = y; }\n")
    with pytest.raises(AssertionError, match='identifier "y" is undefined'):
        compile_to_ptx(str(tmp_path / "wrong.cu"), ARCHITECTURES[0])
