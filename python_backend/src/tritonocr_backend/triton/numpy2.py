"""Let a stub that was built for NumPy 1 exchange arrays with NumPy 2.

The stub of tritonserver 2.51 contains a pybind11 older than 2.12. Such a pybind11 reads the item size of a
dtype at its place in the struct of NumPy 1, where NumPy 2 keeps the flags. These are 0 for numbers and
bytes. Three things fail:

- Input arrays: pybind11 computes strides of 0, so every element equals the first one.
- Output arrays of numbers: pybind11 takes them for empty. `to_tensor` sends them through DLPack, which uses
  no struct of NumPy.
- Output arrays of strings: Triton serializes them into one `bytes` object, which pybind11 takes for empty.

pybind11 takes NumPy's functions from the table in `numpy.core.multiarray._ARRAY_API`. `repair` puts a copy of
the table there with two functions that make up for the first and the third fault. Newer versions of pybind11
use another table and are not affected.
"""

from __future__ import annotations

import ctypes
import importlib
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

IS_NUMPY_2 = np.lib.NumpyVersion(np.__version__) >= "2.0.0"

_TABLE_LENGTH = 283
"""pybind11 uses entries up to 282 (PyArray_SetBaseObject); the tables of NumPy 1 and 2 are longer."""
_FROM_ANY, _NEW_FROM_DESCR = 69, 94
"""Entries of PyArray_FromAny and PyArray_NewFromDescr, the same in NumPy 1 and 2."""
_FLAGS_OFFSET = 32
"""Bytes from the start of NumPy 2's PyArray_Descr to its flags; in NumPy 1 the item size was there."""
_USED_CAPSULE = ctypes.c_char_p(b"used_dltensor")

_Pointer = ctypes.c_void_p
_SizePointer = ctypes.POINTER(ctypes.c_ssize_t)
# result; op, newtype, min_depth, max_depth, requirements, context
_FromAny = ctypes.PYFUNCTYPE(_Pointer, _Pointer, _Pointer, ctypes.c_int, ctypes.c_int, ctypes.c_int, _Pointer)
# result; subtype, descr, nd, dims, strides, data, flags, obj
_NewFromDescr = ctypes.PYFUNCTYPE(
    _Pointer, _Pointer, _Pointer, ctypes.c_int, _SizePointer, _SizePointer, _Pointer, ctypes.c_int, _Pointer
)
_kept: list[Any] = []
"""The table and its functions, which must live as long as the process."""


def repair() -> None:
    """Repair the arrays that an old pybind11 makes.

    Call this before the first tensor arrives, because pybind11 reads the table only once.
    """
    if _kept:
        return
    table = _copy_of_table()
    functions = {
        _FROM_ANY: _FromAny(_from_any(_FromAny(table[_FROM_ANY]))),
        _NEW_FROM_DESCR: _NewFromDescr(_new_from_descr(_NewFromDescr(table[_NEW_FROM_DESCR]))),
    }
    for entry, function in functions.items():
        table[entry] = ctypes.cast(function, _Pointer).value
    _kept.extend([table, functions])
    new_capsule = ctypes.pythonapi.PyCapsule_New
    new_capsule.restype, new_capsule.argtypes = ctypes.py_object, [_Pointer] * 3
    module = importlib.import_module("numpy.core.multiarray")
    vars(module)["_ARRAY_API"] = new_capsule(ctypes.addressof(table), None, None)


def _copy_of_table() -> Any:
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = _Pointer, [ctypes.py_object, ctypes.c_char_p]
    capsule = importlib.import_module("numpy._core.multiarray")._ARRAY_API
    table = (_Pointer * _TABLE_LENGTH)()
    ctypes.memmove(table, pointer(capsule, None), ctypes.sizeof(table))
    return table


def _new_from_descr(original: Any) -> Any:
    def function(
        subtype: Any, descr: Any, rank: int, dims: Any, strides: Any, data: Any, flags: int, owner: Any
    ) -> Any:
        if strides and not any(strides[:rank]):
            strides = None  # NumPy computes the strides of an array in C order
        return original(subtype, descr, rank, dims, strides, data, flags, owner)

    return function


def _from_any(original: Any) -> Any:
    def function(value: Any, *arguments: Any) -> Any:
        content = ctypes.cast(value, ctypes.py_object).value
        if type(content) is not bytes:
            return original(value, *arguments)
        array = ctypes.py_object(_array_of_bytes(content))
        ctypes.pythonapi.Py_IncRef(array)  # the caller owns this reference
        return _Pointer.from_buffer(array).value

    return function


def _array_of_bytes(content: bytes) -> NDArray[np.void]:
    """Return the content as an array in which an old pybind11 reads an item size of one byte.

    The flag with the value 1 means that items hold references. NumPy only looks at it when it frees or copies
    data of its own, and this array is a view.
    """
    dtype = np.dtype("V1")  # a new object for every call
    array = np.frombuffer(content or b"\0", dtype)[: len(content)]
    ctypes.c_uint32.from_address(id(dtype) + _FLAGS_OFFSET).value = 1
    return array


def to_tensor(name: str, array: NDArray[Any]) -> pb_utils.Tensor:
    """Return a numeric array as a Triton tensor.

    Args:
        name: name of the tensor.
        array: any shape and numeric dtype, C-contiguous.
    """
    if array.size == 0:
        return pb_utils.Tensor(name, array)  # Triton takes no empty array through DLPack
    if not array.flags.writeable:
        array = array.copy()  # DLPack exports no read-only arrays
    capsule = array.__dlpack__()
    tensor = pb_utils.Tensor.from_dlpack(name, capsule)
    # Triton renames a used capsule to "used_dlpack", which NumPy rejects when it frees the capsule.
    ctypes.pythonapi.PyCapsule_SetName(ctypes.py_object(capsule), _USED_CAPSULE)
    return tensor
