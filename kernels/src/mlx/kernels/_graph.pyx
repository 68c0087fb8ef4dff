# cython: language_level=3
# distutils: language = c++
"""Nodes, traces, graphs and programs, as the transforms of ``mlx.core`` see them.

Orders and reachable sets are computed in C++ and come as flat lists: a rule never walks.
"""

cimport cython
from cpython.object cimport Py_EQ, Py_NE, PyObject
from libc.stdint cimport uint8_t, uint32_t, uint64_t, uintptr_t
from libcpp cimport bool as cbool
from libcpp.memory cimport make_shared, shared_ptr
from libcpp.string cimport string
from libcpp.utility cimport move
from libcpp.vector cimport vector

from mlx.kernels._array cimport array, dtype_of, Dtype, fix_source_of, read_graphs_with, stream_id, value_object, wrap_edge
from mlx.kernels._tree cimport HeldObjects
from mlx.kernels.library cimport *


cdef extern from "mlxk/graph.h" namespace "mlxk" nogil:
    void c_order "mlxk::order"(const Edge*, size_t, cbool, vector[CNode*]*) except +raise_python
    void c_dependents "mlxk::dependents"(const Edge*, size_t, const Edge*, size_t, vector[CNode*]*) except +raise_python
    vector[Edge] c_substitute "mlxk::substitute"(const CGraph&, const Edge*, size_t) except +raise_python
    void c_simplify "mlxk::simplify"(CGraph*) except +raise_python
    string print_graph "mlxk::print"(const CGraph&) except +raise_python
    vector[uint8_t] c_serialise "mlxk::serialise"(const CGraph&) except +raise_python
    CGraph c_close_over "mlxk::close_over"(const CGraph&, vector[Edge]*) except +raise_python
    void c_prepare "mlxk::prepare"(const CGraph&) except +raise_python
    CGraph c_parse "mlxk::parse"(const uint8_t*, size_t) except +raise_python

cdef extern from "mlxk/program.h" namespace "mlxk" nogil:
    ProgramRef c_lower "mlxk::lower"(const CGraph&) except +raise_python
    string print_program "mlxk::print"(const CProgram&) except +raise_python
    void c_verify "mlxk::verify"(const CProgram&) except +raise_python
    Params c_callee "mlxk::callee"(shared_ptr[const CGraph], ProgramRef) except +raise_python
    vector[Edge] c_call "mlxk::call"(const Params&, const Edge*, size_t, StreamId) except +raise_python

cdef extern from "mlxk/runtime.h" namespace "mlxk" nogil:
    enum class DeviceKind "mlxk::DeviceKind"(uint8_t):
        pass
    cdef cppclass StreamInfo:
        DeviceKind device
    StreamId c_default_stream "mlxk::default_stream"(DeviceKind) except +raise_python
    void c_set_default_stream "mlxk::set_default_stream"(StreamId) except +raise_python
    StreamInfo c_stream_info "mlxk::stream_info"(StreamId) except +raise_python
    DeviceKind c_default_device "mlxk::default_device"()
    void c_set_default_device "mlxk::set_default_device"(DeviceKind) except +raise_python

cdef extern from "values.h" namespace "mlxk::face":
    cbool to_dims(object, Dims*, const char*) except False
    PyObject* python_of(const shared_ptr[Opaque]&)

cdef extern from "edges.h" namespace "mlxk::face":
    cdef cppclass BorrowedEdges:
        BorrowedEdges()
        void resize(size_t) except +raise_python
        void put(size_t, const Edge&)
        const Edge* data()
        uint32_t size()

cdef extern from *:
    """
    static inline std::shared_ptr<mlxk::Opaque> mlxk_place(const std::string& text) {
      return std::make_shared<mlxk::face::PlaceName>(text);
    }
    static inline const mlxk::Output& mlxk_output(const mlxk::Edge& edge) {
      return edge.node()->outputs[edge.output()];
    }
    static inline mlxk::Dtype mlxk_dtype(int code) { return static_cast<mlxk::Dtype>(code); }
    static inline bool mlxk_is_graph(const mlxk::Value& value) {
      return value.tag() == mlxk::Value::Tag::graph;
    }
    static inline std::shared_ptr<const mlxk::Graph> mlxk_graph_of(const mlxk::Value& value) {
      return value.graph();
    }
    static inline void mlxk_set_graph(mlxk::Value* out, std::shared_ptr<const mlxk::Graph> graph) {
      *out = mlxk::Value(std::move(graph));
    }
    // One opaque number for an output: a node's address is a multiple of eight.
    static inline uint64_t mlxk_key(const mlxk::Edge& edge) {
      return (reinterpret_cast<uint64_t>(edge.node()) >> 3 << 16) + edge.output();
    }
    """
    shared_ptr[Opaque] mlxk_place(const string&)
    const Output& mlxk_output(const Edge&)
    CDtype mlxk_dtype(int)
    cbool mlxk_is_graph(const Value&)
    shared_ptr[const CGraph] mlxk_graph_of(const Value&)
    uint64_t mlxk_key(const Edge&)
    void mlxk_set_graph(Value*, shared_ptr[const CGraph])


