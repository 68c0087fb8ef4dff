# The op registry and the builders.


cdef extern from "source_line.h" namespace "mlxk::face":
    void note_source()
    string source_text(uint32_t) noexcept
    uint32_t fix_source(uint32_t)
    void start_sources()

cdef extern from "mlxk/program.h" namespace "mlxk":
    void set_source_names(string (*describe)(uint32_t) noexcept)


# What rule_context does: all nodes made until then are of one line. Returns the former.
cdef uint32_t fix_source_of(uint32_t source) noexcept:
    return fix_source(source)


def source_line(int source):
    """``"file.py:12"``: the Python line a node's ``source`` stands for, or None."""
    cdef string text = source_text(source)
    return text.decode("utf-8", "replace") if text.size() else None


cdef enum:
    kind_constant, kind_data, kind_placeholder, kind_elementwise, kind_cast, kind_reduction
    kind_movement, kind_structural, kind_call, kind_control

cdef dict kind_codes = {
    "constant": kind_constant, "data": kind_data, "placeholder": kind_placeholder,
    "elementwise": kind_elementwise, "cast": kind_cast, "reduction": kind_reduction,
    "movement": kind_movement, "structural": kind_structural, "call": kind_call,
    "control": kind_control,
}
cdef dict domain_codes = {
    "any": 0, "numeric": 1, "inexact": 2, "real": 3, "integral": 4, "boolean": 5, "complex": 6,
}
cdef dict result_codes = {"same": 0, "boolean": 1, "real": 2, "sum": 3, "index": 4}


cdef extern from *:
    """
    static inline void mlxk_fill_op(mlxk::Op& op, int kind, int domain, int result) {
      op.kind = static_cast<mlxk::Kind>(kind);
      op.domain = static_cast<mlxk::Domain>(domain);
      op.result = static_cast<mlxk::Result>(result);
    }
    static inline int mlxk_kind(const mlxk::Op& op) { return static_cast<int>(op.kind); }
    """
    void mlxk_fill_op(Op&, int, int, int)
    int mlxk_kind(const Op&)


cdef int code_in(dict codes, str value, str field) except -1:
    code = codes.get(value)
    if code is None:
        raise ValueError(f"[register_op] {field} is {value!r}, not one of {', '.join(codes)}.")
    return code


def register_op(
    str name not None,
    str kind not None,
    *,
    str domain="any",
    str result="same",
    int arity=0,
    params=(),
    bint condition=False,
    bint effect=False,
    bint blocking=False,
    face=None,
):
    """Registers an op and returns its id.

    Args:
        name: The op's one name: of its scalar formula, movement rule and kernels.
        kind: ``"elementwise"``, ``"cast"``, ``"reduction"``, ``"movement"``, ``"structural"``
            or ``"control"``; for the built-in ops also theirs.
        domain: The dtypes it computes in: ``"any"``, ``"numeric"``, ``"inexact"``, ``"real"``,
            ``"integral"``, ``"boolean"`` or ``"complex"``.
        result: The dtype it gives: ``"same"``, ``"boolean"``, ``"real"``, ``"sum"``, ``"index"``.
        arity: The number of operands of an elementwise op; 0 takes the formula's.
        params: The names of its parameters, in order.
        condition: The first operand is a condition: it becomes bool, outside the promotion.
        effect: It is never merged, dropped or reordered.
        blocking: It runs on its stream's own thread.
        face: The Python object that holds its rules.

    Raises:
        ValueError: The name is taken, a field has no such value, or no formula has that name.
    """
    cdef Op op
    op.name = name.encode()
    mlxk_fill_op(
        op,
        code_in(kind_codes, kind, "kind"),
        code_in(domain_codes, domain, "domain"),
        code_in(result_codes, result, "result"),
    )
    if not 0 <= arity <= 3:
        raise ValueError(f"[register_op] arity is {arity}, not one of 0, 1, 2, 3.")
    op.arity = arity
    op.condition = condition
    op.effect = effect
    op.blocking = blocking
    for param in params:
        op.param_names.push_back((<str?>param).encode())
    if face is not None:
        op.face = python_object(face)
    return c_register_op(op).id


cdef const Op* op_of(int op_id) except NULL:
    if not 0 <= op_id < <int>c_op_count():
        raise ValueError(f"[op] no op has the id {op_id}.")
    return &c_op(op_id)


def op_face(int op_id):
    """The Python object registered with the op, or None."""
    cdef PyObject* face = python_of(op_of(op_id).face)
    return <object>face if face != NULL else None


