"""Saving and loading: round trips, interchange with NumPy and safetensors, paths and objects."""

import io
import os
import pathlib
import subprocess
import sys
import zipfile

import mlx.core as mx
import numpy as np
import pytest
import safetensors.numpy

DTYPES = [
    mx.bool_, mx.uint8, mx.uint16, mx.uint32, mx.uint64, mx.int8, mx.int16, mx.int32, mx.int64,
    mx.float16, mx.bfloat16, mx.float32, mx.float64, mx.complex64,
]  # fmt: skip


@pytest.fixture(autouse=True)
def _in_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def sample(dtype, shape=(2, 3, 4)):
    values = np.random.default_rng(0).normal(size=shape) * 100
    return mx.array(values.astype(np.float32)).astype(dtype)


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and bytes(a.__getstate__()[0]) == bytes(
        b.__getstate__()[0]
    )  # fmt: skip


# ---- round trips -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES, ids=repr)
@pytest.mark.parametrize("shape", [(2, 3, 4), (5,), (), (0, 3)])
def test_each_dtype_comes_back(dtype, shape):
    a = sample(dtype, shape)
    mx.save("a.npy", a)
    assert same(mx.load("a.npy"), a)
    mx.savez("a.npz", a=a)
    assert same(mx.load("a.npz")["a"], a)
    mx.savez_compressed("b.npz", a=a)
    assert same(mx.load("b.npz")["a"], a)
    mx.save_safetensors("a.safetensors", {"a": a})
    assert same(mx.load("a.safetensors")["a"], a)


def test_views_are_saved_in_row_major_order():
    a = sample(mx.float32, (4, 6))
    views = {"t": a.T, "s": a[::-1, ::2], "b": mx.broadcast_to(a[0], (3, 6)), "e": a + 1}
    mx.savez("v.npz", **views)
    mx.save_safetensors("v.safetensors", views)
    for loaded in (mx.load("v.npz"), mx.load("v.safetensors")):
        assert all(same(loaded[name], mx.contiguous(view)) for name, view in views.items())


@pytest.mark.parametrize("saved", ["npy", "npz", "npz_compressed", "safetensors"])
def test_file_objects(saved):
    a = sample(mx.float32)
    file = io.BytesIO()
    if saved == "npy":
        mx.save(file, a)
        mx.save(file, a + 1)
    elif saved == "npz":
        mx.savez(file, a)
    elif saved == "npz_compressed":
        mx.savez_compressed(file, a)
    else:
        mx.save_safetensors(file, {"arr_0": a})
    file.seek(0)
    loaded = mx.load(file, format=saved.split("_")[0])
    assert same(loaded if saved == "npy" else loaded["arr_0"], a)
    if saved == "npy":
        assert same(mx.load(file, format="npy"), a + 1)


def test_format_is_the_ending_of_the_name():
    a = sample(mx.float32)
    mx.save("plain", a)
    mx.savez("many", a, b=a)
    mx.save_safetensors("named", {"a": a})
    mx.save(pathlib.Path("path.dir.npy"), a)
    assert sorted(os.listdir()) == ["many.npz", "named.safetensors", "path.dir.npy", "plain.npy"]
    assert list(mx.load("many.npz")) == ["arr_0", "b"]
    with open("plain.npy", "rb") as file:
        assert same(mx.load(file), a)
    assert same(mx.load(pathlib.Path("path.dir.npy")), a)


def test_metadata():
    a = mx.zeros(2)
    mx.save_safetensors("m.safetensors", {"a": a}, {"step": "7", "é": "ü"})
    arrays, metadata = mx.load("m.safetensors", return_metadata=True)
    assert list(arrays) == ["a"]
    assert metadata == {"step": "7", "é": "ü"}
    mx.save_safetensors("n.safetensors", {})
    assert mx.load("n.safetensors", return_metadata=True) == ({}, {})


# ---- interchange -------------------------------------------------------------------------------

