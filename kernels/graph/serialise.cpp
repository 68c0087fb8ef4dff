// A graph as bytes, and back; and its stable text.
//
// Little-endian: "MLXG", a version, the op names, the nodes in order, the outputs. A node names
// earlier ones by number. Evaluated arrays that the graph holds travel with their bytes. parse()
// trusts nothing: every length is checked against what is left, shapes and dtypes are inferred
// again and compared, and what only Python can infer goes through the hook that the face installs.
#include <bit>
#include <cstring>
#include <unordered_map>

#include "graph/lower.h"
#include "mlxk/error.h"

namespace mlxk {

namespace {

static_assert(std::endian::native == std::endian::little,
              "the format is written as the machine holds it");

constexpr char magic[4] = {'M', 'L', 'X', 'G'};
constexpr uint32_t version = 1;
constexpr int deepest_value = 32;  // lists in lists, graphs in graphs

enum class NodeTag : uint8_t { input, data, constant, op };

void (*check_structural)(const Node* node) = nullptr;

// ---- the nodes of a graph, numbered -------------------------------------------------------------

struct Numbered {
  std::vector<Node*>
      nodes;  // the inputs, then the order, with evaluated leaves before their first use
  std::vector<uint8_t> is_input;
  uint64_t epoch = 0;
  uint32_t number(const Node* node) const { return mark_index(node); }
};

// Results of compiled calls become data: their Programs do not travel.
void evaluate_calls(const Graph& graph) {
  std::vector<Node*> nodes;
  std::vector<Edge> calls;
  const uint64_t epoch = next_epoch();
  for (const Edge& edge : graph.inputs) edge.node()->mark = epoch;
  collect(graph.outputs.data(), graph.outputs.size(), false, epoch, &nodes);
  for (Node* node : nodes) {
    if (node->op != op_call) continue;
    for (uint32_t i = 0; i < node->output_count; ++i) calls.emplace_back(node, i);
  }
  if (!calls.empty()) eval(calls.data(), calls.size(), false);
}

Numbered numbered(const Graph& graph) {
  Numbered all;
  std::vector<Node*> order;
  const uint64_t stop = next_epoch();
  for (const Edge& edge : graph.inputs) edge.node()->mark = stop;
  collect(graph.outputs.data(), graph.outputs.size(), false, stop, &order);
  all.epoch = next_epoch();
  const auto add = [&](Node* node, bool input) {
    if (marked(node, all.epoch)) return;
    node->mark = all.epoch | all.nodes.size();
    all.nodes.push_back(node);
    all.is_input.push_back(input);
  };
  for (const Edge& edge : graph.inputs) {
    if (edge.node()->output_count != 1) {
      raise(ErrorKind::value, "[export] an input of a graph is one of several outputs of a node.");
    }
    if (marked(edge.node(), all.epoch))
      raise(ErrorKind::value, "[export] an array is an input of the graph twice.");
    add(edge.node(), true);
  }
  for (Node* node : order) {
    // Constants stand before their first use: a cached one is as old as what ran before.
    if (node->op == op_constant) continue;
    for (uint32_t i = 0; i < node->input_count; ++i) add(node->inputs[i].node(), false);
    add(node, false);
  }
  for (const Edge& edge : graph.outputs) add(edge.node(), false);
  return all;
}

// ---- writing ------------------------------------------------------------------------------------

class Writer {
 public:
  std::vector<uint8_t> bytes;

  void raw(const void* data, size_t size) {
    const uint8_t* from = static_cast<const uint8_t*>(data);
    bytes.insert(bytes.end(), from, from + size);
  }
  template <class T> void put(T value) { raw(&value, sizeof value); }
  void text(const std::string& value) {
    put<uint32_t>(static_cast<uint32_t>(value.size()));
    raw(value.data(), value.size());
  }
  void dims(const Dims& value) {
    put<uint32_t>(static_cast<uint32_t>(value.size()));
    raw(value.data(), value.size() * sizeof(int64_t));
  }
  void kind(const Output& output) {
    put<uint8_t>(static_cast<uint8_t>(output.dtype));
    dims(output.shape);
  }