# ---- nodes -------------------------------------------------------------------------------------

cdef array nothing = array.__new__(array)  # for views that Python code makes past __init__


cdef class NodeView:
    """A node of the graph: one op on some inputs. Alive as long as the view."""

    cdef Edge held  # output 0

    def __cinit__(self):
        self.held = nothing.edge

    def __init__(self):
        raise TypeError("[Node] nodes are made by ops.")

    @property
    def op(self):
        """The Python object registered with the op, or None."""
        cdef PyObject* face = python_of(c_op(self.held.node().op).face)
        return <object>face if face != NULL else None

    @property
    def op_id(self):
        """The id of the op."""
        return self.held.node().op

    @property
    def op_name(self):
        """The name of the op."""
        return c_op(self.held.node().op).name.decode()

    @property
    def inputs(self):
        """Fresh handles on the inputs; none once the node was evaluated outside a trace."""
        cdef CNode* node = self.held.node()
        cdef uint32_t i
        return tuple([wrap_edge(node.inputs[i]) for i in range(node.input_count)])

    @property
    def outputs(self):
        """Fresh handles on the outputs."""
        cdef CNode* node = self.held.node()
        cdef uint32_t i
        return tuple([wrap_edge(Edge(node, i)) for i in range(node.output_count)])

    @property
    def input_keys(self):
        """``key`` of each input."""
        cdef CNode* node = self.held.node()
        cdef uint32_t i
        return tuple([mlxk_key(node.inputs[i]) for i in range(node.input_count)])

    @property
    def output_keys(self):
        """``key`` of each output."""
        cdef CNode* node = self.held.node()
        cdef uint64_t first = mlxk_key(self.held)
        cdef uint32_t i
        return tuple([first + i for i in range(node.output_count)])

    @property
    def params(self):
        """The parameters in the order of the op's names; a graph comes as a Graph."""
        cdef CNode* node = self.held.node()
        cdef size_t i
        cdef list values = []
        for i in range(node.params.size()):
            if mlxk_is_graph(node.params[i]):
                values.append(graph_object(mlxk_graph_of(node.params[i])))
            else:
                values.append(value_object(node.params[i]))
        return tuple(values)

    @property
    def stream(self):
        """The id of the stream."""
        return self.held.node().stream

    @property
    def source(self):
        """The id of the Python line that made it; 0 where unknown."""
        return self.held.node().source

    @property
    def sequence(self):
        """Its place in the order of creation."""
        return self.held.node().sequence

    @property
    def id(self):
        """A number no other live node has."""
        return mlxk_key(self.held)

    @property
    def evaluated(self):
        """Whether its value is computed or being computed."""
        return self.held.node().evaluated()

    def __hash__(self):
        return <Py_hash_t>(mlxk_key(self.held) >> 16)

    def __richcmp__(left, right, int comparison):
        if not isinstance(right, NodeView):
            return NotImplemented
        cdef bint same = (<NodeView>left).held.node() == (<NodeView>right).held.node()
        if comparison == Py_EQ:
            return same
        if comparison == Py_NE:
            return not same
        return NotImplemented

    def __repr__(self):
        return f"<node {self.op_name} {self.sequence}>"


Node = NodeView


cdef NodeView view_of(CNode* node):
    cdef NodeView view = NodeView.__new__(NodeView)
    view.held = Edge(node, 0)
    return view


cdef list view_list(const vector[CNode*]& nodes):
    cdef size_t i
    return [view_of(nodes[i]) for i in range(nodes.size())]


cdef int edges_of(object arrays, vector[Edge]* edges) except -1:
    for given in arrays:
        edges.push_back((<array?>given).edge)
    return 0


cdef list handles(const vector[Edge]& edges):
    cdef size_t i
    return [wrap_edge(edges[i]) for i in range(edges.size())]