def op_id_of(str name not None):
    """The id of the op of that name.

    Raises:
        ValueError: There is none.
    """
    cdef const Op* found = find_op(name.encode())
    if found == NULL:
        raise ValueError(f"[op] no op is named {name!r}.")
    return found.id


def set_hook(str name not None, target):
    """Gives a slot of the array class its meaning.

    Args:
        name: An operator (``"add"``, ``"matmul"``, ``"less"``, ...: the name of the op), or one of
            ``"getitem"``, ``"setitem"``, ``"repr"``, ``"format"``, ``"array_namespace"``,
            ``"stack"`` (of a list of arrays), ``"stream"`` (a stream argument to its id).
        target: For an operator the id of an elementwise op, or a function; else a function; None
            takes the meaning away.

    Returns:
        The former target, or None.
    """
    cdef const Op* op
    cdef int former_id
    cdef PyObject* former_function
    encoded = name.encode()
    operator = encoded in operator_names
    if not operator and name not in hook_names:
        raise ValueError(f"[set_hook] no hook is named {name!r}.")
    if not operator:
        if target is not None and not callable(target):
            raise TypeError(f"[set_hook] {name} needs a function.")
        former = hooks.pop(name, None)
        if target is not None:
            hooks[name] = target
        return former
    former_function = slot_target(encoded, &former_id)
    former = <object>former_function if former_function != NULL else None
    if former_id >= 0:
        former = former_id
    if target is None:
        set_slot(encoded, NULL, NULL)
    elif isinstance(target, int):
        op = op_of(target)
        if mlxk_kind(op[0]) != kind_elementwise:
            raise ValueError(f"[set_hook] {name} needs an elementwise op or a function.")
        set_slot(encoded, op, NULL)
    elif callable(target):
        set_slot(encoded, NULL, <PyObject*>target)
    else:
        raise TypeError(f"[set_hook] {name} needs an op id or a function.")
    return former


cdef tuple hook_names = (
    "getitem", "setitem", "repr", "format", "array_namespace", "stack", "stream",
)
cdef set operator_names = {slot_names[i] for i in range(slot_count)}

cdef extern from "operators.h" namespace "mlxk::face":
    int slot_count
    const char** slot_names


cdef extern from "mlxk/runtime.h" namespace "mlxk":
    void stream_info(StreamId) except +raise_python  # raises where there is no such stream


# The id of a stream argument: None, an id, or what core's hook turns into one.
cdef int stream_id(object stream) except -1:
    if stream is None:
        return current_stream()
    if not isinstance(stream, int):
        stream = hook("stream")(stream)
    if not 0 <= stream < 65535:
        raise TypeError(f"[stream] there is no stream {stream}.")
    stream_info(stream)
    return stream


cdef int params_of(object values, Params* out) except -1:
    to_params(values, out)
    return 0


cdef object value_object(const Value& value):
    return from_value(value)


cdef object build(int op_id, PyObject** operands, int count, object stream):
    cdef const Op* op = op_of(op_id)
    made = build_elementwise(op[0], operands, count, <PyObject*>stream)
    if made is NotImplemented:
        raise TypeError(
            f"[{op.name.decode()}] an operand is neither an array nor a scalar."
        )
    return made


def elementwise1(int op_id, a, stream=None):
    """A node of an elementwise op of one operand; a Python scalar stands for an array."""
    cdef PyObject* operands[1]
    operands[0] = <PyObject*>a
    return build(op_id, operands, 1, stream)


def elementwise2(int op_id, a, b, stream=None):
    """A node of an elementwise op of two operands; Python scalars are weak."""
    cdef PyObject* operands[2]
    operands[0] = <PyObject*>a
    operands[1] = <PyObject*>b
    return build(op_id, operands, 2, stream)


def elementwise3(int op_id, a, b, c, stream=None):
    """A node of an elementwise op of three operands; Python scalars are weak."""
    cdef PyObject* operands[3]
    operands[0] = <PyObject*>a
    operands[1] = <PyObject*>b
    operands[2] = <PyObject*>c
    return build(op_id, operands, 3, stream)


def cast(array a not None, Dtype dtype not None, stream=None):
    """The array in another dtype; the array itself where it has that dtype."""
    if mlxk_code(a.edge.dtype()) == dtype.code:
        return a
    note_source()
    return wrap(c_cast(a.edge, mlxk_dtype(dtype.code), stream_id(stream)))