  void value(const Value& value, const char* op_name) {
    put<uint8_t>(static_cast<uint8_t>(value.tag()));
    switch (value.tag()) {
      case Value::Tag::none: break;
      case Value::Tag::boolean: put<uint8_t>(value.boolean()); break;
      case Value::Tag::integer: put<int64_t>(value.integer()); break;
      case Value::Tag::real: put<double>(value.real()); break;
      case Value::Tag::complex:
        put<double>(value.complex().real());
        put<double>(value.complex().imag());
        break;
      case Value::Tag::dtype: put<uint8_t>(static_cast<uint8_t>(value.dtype())); break;
      case Value::Tag::dims: dims(value.dims()); break;
      case Value::Tag::string: text(value.string()); break;
      case Value::Tag::list:
        put<uint32_t>(static_cast<uint32_t>(value.list().size()));
        for (const Value& item : value.list()) this->value(item, op_name);
        break;
      case Value::Tag::graph: {
        const std::vector<uint8_t> inner = serialise(*value.graph());
        put<uint64_t>(inner.size());
        raw(inner.data(), inner.size());
        break;
      }
      case Value::Tag::opaque:
        raise(ErrorKind::value,
              "[%s] a Python object is a parameter of this operation: it cannot be exported.",
              op_name);
    }
  }
};

void write_data(Writer* writer, Node* node) {
  for (uint32_t i = 0; i < node->output_count; ++i) {
    const Edge edge(node, i);
    eval(&edge, 1, false);  // waits for the bytes
    const Output& output = node->outputs[i];
    writer->kind(output);
    const int64_t size = element_count(output.shape);
    const size_t at = writer->bytes.size(),
                 bytes = byte_count(output.shape, itemsize(output.dtype));
    writer->bytes.resize(at + bytes);
    if (!size) continue;
    const int32_t ndim = static_cast<int32_t>(output.shape.size());
    const Dims strides = row_major(output.shape);
    char* from = static_cast<char*>(output.buffer->bytes) + output.offset;
    // A copy between: the bytes of the file are not aligned.
    BufferRef aligned = allocate(bytes);
    copy_tensor({from, output.shape.data(), output.strides.data(), size, ndim, output.dtype},
                {aligned->bytes, output.shape.data(), strides.data(), size, ndim, output.dtype});
    std::memcpy(writer->bytes.data() + at, aligned->bytes, bytes);
  }
}

// ---- reading ------------------------------------------------------------------------------------

class Reader {
 public:
  Reader(const uint8_t* bytes, size_t size, int depth)
      : at_(bytes), end_(bytes + size), depth_(depth) {}

  const uint8_t* raw(uint64_t size) {
    if (size > left()) raise(ErrorKind::value, "[import] the file ends inside a graph.");
    const uint8_t* here = at_;
    at_ += size;
    return here;
  }
  template <class T> T get() {
    T value;
    std::memcpy(&value, raw(sizeof value), sizeof value);
    return value;
  }
  // A count of things that take at least so many bytes each.
  uint32_t count(size_t each) {
    const uint32_t value = get<uint32_t>();
    if (value > left() / each)
      raise(ErrorKind::value, "[import] a list of %u entries passes the end of the file.", value);
    return value;
  }
  std::string text() {
    const uint32_t size = count(1);
    return std::string(reinterpret_cast<const char*>(raw(size)), size);
  }
  Dtype dtype() {
    const uint8_t value = get<uint8_t>();
    if (value >= dtype_count) raise(ErrorKind::value, "[import] %d is no dtype.", value);
    return static_cast<Dtype>(value);
  }
  Dims dims() {
    const uint32_t size = count(sizeof(int64_t));
    std::vector<int64_t> values(size);
    if (size) std::memcpy(values.data(), raw(size * sizeof(int64_t)), size * sizeof(int64_t));
    return Dims(values.data(), size);
  }
  Dims shape() {
    Dims shape = dims();
    for (int64_t length : shape) {
      if (length < 0)
        raise(ErrorKind::value, "[import] the shape %s has a negative length.",
              shape.str().c_str());
    }
    element_count(shape);
    return shape;
  }
  Value value(int depth) {
    if (depth > deepest_value) raise(ErrorKind::value, "[import] parameters are nested too deep.");
    const uint8_t tag = get<uint8_t>();
    switch (static_cast<Value::Tag>(tag)) {
      case Value::Tag::none: return Value();
      case Value::Tag::boolean: return Value(get<uint8_t>() != 0);
      case Value::Tag::integer: return Value(get<int64_t>());
      case Value::Tag::real: return Value(get<double>());
      case Value::Tag::complex: {
        const double real = get<double>();
        return Value(std::complex<double>(real, get<double>()));
      }
      case Value::Tag::dtype: return Value(dtype());
      case Value::Tag::dims: return Value(dims());
      case Value::Tag::string: return Value(text());
      case Value::Tag::list: {
        List list;
        for (uint32_t n = count(1); n > 0; --n) list.push_back(value(depth + 1));
        return Value(std::move(list));
      }
      case Value::Tag::graph: {
        const uint64_t size = get<uint64_t>();
        return Value(std::make_shared<const Graph>(Reader(raw(size), size, depth + 1).graph()));
      }
      default: raise(ErrorKind::value, "[import] %d is no kind of parameter.", tag);
    }
  }