def node_of(array a not None):
    """The node that computes the array."""
    return view_of(a.edge.node())


def key(array a not None):
    """A number for the array's value: of two handles on one output it is the same.

    Valid while a handle or a node that uses it lives.
    """
    return mlxk_key(a.edge)


def output_index(array a not None):
    """Which of its node's outputs the array is."""
    return a.edge.output()


def order(roots, bint through_evaluated=False):
    """The unevaluated ancestors of the arrays in a topological order, ties by age.

    Args:
        roots: Arrays.
        through_evaluated: Also enter evaluated nodes whose edges an open trace keeps.
    """
    cdef vector[Edge] edges
    cdef vector[CNode*] nodes
    edges_of(roots, &edges)
    c_order(edges.data(), edges.size(), through_evaluated, &nodes)
    return view_list(nodes)


def dependents(roots, leaves):
    """The nodes between leaves and roots, in a topological order: what depends on a leaf.

    Args:
        roots: Arrays to start from.
        leaves: Arrays to stop at.
    """
    cdef vector[Edge] root_edges
    cdef vector[Edge] leaf_edges
    cdef vector[CNode*] nodes
    edges_of(roots, &root_edges)
    edges_of(leaves, &leaf_edges)
    c_dependents(root_edges.data(), root_edges.size(), leaf_edges.data(), leaf_edges.size(), &nodes)
    return view_list(nodes)


# ---- traces ------------------------------------------------------------------------------------


def open_trace():
    """Opens a trace and returns its mask; evaluated nodes that carry it keep their edges."""
    return c_open_trace()


def close_trace(uint32_t mask):
    """Closes a trace: evaluated nodes that no other open trace wants drop their edges."""
    c_close_trace(mask)


def trace_leaf(array a not None, uint32_t mask=0):
    """A fresh handle with a node of its own, of the same value, that carries the trace's mask."""
    return wrap_edge(c_trace_leaf(a.edge, mask))


def placeholder(shape, Dtype dtype not None, str where not None):
    """An array without a value; ``where`` is what an error names when its value is asked for."""
    cdef Dims dims
    to_dims(shape, &dims, "placeholder")
    # The line that made it is the transform's, and says less than `where`.
    cdef uint32_t line = set_source(0)
    try:
        return wrap_edge(c_placeholder(dims, mlxk_dtype(dtype.code), mlxk_place(where.encode())))
    finally:
        set_source(line)


def is_traced(array a not None):
    """Whether the array depends on a placeholder or belongs to an open trace."""
    return live_trace(a.edge.node().trace) != 0


def trace_bits(array a not None):
    """The masks of the open traces that the array belongs to."""
    return live_trace(a.edge.node().trace) & ~placeholder_trace


def has_placeholder(array a not None):
    """Whether the array depends on a placeholder."""
    return (a.edge.node().trace & placeholder_trace) != 0


@cython.final
cdef class rule_context:
    """A context in which ops get a node's stream and source line."""

    cdef StreamId stream
    cdef StreamId former_stream
    cdef DeviceKind former_device
    cdef uint32_t source
    cdef uint32_t former_source

    def __init__(self, NodeView node not None):
        self.stream = node.held.node().stream
        self.source = node.held.node().source

    def __enter__(self):
        cdef DeviceKind device = c_stream_info(self.stream).device
        self.former_device = c_default_device()
        self.former_stream = c_default_stream(device)
        if self.former_device != device:
            c_set_default_device(device)
        if self.former_stream != self.stream:
            c_set_default_stream(self.stream)
        self.former_source = fix_source_of(self.source)
        return self

    def __exit__(self, *error):
        fix_source_of(self.former_source)
        if self.former_stream != self.stream:
            c_set_default_stream(self.former_stream)
        if c_default_device() != self.former_device:
            c_set_default_device(self.former_device)
        return False


# ---- graphs and programs -----------------------------------------------------------------------


cdef Graph graph_object(const shared_ptr[const CGraph]& held):
    cdef Graph graph = Graph.__new__(Graph)
    graph.held = held
    return graph


cdef shared_ptr[const CGraph] no_graph = <shared_ptr[const CGraph]>make_shared[CGraph]()


