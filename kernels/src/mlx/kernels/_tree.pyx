# cython: language_level=3
# distutils: language = c++
"""Trees: nested dicts, lists, tuples, named tuples, None and registered containers; and their keys.

A dict keeps the order of its keys; a subclass of dict, list or tuple that is not registered and no
named tuple comes back as a plain one. Everything else is a leaf.
"""

cimport cython
from cpython.dict cimport PyDict_Check, PyDict_Next, PyDict_Size
from cpython.complex cimport PyComplex_CheckExact, PyComplex_ImagAsDouble, PyComplex_RealAsDouble
from cpython.float cimport PyFloat_CheckExact
from cpython.list cimport PyList_Check
from cpython.long cimport PyLong_CheckExact
from cpython.object cimport Py_EQ, Py_NE, PyObject
from cpython.tuple cimport PyTuple_Check, PyTuple_GET_SIZE
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

from functools import partial

from mlx.kernels._array cimport array
from mlx.kernels.library cimport *

cdef extern from "Python.h":
    void leave_recursion "Py_LeaveRecursiveCall"()

cdef extern from *:
    """
    // Py_EnterRecursiveCall fails with 1 or with -1, as the version of Python has it.
    static inline int mlxk_enter_recursion(const char* where) {
      return Py_EnterRecursiveCall(where) ? -1 : 0;
    }
    static inline PyObject* mlxk_type_of(PyObject* object) {
      return reinterpret_cast<PyObject*>(Py_TYPE(object));
    }
    static inline uint32_t mlxk_trace_of(const mlxk::Edge& edge) { return edge.node()->trace; }
    """
    int enter_recursion "mlxk_enter_recursion"(const char*) except -1
    PyObject* type_of "mlxk_type_of"(PyObject*)
    uint32_t mlxk_trace_of(const Edge&)

cdef extern from "words.h" namespace "mlxk::face":
    cdef cppclass KeyWords:
        void push_back(uint64_t)
        cbool operator==(const KeyWords&)
        uint64_t hash()


# type -> (flatten, unflatten)
cdef dict containers = {}


def register_container(type kind not None, flatten, unflatten):
    """Makes a type a container of trees.

    Args:
        kind: The type; its subclasses are not included.
        flatten: From an instance to ``(children, data)``: a sequence, and what else describes it, hashable.
        unflatten: From ``(data, children)`` to an instance.

    Raises:
        ValueError: The type is a container already.
    """
    if kind in containers or kind in (dict, list, tuple, type(None)):
        raise ValueError(f"[register_container] {kind.__name__} is a container already.")
    if not callable(flatten) or not callable(unflatten):
        raise TypeError("[register_container] flatten and unflatten are functions.")
    containers[kind] = (flatten, unflatten)


def open_container(tree):
    """What a registered container holds, and how to make another like it.

    Args:
        tree: Anything.

    Returns:
        ``(children, rebuild)``: a list, and a function from other children to an instance; None
        where the type is not registered.
    """
    registered = containers.get(type(tree)) if containers else None
    if registered is None:
        return None
    children, data = registered[0](tree)
    return list(children), partial(registered[1], data)


# Such a type is never registered.
cdef inline bint is_builtin(object kind):
    return kind is dict or kind is list or kind is tuple


cdef object leaf_mark = Ellipsis  # what copies and pickles as itself


@cython.final
cdef class TreeDef:
    """The structure of a tree without its leaves: hashable, comparable, and able to rebuild."""

    # The tree in preorder, flat, for one allocation whatever its depth: leaf_mark or None for what is
    # one; else the type, the number of children, if it is no dict, list or tuple what a registered
    # container's flatten gave besides them, and the children, each after its key in a dict.
    cdef readonly tuple spec
    cdef readonly Py_ssize_t leaf_count

    def __hash__(self):
        return hash(self.spec)

    def __richcmp__(left, right, int comparison):
        if not isinstance(right, TreeDef):
            return NotImplemented
        cdef bint same = (<TreeDef>left).spec == (<TreeDef>right).spec
        if comparison == Py_EQ:
            return same
        if comparison == Py_NE:
            return not same
        return NotImplemented

    def __repr__(self):
        return f"TreeDef({describe(iter(self.spec))})"