  Graph graph() {
    if (std::memcmp(raw(sizeof magic), magic, sizeof magic))
      raise(ErrorKind::value, "[import] these bytes are no graph.");
    const uint32_t found = get<uint32_t>();
    if (found != version) {
      raise(ErrorKind::value, "[import] the graph has version %u, this library reads version %u.",
            found, version);
    }
    std::vector<const Op*> ops;
    for (uint32_t n = count(4); n > 0; --n) {
      const std::string name = text();
      ops.push_back(find_op(name.c_str()));
      if (!ops.back())
        raise(ErrorKind::value, "[import] there is no operation named %s.", name.c_str());
    }
    Graph made;
    std::vector<std::vector<Edge>> nodes;
    for (uint32_t n = count(1); n > 0; --n) nodes.push_back(node(ops, nodes, &made));
    for (uint32_t n = count(8); n > 0; --n) made.outputs.push_back(edge(nodes));
    if (left()) raise(ErrorKind::value, "[import] %zu bytes follow the graph.", left());
    return made;
  }

 private:
  size_t left() const { return static_cast<size_t>(end_ - at_); }

  Edge edge(const std::vector<std::vector<Edge>>& nodes) {
    const uint32_t node = get<uint32_t>();
    const uint32_t output = get<uint32_t>();
    if (node >= nodes.size() || output >= nodes[node].size()) {
      raise(ErrorKind::value, "[import] output %u of node %u does not exist.", output, node);
    }
    return nodes[node][output];
  }

  std::vector<Edge> node(const std::vector<const Op*>& ops,
                         const std::vector<std::vector<Edge>>& nodes, Graph* graph) {
    const uint8_t tag = get<uint8_t>();
    switch (static_cast<NodeTag>(tag)) {
      case NodeTag::input: {
        const Dtype type = dtype();
        graph->inputs.push_back(placeholder(shape(), type, std::make_shared<ImportedInput>()));
        return {graph->inputs.back()};
      }
      case NodeTag::data: {
        std::vector<Edge> edges;
        for (uint32_t n = count(5); n > 0; --n) edges.push_back(data());
        return edges;
      }
      case NodeTag::constant: {
        const Dtype type = dtype();
        const Value held = value(depth_);
        const Value::Tag wanted = type == Dtype::bool_ ? Value::Tag::boolean
                                  : is_integer(type)   ? Value::Tag::integer
                                  : is_complex(type)   ? Value::Tag::complex
                                                       : Value::Tag::real;
        if (held.tag() != wanted)
          raise(ErrorKind::value, "[import] a constant of %s holds %s.", name(type),
                held.str().c_str());
        if (wanted == Value::Tag::boolean) return {constant(0, 0, held.boolean(), type)};
        if (wanted == Value::Tag::integer) return {constant(0, 0, held.integer(), type)};
        if (wanted == Value::Tag::real) return {constant(held.real(), 0, 0, type)};
        return {constant(held.complex().real(), held.complex().imag(), 0, type)};
      }
      case NodeTag::op: return operation(ops, nodes);
    }
    raise(ErrorKind::value, "[import] %d is no kind of node.", tag);
  }

  struct ImportedInput : Opaque {
    std::string str() const override { return "it is an input of an imported function."; }
  };

  Edge data() {
    const Dtype type = dtype();
    const Dims lengths = shape();
    const uint64_t size = static_cast<uint64_t>(element_count(lengths));
    if (size > left() / itemsize(type))
      raise(ErrorKind::value, "[import] an array of shape %s passes the end of the file.",
            lengths.str().c_str());
    const size_t bytes = size * itemsize(type);
    BufferRef buffer = allocate(bytes);
    if (bytes) std::memcpy(buffer->bytes, raw(bytes), bytes);
    return from_buffer(std::move(buffer), 0, lengths, row_major(lengths), type);
  }