def constant(value, dtype=None, str name not None="constant"):
    """A 0-d constant from a Python scalar; equal constants are one node.

    Raises:
        TypeError: The value is no Python scalar.
        ValueError: An int does not fit the dtype.
    """
    cdef Scalar scalar
    read_scalar(value, &scalar)
    if scalar.kind == scalar_none:
        raise TypeError(f"[{name}] a {type(value).__name__} is no Python scalar.")
    cdef int code = code_or_none(dtype)
    if code < 0:
        code = mlxk_code(own_dtype(scalar))
    return wrap(scalar_edge(scalar, mlxk_dtype(code), utf8(name)))


cdef extern from "scalars.h" namespace "mlxk::face":
    CDtype own_dtype(const Scalar&)
    Edge scalar_edge(const Scalar&, CDtype, const char*) except +raise_python


def reduction(int op_id, a, axes=None, bint keepdims=False, stream=None):
    """A node of a reduction.

    Args:
        op_id: The op.
        a: The array.
        axes: An axis, a tuple of axes, or None for all.
        keepdims: Whether the reduced axes stay with length 1.
        stream: The stream.

    Raises:
        TypeError: What is given is no array.
        ValueError: An axis is out of range or named twice, or the op has no such dtype.
    """
    cdef const Op* op = op_of(op_id)
    cdef Dims normalised
    if not isinstance(a, array):
        raise TypeError(
            f"[{op.name.decode()}] An argument is {type(a).__name__}, not an array."
        )
    cdef Edge edge = (<array>a).edge
    normalise_axes(axes, edge.shape().size(), &normalised, op.name.c_str())
    note_source()
    return wrap(c_reduction(op[0], edge, normalised, keepdims, stream_id(stream)))


def movement(int op_id, array a not None, params=(), stream=None):
    """A node of a movement op; ``params`` in the order of its rule."""
    cdef const Op* op = op_of(op_id)
    cdef Params values
    to_params(params, &values)
    note_source()
    return wrap(c_movement(op[0], a.edge, values, stream_id(stream)))


cdef extern from "build.h" namespace "mlxk::face":
    CNode* build_structural(
        const Op&, object, const Params&, const Dims*, const CDtype*, uint32_t, StreamId
    ) except +raise_python


cdef extern from *:
    """
    static inline mlxk::Params mlxk_params_of(const mlxk::Dims& dims) { return mlxk::Params::of(dims); }
    """
    Params params_of_dims "mlxk_params_of"(const Dims&)


def reshape(int op_id, array a not None, shape, stream=None):
    """A node of a movement op whose one parameter is a shape: an int or a tuple of ints."""
    cdef const Op* op = op_of(op_id)
    cdef Dims lengths
    to_dims(shape, &lengths, op.name.c_str())
    note_source()
    return wrap(c_movement(op[0], a.edge, params_of_dims(lengths), stream_id(stream)))


cdef extern from "index.h" namespace "mlxk::face":
    cdef struct IndexOps:
        const Op* slice
        const Op* squeeze
        const Op* expand_dims
        const Op* broadcast_to
        const Op* reshape
        const Op* slice_update
    IndexOps index_ops
    cbool basic_index(const Edge&, PyObject*, Edge*) except +raise_python
    Edge c_slice_axis "mlxk::face::slice_axis"(
        const Edge&, size_t, int64_t, int64_t, int64_t, StreamId
    ) except +raise_python
    cbool basic_update(const Edge&, PyObject*, const Edge&, Edge*) except +raise_python


def set_index_ops(
    *, int slice, int squeeze, int expand_dims, int broadcast_to, int reshape, int slice_update
):
    """Gives the ops that keys of integers, slices, None and Ellipsis become.

    From then on such keys make views and updates without the hooks ``"getitem"`` and ``"setitem"``,
    which take the others and those that do not fit.
    """
    index_ops.slice = op_of(slice)
    index_ops.squeeze = op_of(squeeze)
    index_ops.expand_dims = op_of(expand_dims)
    index_ops.broadcast_to = op_of(broadcast_to)
    index_ops.reshape = op_of(reshape)
    index_ops.slice_update = op_of(slice_update)


def slice_axis(
    array a not None, axis, int64_t start, int64_t stop, int64_t step=1, *, stream=None
):
    """``a[..., start:stop:step, ...]`` at one axis; the bounds are resolved already."""
    cdef Edge edge = a.edge
    cdef Py_ssize_t place = place_of(axis, edge.shape().size(), "slice_axis")
    if index_ops.slice == NULL:
        raise RuntimeError("[slice_axis] slices have no meaning yet: import mlx.core.")
    note_source()
    return wrap(c_slice_axis(edge, place, start, stop, step, stream_id(stream)))


