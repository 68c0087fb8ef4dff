"""Files written byte by byte."""

import json
import struct
from pathlib import Path

import pytest


@pytest.fixture
def write_safetensors():
    """Writes ``s.safetensors`` from a header, as it stands if it is bytes, and data."""

    def write(header, data=b"", *, padding=0, length=None):
        text = header if isinstance(header, bytes) else json.dumps(header).encode() + b" " * padding
        stated = len(text) if length is None else length
        Path("s.safetensors").write_bytes(struct.pack("<Q", stated) + text + data)

    return write
