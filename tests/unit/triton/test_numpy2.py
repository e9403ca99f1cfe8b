"""Arrays of NumPy 2 in a stub whose pybind11 was built for NumPy 1."""

import ctypes
import gc
import importlib

import numpy as np
import pytest

from tritonocr_backend.triton import numpy2

pytestmark = pytest.mark.skipif(not numpy2.IS_NUMPY_2, reason="NumPy 1 needs no repair")

C_CONTIGUOUS_FLAGS = 0


@pytest.fixture(scope="module")
def table() -> "ctypes.Array[ctypes.c_void_p]":
    """Return the table that an old pybind11 finds."""
    numpy2.repair()
    capsule = importlib.import_module("numpy.core.multiarray")._ARRAY_API
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return (ctypes.c_void_p * 283).from_address(pointer(capsule, None))


def _taken(reference: int) -> object:
    """Return the object and release the reference that the function returned."""
    value = ctypes.cast(reference, ctypes.py_object).value
    ctypes.pythonapi.Py_DecRef(ctypes.py_object(value))
    return value


def _item_size_at_numpy1s_place(array: np.ndarray) -> int:
    return ctypes.c_int.from_address(id(array.dtype) + 32).value


def _new_array(table, content: np.ndarray, strides: tuple[int, ...]) -> np.ndarray:
    function = numpy2._NewFromDescr(table[94])
    sizes = ctypes.c_ssize_t * content.ndim
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(content.dtype))  # the function steals a reference
    return _taken(
        function(
            id(np.ndarray),
            id(content.dtype),
            content.ndim,
            sizes(*content.shape),
            sizes(*strides),
            content.ctypes.data,
            C_CONTIGUOUS_FLAGS,
            None,
        )
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (np.arange(24, dtype=np.uint8).reshape(2, 3, 4), "pixels"),
        (np.linspace(0, 1, 6, dtype=np.float32), "one dimension, several bytes per item"),
        (np.array([True, False]), "flags"),
        (np.empty((0, 4), np.int32), "no boxes at all"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_input_array_with_strides_of_zero_gets_its_own_elements(table, content, reason) -> None:
    array = _new_array(table, content, (0,) * content.ndim)
    assert np.array_equal(array, content), reason


def test_strides_that_are_right_are_kept(table) -> None:
    content = np.arange(6, dtype=np.int32).reshape(2, 3)
    assert np.array_equal(_new_array(table, content, content.strides), content)


@pytest.mark.parametrize("content", [b"\x04\x00\x00\x00text", b"x", b""], ids=["string", "byte", "nothing"])
def test_serialized_strings_have_one_byte_per_item_at_numpy1s_place(table, content: bytes) -> None:
    function = numpy2._FromAny(table[69])
    array = _taken(function(id(content), None, 0, 0, 0, None))
    assert isinstance(array, np.ndarray)
    assert array.size * _item_size_at_numpy1s_place(array) == len(content)
    assert ctypes.string_at(array.ctypes.data, len(content)) == content


def test_many_serialized_strings_leave_no_references_behind(table) -> None:
    function = numpy2._FromAny(table[69])
    content = bytes(1000)
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(1000):
        _taken(function(id(content), None, 0, 0, 0, None))
    gc.collect()
    assert len(gc.get_objects()) - before < 50


@pytest.mark.parametrize(
    "array",
    [np.arange(6, dtype=np.float32).reshape(2, 3), np.array(5, np.int64), np.frombuffer(b"abc", np.uint8),
     np.array([True, False]), np.empty((0, 4, 2), np.int32)],
    ids=["matrix", "scalar", "read-only", "flags", "no boxes"],
)  # fmt: skip
def test_output_arrays_arrive_unchanged(array: np.ndarray) -> None:
    sent = numpy2.to_tensor("x", array).as_numpy()
    assert sent.dtype == array.dtype
    assert np.array_equal(sent, array)


def test_other_values_are_converted_as_numpy_does(table) -> None:
    function = numpy2._FromAny(table[69])
    value = [[1, 2], [3, 4]]
    array = _taken(function(id(value), None, 0, 0, 0, None))
    assert np.array_equal(array, np.array(value))