cdef str describe(object spec):
    kind = next(spec)
    if kind is leaf_mark:
        return "*"
    if kind is None:
        return "None"
    cdef Py_ssize_t count = next(spec)
    if kind is dict:
        return "{" + ", ".join([f"{next(spec)!r}: {describe(spec)}" for _ in range(count)]) + "}"
    if kind is not list and kind is not tuple:
        next(spec)
    parts = ", ".join([describe(spec) for _ in range(count)])
    if kind is list:
        return f"[{parts}]"
    if kind is tuple:
        return f"({parts},)" if count == 1 else f"({parts})"
    return f"{kind.__name__}({parts})"


cdef int flatten_dict(dict tree, HeldObjects* leaves, HeldObjects* spec) except -1:
    cdef Py_ssize_t count = PyDict_Size(tree)
    cdef Py_ssize_t i = 0
    cdef Py_ssize_t position = 0
    cdef PyObject* name
    cdef PyObject* child
    spec.push_back(<PyObject*>dict)
    cdef object number = count
    spec.push_back(<PyObject*>number)
    while PyDict_Next(tree, &position, &name, &child):
        if i == count:
            raise RuntimeError("[tree_flatten] a dict changed while it was flattened.")
        i += 1
        spec.push_back(name)
        if type_of(child) == <PyObject*>array:  # nearly always: nothing can change the dict
            leaves.push_back(child)
            spec.push_back(<PyObject*>leaf_mark)
            continue
        held = <object>child
        flatten_into(held, leaves, spec)
    if i != count:
        raise RuntimeError("[tree_flatten] a dict changed while it was flattened.")
    return 0


cdef int flatten_sequence(object tree, HeldObjects* leaves, HeldObjects* spec) except -1:
    cdef Py_ssize_t i
    for i in range(len(tree)):
        # A list may shrink meanwhile: this raises IndexError then.
        child = (<list>tree)[i] if PyList_Check(tree) else (<tuple>tree)[i]
        flatten_into(child, leaves, spec)
    return 0


cdef int flatten_into(object tree, HeldObjects* leaves, HeldObjects* spec) except -1:
    cdef object number
    if isinstance(tree, array):
        leaves.push_back(<PyObject*>tree)
        spec.push_back(<PyObject*>leaf_mark)
        return 0
    if tree is None:
        spec.push_back(<PyObject*>None)
        return 0
    registered = None if is_builtin(type(tree)) else containers.get(type(tree))
    if registered is None and not (PyDict_Check(tree) or PyList_Check(tree) or PyTuple_Check(tree)):
        leaves.push_back(<PyObject*>tree)
        spec.push_back(<PyObject*>leaf_mark)
        return 0
    enter_recursion(b" while a tree was flattened")
    try:
        if registered is not None:
            children, data = registered[0](tree)
            children = tuple(children)
            kind = type(tree)
            number = len(children)
            spec.push_back(<PyObject*>kind)
            spec.push_back(<PyObject*>number)
            spec.push_back(<PyObject*>data)
            flatten_sequence(children, leaves, spec)
        elif PyDict_Check(tree):
            flatten_dict(<dict>tree, leaves, spec)
        else:
            kind = list if PyList_Check(tree) else type(tree)
            named = kind is not list and kind is not tuple and hasattr(kind, "_fields")
            if not named and kind is not list:
                kind = tuple
            spec.push_back(<PyObject*>kind)
            number = len(tree)
            spec.push_back(<PyObject*>number)
            if named:
                spec.push_back(<PyObject*>None)
            flatten_sequence(tree, leaves, spec)
    finally:
        leave_recursion()
    return 0


def tree_flatten(tree):
    """The leaves of a tree, in order, and its structure.

    Args:
        tree: Any tree.

    Returns:
        ``(leaves, treedef)``; ``tree_unflatten(treedef, leaves)`` is the tree again.
    """
    cdef HeldObjects leaves
    cdef HeldObjects spec
    cdef TreeDef treedef = TreeDef.__new__(TreeDef)
    flatten_into(tree, &leaves, &spec)
    treedef.spec = spec.to_tuple()
    treedef.leaf_count = leaves.size()
    return leaves.to_list(), treedef


def tree_leaves(tree):
    """The leaves of a tree, in order."""
    cdef HeldObjects leaves
    cdef HeldObjects spec
    flatten_into(tree, &leaves, &spec)
    return leaves.to_list()


