"""Files that lie: each is refused by an exception that names the file and the rule."""

import copy
import random
import struct
import zipfile
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _in_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def entry(shape=(2,), dtype="U8", offsets=(0, 2)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"a": entry(offsets=(0, 4))}, "tensor 'a': data_offsets .0, 4. do not hold 2 bytes"),
        ({"a": entry((20,), offsets=(0, 20))}, "the data of 20 bytes does not fit the 6"),
        ({"a": entry(offsets=(7, 9))}, "the data of 9 bytes does not fit the 6"),
        ({"a": entry(offsets=(2, 0))}, "do not hold 2 bytes"),
        ({"a": entry((-2,))}, "are no lengths"),
        ({"a": entry((2.0,))}, "are no lengths"),
        ({"a": entry((True, 2))}, "are no lengths"),
        ({"a": entry(offsets=(0, 2, 3))}, "are no lengths"),
        ({"a": entry((2**62,), offsets=(0, 2**62))}, "does not fit"),
        ({"a": entry((2**62, 4), offsets=(0, 2**64))}, "are no lengths"),
        ({"a": entry((0, 2**70), offsets=(0, 0))}, "are no lengths"),
        ({"a": entry((1,) * 65, offsets=(0, 1))}, "are no lengths"),
        ({"a": entry(dtype="F8_E5M2")}, "dtype 'F8_E5M2' is not supported"),
        ({"a": entry(dtype=3)}, "dtype 3 is not supported"),
        ({"a": {"dtype": "U8", "shape": [2]}}, "it has not dtype, shape and data_offsets"),
        ({"a": [1, 2]}, "it has not dtype, shape and data_offsets"),
        ({"__metadata__": {"a": 1}}, "__metadata__ is no dict of texts"),
        ({"__metadata__": [1]}, "__metadata__ is no dict of texts"),
        (b"[]", "the safetensors header is no dict"),
        (b"{", "the safetensors header is no JSON"),
        (b'{"a": 1, "a": 1}', "a name appears twice"),
        (b"[" * 100000, "the safetensors header is no JSON"),
        (b"\xff\xfe{}", "the safetensors header is no JSON"),
        (b'{"a":' + b"9" * 5000 + b"}", "s.safetensors"),
    ],
)
def test_safetensors(write_safetensors, header, message):
    write_safetensors(header, bytes(6))
    with pytest.raises(RuntimeError, match=message) as raised:
        mx.load("s.safetensors")
    assert "s.safetensors" in str(raised.value)


def test_safetensors_too_short(write_safetensors):
    Path("s.safetensors").write_bytes(b"\1\2\3")
    with pytest.raises(RuntimeError, match="length of the safetensors header of 8 bytes does not"):
        mx.load("s.safetensors")
    write_safetensors({}, length=100)
    with pytest.raises(
        RuntimeError, match="the safetensors header of 100 bytes does not fit the 2"
    ):
        mx.load("s.safetensors")
    write_safetensors({}, length=2**63)
    with pytest.raises(RuntimeError, match=f"a safetensors header of {2**63} bytes is none"):
        mx.load("s.safetensors")
    Path("s.safetensors").write_bytes(b"")
    with pytest.raises(RuntimeError, match="does not fit the 0 that are left"):
        mx.load("s.safetensors")


def npy(text, data=b"", version=1, magic=b"\x93NUMPY"):
    text = text.encode()
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    Path("a.npy").write_bytes(magic + bytes((version, 0)) + length + text + data)


def header(descr="'<f4'", order="False", shape="(2,)"):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        (header(shape="(3,)"), RuntimeError, r"data of shape \(3,\) of 12 bytes .* fit the 8"),
        (header(shape="(4611686018427387904, 4)"), RuntimeError, "does not fit the 8"),
        (header(shape="(99999999999999999999, 0)"), RuntimeError, "is no shape"),
        (header(shape="(0, 9999999999999999999)"), RuntimeError, "is no shape"),
        (header(shape="(-1,)"), RuntimeError, "no header"),
        (header(shape="(1, , 2 2)"), RuntimeError, "is no shape"),
        (header(shape=str((1,) * 65)), RuntimeError, "is no shape"),
        (header(shape="True"), RuntimeError, "no header of a plain array"),
        (header(order="()"), RuntimeError, "no header of a plain array"),
        (header(descr="False"), RuntimeError, "no header of a plain array"),
        (header(descr="'|O'"), ValueError, "elements of type '|O' have no dtype"),
        (header(descr="'<U3'"), ValueError, "have no dtype"),
        (header(descr="''"), ValueError, "have no dtype"),
        (header(descr="'<c16'"), ValueError, "have no dtype"),
        (header(descr="[('a', '<f4')]"), RuntimeError, "no header"),
        ("{'descr': '<f4', 'shape': (2,), }", RuntimeError, "no header"),
        (header()[:-1] + "'x': 1}", RuntimeError, "no header"),
        ("__import__('os').system('true')", RuntimeError, "no header"),
        ("(" * 60000, RuntimeError, "no header"),
        ("", RuntimeError, "no header"),
    ],
)
def test_npy(text, kind, message):
    npy(text, bytes(8))
    with pytest.raises(kind, match=message) as raised:
        mx.load("a.npy")
    assert "a.npy" in str(raised.value)