@cython.final
cdef class Graph:
    """A recorded function: from input arrays (placeholders or leaves) to output arrays."""

    def __cinit__(self, *arguments, **options):
        self.held = no_graph

    def __init__(self, inputs, outputs):
        cdef shared_ptr[CGraph] made = make_shared[CGraph]()
        edges_of(inputs, &made.get().inputs)
        edges_of(outputs, &made.get().outputs)
        self.held = <shared_ptr[const CGraph]>made

    @property
    def inputs(self):
        """Fresh handles on the inputs."""
        return handles(self.held.get().inputs)

    @property
    def outputs(self):
        """Fresh handles on the outputs."""
        return handles(self.held.get().outputs)

    def substitute(self, arguments):
        """The outputs with the inputs replaced by other arrays: new nodes."""
        cdef vector[Edge] edges
        edges_of(arguments, &edges)
        if edges.size() != self.held.get().inputs.size():
            raise ValueError(
                f"[substitute] {edges.size()} arrays do not fit "
                f"{self.held.get().inputs.size()} inputs."
            )
        return handles(c_substitute(self.held.get()[0], edges.data(), edges.size()))

    def simplify(self):
        """The graph without common subexpressions, dead code and identity casts."""
        cdef shared_ptr[CGraph] made = make_shared[CGraph](self.held.get()[0])
        c_simplify(made.get())
        return graph_object(<shared_ptr[const CGraph]>made)

    def closed(self):
        """The graph as one that holds no array of others, and the arrays that it captured.

        Its inputs are placeholders: first for what is captured, then for the inputs of this one.
        """
        cdef vector[Edge] captured
        cdef shared_ptr[CGraph] made = make_shared[CGraph]()
        made.get()[0] = c_close_over(self.held.get()[0], &captured)
        return graph_object(<shared_ptr[const CGraph]>made), handles(captured)

    def prepare(self):
        """Lowers the graph, unless that has been done: control ops run graphs that are prepared."""
        c_prepare(self.held.get()[0])

    def print(self):
        """A stable text of the graph."""
        return print_graph(self.held.get()[0]).decode()

    def serialise(self):
        """The graph as bytes."""
        cdef vector[uint8_t] content = c_serialise(self.held.get()[0])
        return (<const char*>content.data())[: content.size()]

    @staticmethod
    def parse(bytes content not None):
        """The graph of some bytes.

        Raises:
            ValueError: The bytes are no graph.
        """
        cdef shared_ptr[CGraph] made = make_shared[CGraph]()
        made.get()[0] = c_parse(<const uint8_t*><const char*>content, len(content))
        return graph_object(<shared_ptr[const CGraph]>made)


cdef cbool read_graph(PyObject* value, Value* out) noexcept:
    if not isinstance(<object>value, Graph):
        return False
    mlxk_set_graph(out, (<Graph><object>value).held)
    return True


read_graphs_with(read_graph)


cdef ProgramRef no_program = c_lower(no_graph.get()[0])


@cython.final
cdef class Program:
    """What a graph is lowered to: a flat list of instructions. Made by ``lower``."""

    def __cinit__(self):
        self.held = no_program

    def __init__(self):
        raise TypeError("[Program] programs are made by lower().")

    def print(self):
        """A stable text of the program."""
        return print_program(self.held.get()[0]).decode()

    def verify(self):
        """Checks every invariant.

        Raises:
            RuntimeError: One is broken.
        """
        c_verify(self.held.get()[0])


def lower(Graph graph not None):
    """The program of a graph."""
    cdef Program program = Program.__new__(Program)
    program.held = c_lower(graph.held.get()[0])
    return program


cdef list call_handles(
    Graph graph, Program program, const HeldObjects* arguments, StreamId stream
):
    """The outputs of a lazy call whose arguments, arrays, are known to fit."""
    cdef BorrowedEdges edges
    cdef Py_ssize_t i
    edges.resize(arguments.size())
    for i in range(arguments.size()):
        edges.put(i, (<array><object>arguments[0][i]).edge)
    if program.called is not graph:
        program.callee = c_callee(graph.held, program.held)
        program.called = graph
    return handles(c_call(program.callee, edges.data(), edges.size(), stream))


def call(Graph graph not None, Program program not None, arguments, stream=None):
    """The lazy node of a compiled call, as the tuple of its outputs."""
    cdef HeldObjects given
    for argument in arguments:
        given.push_back(<PyObject*><array?>argument)
    if <size_t>given.size() != graph.held.get().inputs.size():
        raise ValueError(
            f"[call] {given.size()} arrays do not fit {graph.held.get().inputs.size()} inputs."
        )
    return tuple(call_handles(graph, program, &given, stream_id(stream)))