def assign(array a not None, key, array value not None):
    """``a[key] = value`` where the key is integers, slices, None and Ellipsis.

    Returns:
        Whether that was done; not with other keys, and where the value does not fit.
    """
    cdef Edge made
    note_source()
    if not basic_update(a.edge, <PyObject*>key, value.edge, &made):
        return False
    a.edge = made
    return True


# The output array of a structural node; a tuple of them where there are several or `as_tuple` is set.
cdef object outputs_of(CNode* node, bint as_tuple):
    cdef uint32_t i
    first = wrap(mlxk_adopt(node, 0))
    if node.output_count == 1:
        return (first,) if as_tuple else first
    outputs = [first]
    for i in range(1, node.output_count):
        outputs.append(wrap(Edge(node, i)))
    return tuple(outputs)


# `avals` are the (shape, dtype) of each output.
cdef object structural_node(
    const Op* op, tuple inputs, const Params& values, object avals, object stream, bint as_tuple
):
    cdef vector[Dims] shapes
    cdef vector[CDtype] dtypes
    cdef Dims lengths
    for shape, dtype in avals:
        to_dims(shape, &lengths, op.name.c_str())
        shapes.push_back(lengths)
        dtypes.push_back(mlxk_dtype((<Dtype?>dtype).code))
    note_source()
    return outputs_of(
        build_structural(
            op[0], inputs, values, shapes.data(), dtypes.data(), shapes.size(), stream_id(stream)
        ),
        as_tuple,
    )


def structural(int op_id, inputs, params, shapes, dtypes, stream=None):
    """A node of a structural op, whose shapes and dtypes the caller inferred.

    Args:
        op_id: The op.
        inputs: Its input arrays.
        params: Its parameters, in order.
        shapes: The shape of each output.
        dtypes: The dtype of each output.
        stream: The stream.

    Returns:
        The output array; a tuple of them where there are several.
    """
    cdef Params values
    cdef const Op* op = op_of(op_id)
    if len(shapes) != len(dtypes):
        raise ValueError(f"[{op.name.decode()}] shapes and dtypes differ in number.")
    to_params(params, &values)
    return structural_node(op, tuple(inputs), values, zip(shapes, dtypes), stream, False)


ctypedef object (*VectorCall)(object, PyObject* const*, size_t, PyObject*)


cdef class NodeMaker:
    """What makes the nodes of an op: the base of core's ``Op``.

    Args:
        op_id: The op.
        names: The names of its parameters, in the order in which nodes hold them.
        as_tuple: Whether one output comes as a tuple too.
        like: The input whose shape and dtype the only output has, or None: where that is not the
            rule, ``infer`` declares one.
    """

    cdef VectorCall call  # the first member, where calls.h looks for it
    cdef readonly int id
    cdef tuple names
    cdef bint as_tuple
    cdef int like
    cdef object inference  # infer(*inputs, **params) -> (shape, dtype), or a list of them

    def __init__(self, int op_id, tuple names not None, bint as_tuple, like=None):
        op_of(op_id)
        inherit_call_type(type(self), NodeMaker)
        self.call = make_node
        self.id = op_id
        self.names = names
        self.as_tuple = as_tuple
        self.like = -1 if like is None else like

    def infer(self, rule):
        """Declares ``infer(*inputs, **params) -> (shape, dtype)``, or a list of them.

        Only structural ops have such a rule: the others' inference follows from their kind.
        """
        self.inference = rule
        return rule

    def __call__(self, *inputs, **params):  # for subclasses whose __call__ calls this one
        """Makes a node on a stream and returns its output, or the tuple of them."""
        return PyVectorcall_Call(self, inputs, params)


adopt_call_type(NodeMaker)


cdef object make_node(object callee, PyObject* const* args, size_t flags, PyObject* names):
    cdef NodeMaker self = <NodeMaker>callee
    cdef const Op* op = op_of(self.id)
    cdef int kind = mlxk_kind(op[0])
    cdef Py_ssize_t given = given_of(flags)
    cdef Py_ssize_t at = keyword_place(names, "stream")
    cdef object stream = None if at < 0 else <object>args[given + at]
    cdef Params values
    if kind == kind_elementwise:
        check_count(op, given, op.arity)
        return build(self.id, <PyObject**>args, given, stream)
    if kind == kind_movement:
        check_count(op, given, 1)
        named_params(self, op, args + given, names, &values)
        note_source()
        return wrap(
            c_movement(op[0], (<array?><object>args[0]).edge, values, stream_id(stream))
        )
    if kind == kind_reduction:
        check_count(op, given, 1)
        return reduction(
            self.id,
            <object>args[0],
            param_of(args + given, names, "axes"),
            param_of(args + given, names, "keepdims"),
            stream,
        )
    if kind == kind_cast:
        check_count(op, given, 1)
        return cast(<object>args[0], param_of(args + given, names, "dtype"), stream)
    return structural_call(self, op, args, given, names, at, stream)


