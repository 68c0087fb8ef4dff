"""Kernels from source text for Metal and CUDA, which a build without them refuses."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mlx.kernels import Dtype, array
from mlx.kernels.hints import Any

from ..op import public
from ..stream import StreamOrDevice


def _missing(function: str, backend: str) -> RuntimeError:
    return RuntimeError(
        f"[{function}] This build has no {backend} backend; it takes a build of mlx-kernels with "
        f"MLX_BUILD_{backend.upper()}=ON on a machine that has one."
    )


def metal_kernel(
    name: str,
    input_names: Sequence[str],
    output_names: Sequence[str],
    source: str,
    header: str = "",
    ensure_row_contiguous: bool = True,
    atomic_outputs: bool = False,
    compile_options: dict[str, Any] | None = None,
) -> Callable[..., list[array]]:
    """A kernel from the body of a Metal function.

    Args:
        name: Name of the kernel.
        input_names: Names of the inputs in the source.
        output_names: Names of the outputs in the source.
        source: The body of the function.
        header: Source in front of the function.
        ensure_row_contiguous: Whether inputs are made row-major first.
        atomic_outputs: Whether outputs are atomic.
        compile_options: Options of the compiler.

    Returns:
        A function of inputs, output shapes and dtypes, grid and threadgroup. Where the build has
        no Metal backend, calling it raises RuntimeError.
    """

    def kernel(*args: Any, **kwargs: Any) -> list[array]:
        raise _missing("metal_kernel", "Metal")

    return kernel


def cuda_kernel(
    name: str,
    input_names: Sequence[str],
    output_names: Sequence[str],
    source: str,
    header: str = "",
    ensure_row_contiguous: bool = True,
    shared_memory: int = 0,
) -> Callable[..., list[array]]:
    """A kernel from the body of a CUDA function.

    Args:
        name: Name of the kernel.
        input_names: Names of the inputs in the source.
        output_names: Names of the outputs in the source.
        source: The body of the function.
        header: Source in front of the function.
        ensure_row_contiguous: Whether inputs are made row-major first.
        shared_memory: Bytes of dynamic shared memory.

    Returns:
        A function of inputs, output shapes and dtypes, grid and threadgroup.

    Raises:
        RuntimeError: If this build has no CUDA backend.
    """
    raise _missing("cuda_kernel", "CUDA")


def precompiled_cuda_kernel(
    *,
    name: str,
    compiled_source: bytes,
    inputs: Sequence[Any],
    output_shapes: Sequence[Sequence[int]],
    output_dtypes: Sequence[Dtype],
    scalars: Sequence[Any],
    grid: tuple[int, int, int],
    threadgroup: tuple[int, int, int],
    shared_memory: int = 0,
    init_value: float | None = None,
    ensure_row_contiguous: bool = False,
    stream: StreamOrDevice = None,
) -> list[array]:
    """Runs a CUDA kernel that is compiled already, to PTX or cubin.

    Args:
        name: Name of the kernel.
        compiled_source: The compiled kernel.
        inputs: Arrays.
        output_shapes: Shapes of the outputs.
        output_dtypes: Dtypes of the outputs.
        scalars: Scalar arguments.
        grid: Number of threads along three axes.
        threadgroup: Number of threads of a block along three axes.
        shared_memory: Bytes of dynamic shared memory.
        init_value: What outputs are filled with first.
        ensure_row_contiguous: Whether inputs are made row-major first.
        stream: Stream or device to run on.

    Returns:
        The outputs.

    Raises:
        RuntimeError: If this build has no CUDA backend.
    """
    raise _missing("precompiled_cuda_kernel", "CUDA")


__all__ = public(globals())