cdef object build(tuple spec, Py_ssize_t* at, list leaves, Py_ssize_t* used):
    cdef Py_ssize_t count
    cdef Py_ssize_t i
    kind = spec[at[0]]
    at[0] += 1
    if kind is leaf_mark:
        used[0] += 1
        return leaves[used[0] - 1]
    if kind is None:
        return None
    count = spec[at[0]]
    at[0] += 1
    if kind is dict:
        made = {}
        for i in range(count):
            name = spec[at[0]]
            at[0] += 1
            made[name] = build(spec, at, leaves, used)
        return made
    if kind is not list and kind is not tuple:
        data = spec[at[0]]
        at[0] += 1
    cdef list parts = [build(spec, at, leaves, used) for i in range(count)]
    if kind is list:
        return parts
    if kind is tuple:
        return tuple(parts)
    registered = containers.get(kind)
    return registered[1](data, parts) if registered is not None else kind(*parts)


def tree_unflatten(TreeDef treedef not None, leaves):
    """The tree of a structure and its leaves.

    Args:
        treedef: What ``tree_flatten`` returned.
        leaves: As many leaves as it has places.

    Raises:
        ValueError: There are more or fewer leaves than places.
    """
    cdef Py_ssize_t at = 0
    cdef Py_ssize_t used = 0
    leaves = list(leaves)
    if len(leaves) != treedef.leaf_count:
        raise ValueError(
            f"[tree_unflatten] {len(leaves)} leaves do not fill {treedef.leaf_count} places."
        )
    return build(treedef.spec, &at, leaves, &used)


# ---- keys of compiled functions ----------------------------------------------------------------

cdef enum:
    word_none, word_array, word_dict, word_list, word_tuple, word_object, word_int, word_float
    word_complex, word_true, word_false


@cython.final
@cython.freelist(64)
cdef class TreeKey:
    """What a compiled function was called with, but for the values of its arrays.

    Structure, shapes and dtypes of the arrays, and every other leaf by type and value (floats and
    complex numbers by their bits). Equal keys may share a program.
    """

    cdef KeyWords words
    cdef list objects  # types and names, and leaves that are no numbers; None where there are none
    cdef Py_hash_t hashed

    def __hash__(self):
        return self.hashed

    def __richcmp__(left, right, int comparison):
        cdef TreeKey a
        cdef TreeKey b
        cdef bint same
        if not isinstance(right, TreeKey) or (comparison != Py_EQ and comparison != Py_NE):
            return NotImplemented
        a = left
        b = right
        same = (
            a.words == b.words and a.objects == b.objects
        )
        return same if comparison == Py_EQ else not same


cdef inline int add_object(TreeKey key, object value) except -1:
    if key.objects is None:
        key.objects = []
    key.objects.append(value)
    return 0