NUMPY_DTYPES = ["?", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8", "c8"]


@pytest.mark.parametrize("code", NUMPY_DTYPES)
def test_numpy_reads_what_we_write(code):
    expected = (np.random.default_rng(1).normal(size=(3, 5)) * 100).astype(code)
    a = mx.array(expected, mx.float64) if code == "f8" else mx.array(expected)
    mx.save("a.npy", a)
    mx.savez("a.npz", x=a)
    mx.savez_compressed("b.npz", x=a)
    loaded = [np.load("a.npy"), np.load("a.npz")["x"], np.load("b.npz")["x"]]
    for one in loaded:
        assert one.dtype == expected.dtype
        np.testing.assert_array_equal(one, expected)


@pytest.mark.parametrize("code", NUMPY_DTYPES)
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("layout", ["C", "F"])
def test_we_read_what_numpy_writes(code, order, layout):
    values = np.random.default_rng(2).normal(size=(3, 5, 2)) * 100
    expected = np.array(values.astype(code).astype(order + code), order=layout)
    np.save("a.npy", expected)
    np.savez("a.npz", x=expected)
    np.savez_compressed("b.npz", x=expected)
    for one in [mx.load("a.npy"), mx.load("a.npz")["x"], mx.load("b.npz")["x"]]:
        np.testing.assert_array_equal(np.array(one), expected)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_versions_of_npy(version):
    with open("v.npy", "wb") as file:
        np.lib.format.write_array(file, np.arange(3, dtype="i4"), version=version)
    assert mx.load("v.npy").tolist() == [0, 1, 2]


def test_bfloat16_in_npy_is_two_bytes_without_meaning():
    mx.save("b.npy", mx.array([1.0, -2.0], mx.bfloat16))
    assert np.load("b.npy").view("u2").tolist() == [0x3F80, 0xC000]


def test_a_long_header_takes_the_second_version():
    a = mx.zeros((1,) * 60)
    mx.save("long.npy", a)
    assert mx.load("long.npy").shape == a.shape
    from mlx.core.io.npy import header_of

    assert header_of((1,) * 30000, mx.int8)[6] == 2


def test_safetensors_reads_what_we_write():
    arrays = {f"{dtype}": sample(dtype) for dtype in DTYPES if dtype != mx.bfloat16}
    mx.save_safetensors("s.safetensors", arrays, {"k": "v"})
    loaded = safetensors.numpy.load_file("s.safetensors")
    assert loaded.keys() == arrays.keys()
    for name, a in arrays.items():
        np.testing.assert_array_equal(loaded[name], np.array(a))
    with safetensors.safe_open("s.safetensors", "np") as file:
        assert file.metadata() == {"k": "v"}


def test_we_read_what_safetensors_writes():
    arrays = {code: np.arange(6).astype(code).reshape(2, 3) for code in NUMPY_DTYPES}
    safetensors.numpy.save_file(arrays, "s.safetensors", {"k": "v"})
    loaded, metadata = mx.load("s.safetensors", return_metadata=True)
    assert metadata == {"k": "v"}
    for name, expected in arrays.items():
        assert np.array(loaded[name]).dtype == expected.dtype
        np.testing.assert_array_equal(np.array(loaded[name]), expected)


def test_numbers_of_eight_bits_come_as_their_codes(write_safetensors):
    entry = {"shape": [2], "data_offsets": [0, 2]}
    for code in ("F8_E4M3", "F8_E8M0"):
        write_safetensors({"a": {"dtype": code, **entry}}, bytes((0x38, 0x40)))
        assert mx.load("s.safetensors")["a"].tolist() == [0x38, 0x40]
    assert mx.from_fp8(mx.load("s.safetensors")["a"]).tolist() == [1, 2]


def test_elements_that_are_not_aligned(write_safetensors):
    # As MLX writes them: the header has any length.
    values = np.arange(12, dtype="f4")
    entries = {
        "a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]},
        "b": {"dtype": "F32", "shape": [3, 4], "data_offsets": [1, 49]},
        "c": {"dtype": "C64", "shape": [6], "data_offsets": [1, 49]},
        "d": {"dtype": "BF16", "shape": [], "data_offsets": [3, 5]},
    }
    for padding in range(9):
        write_safetensors(entries, b"\7" + values.tobytes(), padding=padding)
        loaded = mx.load("s.safetensors")
        assert loaded["a"].tolist() == [7]
        assert np.array(loaded["b"]).tolist() == values.reshape(3, 4).tolist()
        assert np.array(loaded["c"]).tolist() == values.view("c8").tolist()
        assert loaded["d"].item() == 0


def test_a_bool_is_0_or_1_whatever_the_file_says(write_safetensors):
    write_safetensors({"a": {"dtype": "BOOL", "shape": [3], "data_offsets": [0, 3]}}, b"\0\2\xff")
    a = mx.load("s.safetensors")["a"]
    assert a.tolist() == [False, True, True]
    assert a.sum().item() == 2


# ---- mapping -----------------------------------------------------------------------------------


def test_a_path_is_mapped_and_not_read():
    a = sample(mx.float32, (1 << 20,))
    mx.save("a.npy", a)
    mx.savez("a.npz", a=a)
    mx.save_safetensors("a.safetensors", {"a": a})
    mx.eval(a)
    before = mx.get_active_memory()
    loaded = [mx.load("a.npy"), mx.load("a.npz")["a"], mx.load("a.safetensors")["a"]]
    mx.eval(loaded)
    assert mx.get_active_memory() == before
    total = sum(x.sum() for x in loaded).item()
    assert total == pytest.approx(3 * a.sum().item(), rel=1e-4)


def test_mapped_memory_is_read_only():
    mx.save("a.npy", mx.arange(4))
    a = mx.load("a.npy")
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(a)[0] = 1
    assert memoryview(a).readonly
    a[0] = 7  # rebinds the handle
    a += 1
    assert a.tolist() == [8, 2, 3, 4]
    shared = np.from_dlpack(mx.load("a.npy"))  # another library may write: it gets a copy
    assert shared.tolist() == [0, 1, 2, 3]
    assert mx.load("a.npy").tolist() == [0, 1, 2, 3]


def test_mapped_arrays_are_not_donated():
    mx.save("a.npy", mx.arange(1000.0))
    step = mx.compile(lambda x: x * 2 + 1)
    for _ in range(3):
        assert step(mx.load("a.npy"))[3].item() == 7
    assert mx.load("a.npy")[3].item() == 3


def test_saving_over_a_file_leaves_arrays_loaded_from_it():
    mx.save("a.npy", mx.arange(100000))
    a = mx.load("a.npy")
    mx.save("a.npy", a + 1)
    mx.save("a.npy", mx.load("a.npy") + 1)
    assert a[:3].tolist() == [0, 1, 2]
    assert mx.load("a.npy")[:3].tolist() == [2, 3, 4]


def test_arrays_outlive_their_file():
    mx.save_safetensors("a.safetensors", {"a": mx.arange(10), "b": mx.arange(5)})
    a = mx.load("a.safetensors")["a"]
    os.unlink("a.safetensors")
    assert a.tolist() == list(range(10))


def test_kernels_read_nothing_behind_the_end_of_a_mapping():
    # The elements end where the last page ends; behind it there is no memory.
    program = """
import mlx.core as mx
page = 4096
header = 128
for dtype in (mx.float32, mx.float16, mx.int8, mx.int64):
    count = (3 * page - header) // dtype.size
    mx.save("a.npy", mx.ones((count,), dtype))
    a = mx.load("a.npy")
    ops = [mx.exp, mx.sum, mx.sort, mx.cumsum, mx.argmax, mx.abs, lambda x: x[::-1] + x,
           lambda x: x.reshape(2, -1).T + 1, lambda x: mx.take(x, mx.array([0, -1]))]
    if dtype in (mx.float32, mx.float16):
        ops += [mx.softmax, lambda x: x.reshape(2, -1) @ x.reshape(2, -1).T,
                lambda x: mx.fast.layer_norm(x.reshape(4, -1), None, None, 1e-5)]
    for op in ops:
        mx.eval(op(a))
print("done")
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.stdout == "done\n", result.stderr


def test_large_files():
    # More bytes than 32 bits count, of which the file system stores next to none.
    size = (1 << 32) + 16
    from mlx.core.io.npy import header_of

    with open("large.npy", "wb") as file:
        header = header_of((size,), mx.int8)
        file.write(header)
        file.seek(len(header) + size - 1)
        file.write(b"\5")
    a = mx.load("large.npy")
    assert a.shape == (size,)
    assert a[-2:].tolist() == [0, 5]


# ---- saving is atomic --------------------------------------------------------------------------


class Interrupted(Exception):
    pass


def test_a_failed_save_leaves_what_was_there(monkeypatch):
    mx.save("a.npy", mx.arange(3))

    def fail(a):
        raise Interrupted

    with monkeypatch.context() as patched:
        patched.setattr("mlx.core.io.npy.raw", fail)
        for name in ("a.npy", "new.npy"):
            with pytest.raises(Interrupted):
                mx.save(name, mx.zeros(10))
    assert os.listdir() == ["a.npy"]
    assert mx.load("a.npy").tolist() == [0, 1, 2]


def test_an_error_of_the_graph_leaves_what_was_there(tmp_path):
    mx.save("a.npy", mx.arange(3))
    with pytest.raises(MemoryError):
        mx.save("a.npy", mx.zeros((2**45,)) + 1)
    assert mx.load("a.npy").tolist() == [0, 1, 2]
    assert os.listdir(tmp_path) == ["a.npy"]


def test_links_and_permissions_stay(tmp_path):
    mx.save("a.npy", mx.arange(3))
    os.chmod("a.npy", 0o640)
    os.symlink("a.npy", "link.npy")
    mx.save("link.npy", mx.arange(5))
    assert os.path.islink("link.npy")
    assert mx.load("a.npy").size == 5
    assert os.stat("a.npy").st_mode & 0o777 == 0o640
    os.umask(umask := os.umask(0))
    mx.save("new.npy", mx.arange(5))
    assert os.stat("new.npy").st_mode & 0o777 == 0o666 & ~umask


# ---- misuse ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: mx.save("a.npy", [1]), TypeError, r"\[save\] .* is list"),
        (lambda: mx.save(3, mx.zeros(1)), TypeError, "file is int, neither a path nor"),
        (lambda: mx.savez("a.npz", mx.zeros(1), b=[1]), TypeError, "b is list, not an array"),
        (lambda: mx.savez("a.npz", mx.zeros(1), arr_0=mx.zeros(1)), ValueError, "arr_0 names"),
        (lambda: mx.save_safetensors("a", [mx.zeros(1)]), TypeError, "arrays is list"),
        (lambda: mx.save_safetensors("a", {"a": 1}), TypeError, "'a': int is no text with"),
        (lambda: mx.save_safetensors("a", {}, {"a": 1}), ValueError, "not a dict of texts"),
        (lambda: mx.save_safetensors("a", {"__metadata__": mx.zeros(1)}), ValueError, "no name"),
        (lambda: mx.save("nowhere/a.npy", mx.zeros(1)), FileNotFoundError, "nowhere/a.npy"),
        (lambda: mx.load(3), ValueError, "file is int, neither a path nor"),
        (lambda: mx.load("a"), ValueError, "no ending that says its format"),
        (lambda: mx.load(io.BytesIO()), ValueError, "no ending that says its format"),
        (lambda: mx.load("a.bin"), ValueError, "format 'bin' is none of"),
        (lambda: mx.load("a.npy", format="x"), ValueError, "format 'x' is none of"),
        (lambda: mx.load("a.npy", return_metadata=True), ValueError, "npy files have no metadata"),
        (lambda: mx.load("a.npy"), FileNotFoundError, "a.npy"),
        (lambda: mx.load("a.npz"), FileNotFoundError, "a.npz"),
        (lambda: mx.load(io.StringIO("text"), format="npy"), TypeError, "in binary mode"),
    ],
)
def test_misuse(call, kind, message, tmp_path):
    with pytest.raises(kind, match=message):
        call()
    assert os.listdir(tmp_path) == []


def test_a_placeholder_cannot_be_saved(tmp_path):
    with pytest.raises(ValueError, match="compile"):
        mx.compile(lambda x: mx.save("a.npy", x))(mx.zeros(1))
    assert os.listdir(tmp_path) == []


def test_zip_members_are_aligned():
    mx.savez("a.npz", a=mx.zeros(3), longer_name=mx.zeros((2, 2)))
    content = pathlib.Path("a.npz").read_bytes()
    with zipfile.ZipFile("a.npz") as archive:
        assert archive.testzip() is None
        for member in archive.infolist():
            assert content.index(b"\x93NUMPY", member.header_offset) % 64 == 0