def test_npy_headers_of_many_blanks():
    blanks = " " * 400_000
    field = "'descr': '<i4',"
    for text in ("{" + blanks + "}", "{" + field + blanks + field + blanks + "x}"):
        npy(text, version=2)
        with pytest.raises(RuntimeError, match="is no header of descr, fortran_order and shape"):
            mx.load("a.npy")


def test_npy_start():
    for content, message in [
        (b"", "npy magic of 8 bytes does not fit the 0"),
        (b"\x93NUMPX\1\0aaaa", "does not begin like an npy file"),
        (b"\x93NUMPY\4\0aaaa", "version 4 of npy is none of"),
        (b"\x93NUMPY\1\0a", "length of the npy header of 2 bytes does not fit the 1"),
        (b"\x93NUMPY\2\0\xff\xff\xff\xff", "npy header of 4294967295 bytes does not fit the 0"),
    ]:
        Path("a.npy").write_bytes(content)
        with pytest.raises(RuntimeError, match=message):
            mx.load("a.npy")
        with open("a.npy", "rb") as file, pytest.raises(RuntimeError, match=message):
            mx.load(file)


def test_npz_members():
    with zipfile.ZipFile("a.npz", "w") as archive:
        archive.writestr("notes.txt", "hello")
    with pytest.raises(RuntimeError, match=r"a.npz: the member 'notes.txt' is no npy file"):
        mx.load("a.npz")
    Path("a.npz").write_bytes(b"no zip")
    with pytest.raises(RuntimeError, match=r"a.npz: the archive cannot be read"):
        mx.load("a.npz")
    mx.savez_compressed("a.npz", a=mx.zeros(10000))
    content = bytearray(Path("a.npz").read_bytes())
    content[60:80] = bytes(20)
    Path("a.npz").write_bytes(content)
    with pytest.raises(RuntimeError, match=r"a.npz: the archive cannot be read"):
        mx.load("a.npz")


def test_encrypted_members():
    mx.savez("a.npz", a=mx.zeros(10))
    content = Path("a.npz").read_bytes()
    # The flag stands in the local header and in the directory.
    at = content.index(b"PK\1\2") + 8
    Path("a.npz").write_bytes(content[:6] + b"\1" + content[7:at] + b"\1" + content[at + 1 :])
    with pytest.raises(RuntimeError, match=r"a.npz, member 'a.npy': it is encrypted"):
        mx.load("a.npz")


def test_a_small_member_of_great_claims_takes_no_memory():
    # A header that claims 4 TB, compressed; and zeros that nobody asked for behind the array.
    text = header(descr="'|u1'", shape=f"({2**42},)").encode()
    start = b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text
    with zipfile.ZipFile("a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", start + bytes(1 << 20))
    with pytest.raises(RuntimeError, match="fit the 1048576 that are left"):
        mx.load("a.npz")


@pytest.mark.parametrize("save", [mx.savez, mx.savez_compressed])
def test_two_members_at_one_place(save):
    save("a.npz", a=mx.arange(4))
    with zipfile.ZipFile("a.npz", "a") as archive:
        twin = copy.copy(archive.filelist[0])
        twin.filename = twin.orig_filename = "b.npy"
        archive.filelist.append(twin)
        archive._didModify = True
    with pytest.raises(RuntimeError, match=r"a\.npz.*one place to two members"):
        mx.load("a.npz")


@pytest.mark.parametrize("kind", ["npy", "npz", "compressed", "safetensors"])
def test_changed_bytes_never_crash(kind):
    a = {"weight": mx.arange(12.0).reshape(3, 4), "bias": mx.array([1, 2], mx.int16)}
    name = "f.npz" if kind == "compressed" else f"f.{kind}"
    if kind == "npy":
        mx.save(name, a["weight"])
    elif kind == "npz":
        mx.savez(name, **a)
    elif kind == "compressed":
        mx.savez_compressed(name, **a)
    else:
        mx.save_safetensors(name, a, {"k": "v"})
    good = Path(name).read_bytes()
    draw = random.Random(0)
    for _ in range(1500):
        content = bytearray(good)
        for _ in range(draw.randint(1, 4)):
            match draw.randrange(4):
                case 0:
                    content[draw.randrange(len(content))] = draw.choice((0, 255, 32, 49, 128))
                case 1:
                    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
                case 2:
                    del content[draw.randrange(len(content)) :]
                    content += b" "
                case _:
                    at = draw.randrange(len(content))
                    content[at:at] = content[at : at + draw.randrange(9)]
        Path(name).write_bytes(content)
        try:
            loaded = mx.load(name)
            for value in loaded.values() if isinstance(loaded, dict) else [loaded]:
                mx.eval(value + value)
        except (RuntimeError, ValueError) as error:
            assert name in str(error), error  # noqa: PT017 - whether it raises is chance


def test_numpy_agrees_about_what_is_a_header():
    for shape in [(), (1,), (2, 3), (0,), (10**6, 0)]:
        for order in "CF":
            np.save("a.npy", np.zeros(shape, order=order))
            assert mx.load("a.npy").shape == shape