cdef int key_into(
    object tree, TreeKey key, HeldObjects* arrays, bint shapeless, uint32_t* trace
) except -1:
    cdef const Dims* shape
    cdef double real
    cdef uint64_t bits
    cdef int64_t number
    cdef size_t i
    cdef Py_ssize_t position
    if isinstance(tree, array):
        arrays.push_back(<PyObject*>tree)
        shape = &(<array>tree).edge.shape()
        trace[0] |= mlxk_trace_of((<array>tree).edge)
        key.words.push_back(
            word_array | <uint64_t>(<int>(<array>tree).edge.dtype()) << 8 | <uint64_t>shape.size() << 16
        )
        if not shapeless:
            for i in range(shape.size()):
                key.words.push_back(<uint64_t>shape[0][i])
        return 0
    if tree is None:
        key.words.push_back(word_none)
        return 0
    if PyFloat_CheckExact(tree):
        real = tree
        memcpy(&bits, &real, 8)
        key.words.push_back(word_float)
        key.words.push_back(bits)
        return 0
    if PyComplex_CheckExact(tree):
        key.words.push_back(word_complex)
        real = PyComplex_RealAsDouble(tree)
        memcpy(&bits, &real, 8)
        key.words.push_back(bits)
        real = PyComplex_ImagAsDouble(tree)
        memcpy(&bits, &real, 8)
        key.words.push_back(bits)
        return 0
    if tree is True or tree is False:
        key.words.push_back(word_true if tree else word_false)
        return 0
    if PyLong_CheckExact(tree) and -(1 << 62) < tree < 1 << 62:
        number = tree
        key.words.push_back(word_int)
        key.words.push_back(<uint64_t>number)
        return 0
    registered = None if is_builtin(type(tree)) else containers.get(type(tree))
    if registered is None and not (PyDict_Check(tree) or PyList_Check(tree) or PyTuple_Check(tree)):
        hash(tree)  # raises its own TypeError
        key.words.push_back(word_object)
        add_object(key, type(tree))
        add_object(key, tree)
        return 0
    enter_recursion(b" while a tree was flattened")
    try:
        if registered is not None:
            children, data = registered[0](tree)
            children = list(children)
            key.words.push_back(word_object | <uint64_t>(<Py_ssize_t>len(children)) << 8)
            add_object(key, type(tree))
            add_object(key, data)
            for child in children:
                key_into(child, key, arrays, shapeless, trace)
        elif PyDict_Check(tree):
            key.words.push_back(word_dict | <uint64_t>(<Py_ssize_t>len(tree)) << 8)
            if tree:  # else as with most keyword arguments: none
                for name, child in (<dict>tree).items():
                    add_object(key, name)
                    key_into(child, key, arrays, shapeless, trace)
        elif PyList_Check(tree):
            key.words.push_back(word_list | <uint64_t>(<Py_ssize_t>len(tree)) << 8)
            position = 0
            while position < len(<list>tree):
                key_into((<list>tree)[position], key, arrays, shapeless, trace)
                position += 1
        else:
            key.words.push_back(word_tuple | <uint64_t>(<Py_ssize_t>len(tree)) << 8)
            kind = type(tree)
            if kind is not tuple:
                add_object(key, kind)
            for child in <tuple>tree:
                key_into(child, key, arrays, shapeless, trace)
    finally:
        leave_recursion()
    return 0


cdef extern from "mlxk/runtime.h" namespace "mlxk":
    enum class DeviceKind "mlxk::DeviceKind"(uint8_t):
        pass
    StreamId c_default_stream "mlxk::default_stream"(DeviceKind) except +raise_python
    DeviceKind c_default_device "mlxk::default_device"()


cdef TreeKey begun_key():
    cdef TreeKey key = TreeKey.__new__(TreeKey)
    key.words.push_back(c_default_stream(c_default_device()))
    return key


cdef int finish_key(TreeKey key, uint32_t trace, bint* is_traced) except -1:
    key.hashed = <Py_hash_t>key.words.hash()
    if key.objects is not None:
        key.hashed ^= hash(tuple(key.objects))
    if key.hashed == -1:
        key.hashed = -2
    is_traced[0] = trace != 0 and live_trace(trace) != 0
    return 0


cdef object key_of_call(
    PyObject* const* arguments, Py_ssize_t given, PyObject* names, object state,
    HeldObjects* arrays, bint* is_traced,
):
    """The key of ``(args, kwargs, state)``, from the arguments of a vector call."""
    cdef TreeKey key = begun_key()
    cdef uint32_t trace = 0
    cdef Py_ssize_t named = 0 if names == NULL else PyTuple_GET_SIZE(<object>names)
    cdef Py_ssize_t i
    key.words.push_back(word_tuple | <uint64_t>3 << 8)
    key.words.push_back(word_tuple | <uint64_t>given << 8)
    for i in range(given):
        key_into(<object>arguments[i], key, arrays, False, &trace)
    key.words.push_back(word_dict | <uint64_t>named << 8)
    for i in range(named):
        add_object(key, (<tuple>names)[i])
        key_into(<object>arguments[given + i], key, arrays, False, &trace)
    key_into(state, key, arrays, False, &trace)
    finish_key(key, trace, is_traced)
    return key


def flatten_key(tree, bint shapeless=False):
    """The arrays of a tree and the key under which a program for it is kept.

    Args:
        tree: The arguments, and whatever else the program depends on.
        shapeless: The lengths of the axes do not matter.

    Returns:
        ``(arrays, key, traced)``: the arrays in order; a hashable key, which also names the default
        stream; whether an array belongs to an open trace or depends on a placeholder.

    Raises:
        TypeError: A leaf that is no array cannot be hashed.
    """
    cdef bint is_traced
    cdef uint32_t trace = 0
    cdef HeldObjects arrays
    cdef TreeKey key = begun_key()
    key_into(tree, key, &arrays, shapeless, &trace)
    finish_key(key, trace, &is_traced)
    return arrays.to_list(), key, is_traced