  std::vector<Edge> operation(const std::vector<const Op*>& ops,
                              const std::vector<std::vector<Edge>>& nodes) {
    const uint32_t which = get<uint32_t>();
    if (which >= ops.size())
      raise(ErrorKind::value, "[import] operation %u is not in the file's list.", which);
    const Op& op = *ops[which];
    std::vector<Edge> inputs;
    for (uint32_t n = count(8); n > 0; --n) inputs.push_back(edge(nodes));
    List list;
    for (uint32_t n = count(1); n > 0; --n) list.push_back(value(depth_));
    std::vector<Dims> shapes;
    std::vector<Dtype> dtypes;
    for (uint32_t n = count(5); n > 0; --n) {
      dtypes.push_back(dtype());
      shapes.push_back(shape());
    }
    if (shapes.empty()) raise(ErrorKind::value, "[import] %s has no output.", op.name.c_str());
    const StreamId stream = default_stream(default_device());
    const auto expect_inputs = [&](size_t wanted) {
      if (inputs.size() != wanted) {
        raise(ErrorKind::value, "[import] %s takes %zu inputs, not %zu.", op.name.c_str(), wanted,
              inputs.size());
      }
    };
    Edge made;
    switch (op.kind) {
      case Kind::elementwise:
        expect_inputs(op.arity);
        made = elementwise(op, inputs.data(), static_cast<uint32_t>(inputs.size()), stream);
        break;
      case Kind::cast:
        expect_inputs(1);
        made = cast(inputs[0], dtypes[0], stream);
        break;
      case Kind::reduction:
        expect_inputs(1);
        if (list.size() != 2)
          raise(ErrorKind::value, "[import] %s takes axes and keepdims.", op.name.c_str());
        made = reduction(op, inputs[0], list[0].dims(), list[1].boolean(), stream);
        break;
      case Kind::movement:
        expect_inputs(1);
        if (op.id == op_trace_leaf) {
          made = inputs[0];
        } else {
          made = movement(op, inputs[0], Params(std::move(list)), stream);
        }
        break;
      case Kind::control:
      case Kind::structural: {
        const Edge held =
            Edge::adopt(structural(op, inputs.data(), static_cast<uint32_t>(inputs.size()),
                                   Params(std::move(list)), shapes.data(), dtypes.data(),
                                   static_cast<uint32_t>(shapes.size()), stream),
                        0);
        if (check_structural) check_structural(held.node());
        for (size_t i = 0; i < held.node()->params.size(); ++i) {
          const Value& param = held.node()->params[i];
          if (param.tag() == Value::Tag::graph) prepare(*param.graph());
        }
        std::vector<Edge> edges;
        for (uint32_t i = 0; i < shapes.size(); ++i) edges.emplace_back(held.node(), i);
        return edges;
      }
      default: raise(ErrorKind::value, "[import] %s is no operation of a file.", op.name.c_str());
    }
    if (shapes.size() != 1 || !(made.shape() == shapes[0]) || made.dtype() != dtypes[0]) {
      raise(ErrorKind::value, "[import] %s gives shape %s and dtype %s, the file says %s and %s.",
            op.name.c_str(), made.shape().str().c_str(), name(made.dtype()),
            shapes[0].str().c_str(), name(dtypes[0]));
    }
    return {made};
  }

