"""Arrays, ops and function transforms: the public names, and nothing else."""

# ruff: noqa: F401, F403

from mlx.kernels import ArrayIterator, Dtype, array

from . import cuda, distributed, fast, fft, linalg, metal, random
from .constants import e, euler_gamma, inf, nan, newaxis, pi
from .control.cond import cond
from .control.scan import scan
from .control.while_loop import while_loop
from .debug import debug_nans
from .device import (
    Device,
    DeviceType,
    cpu,
    default_device,
    device_count,
    device_info,
    gpu,
    is_available,
    set_default_device,
)
from .dtypes import (
    DtypeCategory,
    bfloat16,
    bool_,
    can_cast,
    complex64,
    complexfloating,
    finfo,
    float16,
    float32,
    float64,
    floating,
    generic,
    iinfo,
    inexact,
    int8,
    int16,
    int32,
    int64,
    integer,
    isdtype,
    issubdtype,
    number,
    result_type,
    signedinteger,
    uint8,
    uint16,
    uint32,
    uint64,
    unsignedinteger,
)
from .evaluation import async_eval, eval
from .indexing import ArrayAt
from .interop import ArrayLike, asarray, from_dlpack
from .io.load import load
from .io.npy import save
from .io.npz import savez, savez_compressed
from .io.safetensors import save_safetensors
from .jacobian import hessian, jacfwd, jacobian, jacrev
from .linalg.norms import norm as matrix_norm
from .memory import (
    clear_cache,
    get_active_memory,
    get_array_buffer_size,
    get_cache_memory,
    get_memory_limit,
    get_peak_memory,
    reset_peak_memory,
    set_cache_limit,
    set_memory_limit,
    set_wired_limit,
)
from .ops.arg_reduce import *
from .ops.binary import *
from .ops.block_masked_mm import *
from .ops.cast import *
from .ops.compare import *
from .ops.conv import *
from .ops.convolve import *
from .ops.create import *
from .ops.eight_bits import *
from .ops.einsum import *
from .ops.float_bits import *
from .ops.gather_mm import *
from .ops.hadamard import *
from .ops.index import *
from .ops.join import *
from .ops.matmul import *
from .ops.nonzero import *
from .ops.numpy_names import *
from .ops.quantiles import *
from .ops.reduce import *
from .ops.samples import *
from .ops.scan import *
from .ops.search import *
from .ops.segmented_mm import *
from .ops.shape import *
from .ops.softmax import *
from .ops.sort import *
from .ops.statistics import *
from .ops.ternary import *
from .ops.trigonometric import *
from .ops.unary import *
from .ops.views import *
from .ops.window import *
from .printing import (
    PrintOptions,
    get_printoptions,
    printoptions,
    set_printoptions,
)
from .stream import (
    Stream,
    StreamContext,
    ThreadLocalStream,
    clear_streams,
    default_stream,
    new_stream,
    new_thread_local_stream,
    new_thread_unsafe_stream,
    set_default_stream,
    stream,
    synchronize,
)
from .transforms.checkpoint import checkpoint
from .transforms.compile import compile, disable_compile, enable_compile
from .transforms.custom import custom_function
from .transforms.jvp import jvp
from .transforms.vjp import grad, value_and_grad, vjp
from .transforms.vmap import vmap

# isort: split
# Again, for type checkers: other modules of ops carry op's functions named full and full_like.
from .ops.create import *

__version__ = "0.32.4.post1"
