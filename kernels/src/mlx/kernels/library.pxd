# The C++ library as the Cython modules see it. Every call that may raise goes through raise_python.
from libc.stdint cimport int64_t, int32_t, uint8_t, uint16_t, uint32_t, uint64_t
from libcpp cimport bool as cbool
from libcpp.memory cimport shared_ptr
from libcpp.string cimport string
from libcpp.vector cimport vector

cdef extern from "errors.h" namespace "mlxk::face" nogil:
    void raise_python()

cdef extern from "mlxk/dtype.h" namespace "mlxk" nogil:
    enum class CDtype "mlxk::Dtype"(uint8_t):
        pass
    const char* dtype_name "mlxk::name"(CDtype)
    CDtype c_promote "mlxk::promote"(CDtype, CDtype)
    size_t c_itemsize "mlxk::itemsize"(CDtype)
    cbool parse_dtype(const char*, CDtype*)

cdef extern from "mlxk/dims.h" namespace "mlxk" nogil:
    cdef cppclass Dims:
        Dims()
        Dims(const int64_t*, size_t)
        Dims(const Dims&)
        size_t size()
        cbool empty()
        int64_t operator[](size_t)
        string str()
    int64_t element_count(const Dims&) except +raise_python

cdef extern from "mlxk/buffer.h" namespace "mlxk" nogil:
    cdef cppclass Event:
        cbool done()
        void retain()
        void release()
        void wait() except +raise_python
        cbool wait_for(double) except +raise_python
    enum: buffer_writable
    cdef cppclass Buffer:
        uint8_t flags
        void* bytes
        size_t size
        Event* writer
    cdef cppclass BufferRef:
        Buffer* get()
        cbool operator bool()

cdef extern from "mlxk/value.h" namespace "mlxk" nogil:
    cdef cppclass Opaque:
        pass
    cdef cppclass Value:
        pass
    cdef cppclass Params:
        Params()
        size_t size()
        const Value& operator[](size_t)

cdef extern from "mlxk/node.h" namespace "mlxk" nogil:
    ctypedef uint16_t OpId
    ctypedef uint16_t StreamId
    cppclass CNode "mlxk::Node"
    cdef cppclass Edge:
        Edge()
        Edge(CNode*, uint32_t)
        Edge(const Edge&)
        CNode* node()
        uint32_t output()
        cbool operator==(const Edge&)
        const Dims& shape()
        CDtype dtype()
    cdef cppclass Output:
        Dims shape
        Dims strides
        BufferRef buffer
        int64_t offset
        CDtype dtype
    cdef cppclass CNode "mlxk::Node":
        OpId op
        StreamId stream
        uint32_t input_count
        uint32_t output_count
        uint32_t trace
        uint32_t source
        uint64_t sequence
        Params params
        Edge* inputs
        Output* outputs
        cbool evaluated()
    uint32_t c_open_trace "mlxk::open_trace"() except +raise_python
    void c_close_trace "mlxk::close_trace"(uint32_t) except +raise_python
    uint32_t c_open_traces "mlxk::open_traces"()
    uint32_t placeholder_trace
    uint32_t live_trace(uint32_t)
    uint32_t set_source(uint32_t)
    void trim_nodes()
    cdef cppclass GraphStatistics:
        int64_t live_nodes
        int64_t pooled_nodes
    GraphStatistics c_graph_statistics "mlxk::graph_statistics"()

cdef extern from "mlxk/op.h" namespace "mlxk" nogil:
    enum class Kind "mlxk::Kind"(uint8_t):
        pass
    enum class Domain "mlxk::Domain"(uint8_t):
        pass
    enum class Result "mlxk::Result"(uint8_t):
        pass
    cdef cppclass Op:
        OpId id
        string name
        Kind kind
        Domain domain
        Result result
        uint8_t arity
        cbool condition
        cbool effect
        cbool blocking
        vector[string] param_names
        shared_ptr[Opaque] face
    OpId op_constant
    OpId op_data
    OpId op_placeholder
    const Op& c_register_op "mlxk::register_op"(Op) except +raise_python
    const Op& c_op "mlxk::op"(OpId) except +raise_python
    const Op* find_op(const char*)
    size_t c_op_count "mlxk::op_count"()
    Edge c_cast "mlxk::cast"(const Edge&, CDtype, StreamId) except +raise_python
    Edge c_constant "mlxk::constant"(double, double, int64_t, CDtype) except +raise_python
    Edge c_reduction "mlxk::reduction"(const Op&, const Edge&, const Dims&, cbool, StreamId) except +raise_python
    Edge c_movement "mlxk::movement"(const Op&, const Edge&, Params, StreamId) except +raise_python
    CNode* c_structural "mlxk::structural"(const Op&, const Edge*, uint32_t, Params, const Dims*, const CDtype*,
                                          uint32_t, StreamId) except +raise_python
    Edge c_trace_leaf "mlxk::trace_leaf"(const Edge&, uint32_t) except +raise_python
    Edge c_placeholder "mlxk::placeholder"(Dims, CDtype, shared_ptr[Opaque]) except +raise_python

cdef extern from "mlxk/program.h" namespace "mlxk" nogil:
    cdef cppclass GraphLock:
        pass
    void c_eval "mlxk::eval"(const Edge*, size_t, cbool) except +raise_python

cdef extern from "mlxk/graph.h" namespace "mlxk" nogil:
    cdef cppclass CGraph "mlxk::Graph":
        vector[Edge] inputs
        vector[Edge] outputs

cdef extern from "mlxk/program.h" namespace "mlxk" nogil:
    cdef cppclass CProgram "mlxk::Program":
        pass
    ctypedef shared_ptr[const CProgram] ProgramRef
