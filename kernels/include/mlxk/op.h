// The op registry, and inference by kind.
//
// An op is registered once, from Python, when the module that declares it is imported. Its fields
// drive one inference function per kind; no place in C++ lists op names.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "mlxk/node.h"

namespace mlxk {

enum class Kind : uint8_t {
  constant,  // a 0-d scalar (value in params[0], dtype in the output) ; broadcasts as an immediate
  data,      // was born with a buffer (from NumPy, a list, a file)
  placeholder,  // vmap, compile, export: has no data, an eval that reaches one raises
  elementwise,  // scalar formula of the same name in scalar/*.def; inputs broadcast together
  cast,         // params: dtype
  reduction,    // params: axes (Dims, normalised, ascending), keepdims
  movement,     // a view, or a copy where no view exists; rule of the same name in graph/views.cpp
  structural,   // inference in Python; kernel of the same name
  call,         // a compiled function: params: the Graph and its Program (opaque)
  control,      // runs graphs of its parameters, over and over or by choice: scan, while_loop, cond
};

// Which dtypes an elementwise or reduction op computes in, given the promoted dtype of its inputs.
enum class Domain : uint8_t {
  any,       // as promoted
  numeric,   // bool becomes int32
  inexact,   // bool and integers become float32
  real,      // as any, complex raises
  integral,  // bool and integers, bool as uint8 where there is no formula; inexact raises
  boolean,   // inputs are cast to bool
  complex,   // inputs become complex64
};
enum class Result : uint8_t {
  same,     // the computed dtype
  boolean,  // comparisons, isnan, ...
  real,     // complex64 gives float32, others same (abs, real, imag)
  sum,  // MLX's rule for sum and prod: small integers and bool become int32 (uint32 keeps its sign
        // class: see the golden table)
  index,  // uint32 (argmax)
};

struct Op {
  OpId id = 0;
  std::string name;
  Kind kind = Kind::structural;
  Domain domain = Domain::any;
  Result result = Result::same;
  uint8_t arity = 0;       // elementwise: 1, 2, 3
  bool condition = false;  // elementwise: the first input becomes bool and takes no part in the
                           // promotion (where)
  bool effect = false;     // never merged, dropped or reordered
  bool blocking = false;   // runs on its stream's own thread (collectives)
  uint16_t scalar = 0;     // elementwise, reduction: index in the table of scalar formulas
  uint16_t movement = 0;   // movement: index in the table of views
  std::vector<std::string> param_names;
  std::shared_ptr<Opaque> face;  // the Python Op object
};

// Fills id, scalar, movement; raises where the name is taken or no formula of that name exists. An
// op without a face may be registered once more, with its kind, and gets its face and fields then;
// so the ops below, which exist from the start.
const Op& register_op(Op op);
enum BuiltinOp : OpId { op_constant, op_data, op_placeholder, op_cast, op_call, op_trace_leaf };
const Op& op(OpId id);
const Op* find_op(const char* name);
size_t op_count();

// Builders. Each infers, makes the node and returns its first output. They raise value or type
// errors with the op's name.
Edge elementwise(const Op& op, const Edge* inputs, uint32_t count,
                 StreamId stream);  // inserts casts to the common dtype
Edge elementwise(const Op& op, const Edge& a, const Edge& b, StreamId stream);
Edge cast(const Edge& input, Dtype dtype, StreamId stream);  // the input itself if it has the dtype
// A 0-d scalar; cached: equal bits give one node. params[0] is a bool, an integer (the integer
// argument; uint64 by its bits), a real or a complex, rounded to the dtype.
Edge constant(double real, double imag, int64_t integer, Dtype dtype);
Edge reduction(const Op& op, const Edge& input, const Dims& axes, bool keepdims, StreamId stream);
Edge movement(const Op& op, const Edge& input, Params params, StreamId stream);
Node* structural(const Op& op, const Edge* inputs, uint32_t count, Params params,
                 const Dims* shapes, const Dtype* dtypes, uint32_t outputs, StreamId stream);
// The node of a structural op of one input, whose dtype follows from the fields of the op. False
// where they want the input in another dtype.
bool along(const Op& op, const Edge& input, const Dims& shape, Params params, StreamId stream,
           Edge* out);
Edge from_buffer(BufferRef buffer, int64_t offset, Dims shape, Dims strides, Dtype dtype);
// An identity node that carries the trace's bits: the fresh handle a traced function gets.
Edge trace_leaf(const Edge& input, uint32_t trace);
Edge placeholder(Dims shape, Dtype dtype,
                 std::shared_ptr<Opaque> where);  // where: what to name when its value is asked for

// A movement op's two halves (graph/views.cpp holds one entry per op name).
struct Layout {
  Dims shape, strides;
  int64_t offset = 0;  // bytes
  Dtype dtype = Dtype::float32;
};
struct MovementRule {
  const char* name;
  uint8_t param_count;  // at least so many
  // The parameters from the integers that a public function of the op is given: null where it is
  // given none. False where that takes more than their kind: then they may be wrong, too. Null
  // where no function is given a list of integers.
  bool (*given)(const Dims& shape, const Dims* integers, Params* params);
  void (*infer)(const Edge& input, const Params& params, Dims* shape, Dtype* dtype);
  bool (*view)(const Layout& input, const Params& params, const Dims& shape,
               Layout* output);  // false: needs a copy
};
const MovementRule* movement_rule(const char* name);
const MovementRule& movement_rule(uint16_t index);

}  // namespace mlxk