  const uint8_t* at_;
  const uint8_t* end_;
  const int depth_;
};

}  // namespace

void set_structural_check(void (*check)(const Node* node)) { check_structural = check; }

std::vector<uint8_t> serialise(const Graph& graph) {
  evaluate_calls(graph);
  const Numbered all = numbered(graph);
  std::vector<uint32_t> op_numbers(op_count(), UINT32_MAX);
  std::vector<const Op*> used;
  const auto is_data = [&](size_t i) {
    return !all.is_input[i] && all.nodes[i]->op != op_constant && all.nodes[i]->evaluated();
  };
  for (size_t i = 0; i < all.nodes.size(); ++i) {
    const Node* node = all.nodes[i];
    if (all.is_input[i] || node->op == op_constant || is_data(i) ||
        op_numbers[node->op] != UINT32_MAX)
      continue;
    op_numbers[node->op] = static_cast<uint32_t>(used.size());
    used.push_back(&op(node->op));
  }
  Writer writer;
  writer.raw(magic, sizeof magic);
  writer.put(version);
  writer.put<uint32_t>(static_cast<uint32_t>(used.size()));
  for (const Op* each : used) writer.text(each->name);
  writer.put<uint32_t>(static_cast<uint32_t>(all.nodes.size()));
  // Writing data may evaluate, and evaluating marks: the numbers are taken first.
  std::vector<uint32_t> numbers;
  for (const Node* node : all.nodes) {
    for (uint32_t k = 0; k < node->input_count; ++k)
      numbers.push_back(all.number(node->inputs[k].node()));
  }
  std::vector<uint32_t> output_numbers;
  for (const Edge& edge : graph.outputs) output_numbers.push_back(all.number(edge.node()));
  size_t next = 0;
  for (size_t i = 0; i < all.nodes.size(); ++i) {
    Node* node = all.nodes[i];
    const size_t first = next;
    next += node->input_count;
    if (all.is_input[i]) {
      writer.put(NodeTag::input);
      writer.kind(node->outputs[0]);
    } else if (node->op == op_constant) {
      writer.put(NodeTag::constant);
      writer.put<uint8_t>(static_cast<uint8_t>(node->outputs[0].dtype));
      writer.value(node->params[0], "constant");
    } else if (is_data(i)) {
      writer.put(NodeTag::data);
      writer.put<uint32_t>(node->output_count);
      write_data(&writer, node);
    } else {
      const std::string& op_name = op(node->op).name;
      if (node->op == op_placeholder) {
        raise(ErrorKind::value, "[export] the graph needs a value that is none of its inputs.");
      }
      writer.put(NodeTag::op);
      writer.put<uint32_t>(op_numbers[node->op]);
      writer.put<uint32_t>(node->input_count);
      for (uint32_t k = 0; k < node->input_count; ++k) {
        writer.put<uint32_t>(numbers[first + k]);
        writer.put<uint32_t>(node->inputs[k].output());
      }
      writer.put<uint32_t>(static_cast<uint32_t>(node->params.size()));
      for (size_t k = 0; k < node->params.size(); ++k)
        writer.value(node->params[k], op_name.c_str());
      writer.put<uint32_t>(node->output_count);
      for (uint32_t k = 0; k < node->output_count; ++k) writer.kind(node->outputs[k]);
    }
  }
  writer.put<uint32_t>(static_cast<uint32_t>(graph.outputs.size()));
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    writer.put<uint32_t>(output_numbers[i]);
    writer.put<uint32_t>(graph.outputs[i].output());
  }
  return std::move(writer.bytes);
}

Graph parse(const uint8_t* bytes, size_t size) { return Reader(bytes, size, 0).graph(); }

std::string print(const Graph& graph) {
  const Numbered all = numbered(graph);
  const auto edge_text = [&](const Edge& edge) {
    std::string text = "%" + std::to_string(all.number(edge.node()));
    if (edge.node()->output_count > 1) text += "." + std::to_string(edge.output());
    return text;
  };
  std::string out = "graph: inputs " + std::to_string(graph.inputs.size()) + ", outputs " +
                    std::to_string(graph.outputs.size()) + "\n";
  for (size_t i = 0; i < all.nodes.size(); ++i) {
    const Node* node = all.nodes[i];
    out += "%" + std::to_string(i) + " = ";
    if (all.is_input[i]) {
      out += "input";
    } else if (node->op != op_constant && node->evaluated()) {
      out += "data";
    } else {
      out += op(node->op).name;
      for (uint32_t k = 0; k < node->input_count; ++k)
        out += (k ? ", " : " ") + edge_text(node->inputs[k]);
      for (size_t k = 0; k < node->params.size(); ++k)
        out += (k ? ", " : " [") + node->params[k].str();
      if (node->params.size()) out += "]";
    }
    for (uint32_t k = 0; k < node->output_count; ++k) {
      const Output& output = node->outputs[k];
      out += std::string(k ? ", " : " : ") + name(output.dtype) + output.shape.str();
    }
    out += "\n";
  }
  for (const Edge& edge : graph.outputs) out += "return " + edge_text(edge) + "\n";
  return out;
}

}  // namespace mlxk