# The parameters of a call, by name.
cdef int named_params(
    NodeMaker self, const Op* op, PyObject* const* given, PyObject* names, Params* values
) except -1:
    try:
        to_named_params(given, names, self.names, values)
    except OverflowError:
        raise ValueError(f"[{op.name.decode()}] A parameter has more than 64 bits.") from None
    return 0


cdef int check_count(const Op* op, Py_ssize_t given, Py_ssize_t arity) except -1:
    if given != arity:
        raise TypeError(f"[{op.name.decode()}] takes {arity} operands, not {given}.")
    return 0


cdef object param_of(PyObject* const* values, PyObject* names, str name):
    cdef Py_ssize_t place = keyword_place(names, name)
    if place < 0:
        raise TypeError(f"[op] the parameter {name} is missing.")
    return <object>values[place]


cdef object structural_call(
    NodeMaker self, const Op* op, PyObject* const* args, Py_ssize_t given, PyObject* names,
    Py_ssize_t at, object stream,
):
    cdef Params values
    cdef Dims shape
    cdef CDtype dtype
    cdef tuple inputs = tuple([<object>args[i] for i in range(given)])
    if self.like >= 0:
        model = <array?>inputs[self.like]
        shape = (<array>model).edge.shape()
        dtype = (<array>model).edge.dtype()
    elif self.inference is None:
        raise RuntimeError(f"[{op.name.decode()}] has no inference.")
    else:
        found = call_without(self.inference, args, given, names, at)
        if not isinstance(found, tuple):
            named_params(self, op, args + given, names, &values)
            return structural_node(op, inputs, values, found, stream, self.as_tuple)
        to_dims(found[0], &shape, op.name.c_str())
        dtype = mlxk_dtype((<Dtype?>found[1]).code)
    named_params(self, op, args + given, names, &values)
    note_source()
    return outputs_of(
        build_structural(op[0], inputs, values, &shape, &dtype, 1, stream_id(stream)),
        self.as_tuple,
    )


cdef class OpFunction:
    """A public function that makes nodes of one op: called without a Python frame.

    It has the name, docstring, module and signature of its declaration.

    Args:
        op_id: The op.
        declaration: A Python function.
        form: The kind of its arguments, see ``functions.h``; empty for the form that all ops of
            this kind have.

    Attributes:
        otherwise: The function that is called with arguments that are not the form's, or None.
    """

    cdef void* call
    cdef const Op* op
    cdef tuple arguments
    cdef tuple defaults
    cdef Py_ssize_t unnamed
    cdef Py_ssize_t positional
    cdef uint32_t params
    cdef public object otherwise
    cdef dict __dict__

    def __init__(self, int op_id, declaration, str form not None=""):
        cdef const Op* op = op_of(op_id)
        code = declaration.__code__
        self.unnamed = code.co_posonlyargcount
        self.positional = code.co_argcount
        self.arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        usual = dict(declaration.__kwdefaults__ or {})
        last = declaration.__defaults__ or ()
        usual.update(zip(self.arguments[code.co_argcount - len(last) : code.co_argcount], last))
        self.defaults = tuple([usual.get(name) for name in self.arguments])
        encoded = form.encode()
        if not init_function(self, op, encoded):
            raise ValueError(
                f"[OpFunction] {op.name.decode()} has no function of the form {form!r}."
            )
        self.__name__ = declaration.__name__
        self.__qualname__ = declaration.__qualname__
        self.__doc__ = declaration.__doc__
        self.__module__ = declaration.__module__
        self.__wrapped__ = declaration  # where inspect finds the signature

    def __call__(self, *operands, **options):  # replaced by those of functions.h
        raise NotImplementedError

    def __get__(self, instance, owner):  # replaced by bind_function in functions.h
        raise NotImplementedError

    def __repr__(self):
        return f"<function {self.__name__}>"

    def __reduce__(self):
        return self.__qualname__
