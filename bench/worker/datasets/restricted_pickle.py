"""An unpickler that knows only what the CIFAR-10 files hold: plain values, and numpy arrays of unsigned bytes.

The three names of numpy that these pickles use stand for small classes of ours, which keep the raw bytes; not even
numpy's own unpickling runs. Every other name is refused. The checksum is still compared before.
"""

import io
import math
import pickle  # the restricted use of it is what this module is for
import pickletools
from typing import Any

import numpy as np

from bench.errors import DataError

PROTOCOL = 2
MEMO = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
REJECTED = "found a pickle that asks for {}; needs plain values and arrays of uint8 only"


class _Dtype:
    """Stands for numpy.dtype."""

    def __init__(self, name: object = None, *_: object) -> None:
        self.name = name

    def __setstate__(self, state: object) -> None:
        """Byte order and the like: one byte has none."""


class _Array:
    """Stands for numpy.ndarray, as the pickle builds it: state = (version, shape, dtype, Fortran order, bytes)."""

    state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


KNOWN: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): lambda *_: _Array(),
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in KNOWN:
            raise pickle.UnpicklingError(f"{module}.{name}")
        return KNOWN[module, name]


def loads(content: bytes, *, label: str) -> object:
    """What the pickle holds, its texts as bytes (it was written by Python 2); arrays in a dict as numpy arrays.

    Raises DataError where it asks for anything but plain values and arrays of uint8, or is damaged.
    """
    try:
        _refuse_greedy(content)
        found = _Unpickler(io.BytesIO(content), encoding="bytes").load()
    except pickle.UnpicklingError as error:
        raise DataError(f"{label}: {REJECTED.format(error)}") from error
    except Exception as error:  # a damaged pickle raises anything: IndexError, KeyError, TypeError, ...
        raise DataError(f"{label}: found a damaged pickle ({type(error).__name__}); needs a whole one") from error
    if not isinstance(found, dict):
        return found
    return {key: _array(value, label=label) if isinstance(value, _Array) else value for key, value in found.items()}


def _refuse_greedy(content: bytes) -> None:
    """Read the opcodes without running them: raises where one asks for more memory than the file justifies.

    An index of 2^27 into the memo takes 2 GiB from ten bytes, and a bytearray is made before its bytes are read. The
    files of 2009 know protocol 2, which has no bytearray, and number the memo as they go. ValueError: cut or damaged.
    """
    for seen, (opcode, argument, _) in enumerate(pickletools.genops(content), 1):
        if opcode.proto > PROTOCOL:
            raise pickle.UnpicklingError(f"{opcode.name}, of protocol {opcode.proto}")
        if opcode.name in MEMO and int(str(argument)) > seen:
            raise pickle.UnpicklingError(f"a memo of {argument} entries")


def _array(value: _Array, *, label: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    match value.state:
        case (1, tuple() as shape, _Dtype(name=b"u1" | "u1"), False | 0, bytes() as raw) if all(
            type(length) is int and length >= 0 for length in shape
        ) and math.prod(shape) == len(raw):
            return np.frombuffer(raw, dtype=np.uint8).reshape(shape)
    raise DataError(f"{label}: {REJECTED.format('an array of another kind')}")
