// Replacing the inputs of a graph, and the lazy node of a compiled call.
#include "graph/lower.h"
#include "mlxk/error.h"

namespace mlxk {

namespace {

// A node like `like` over other inputs of the same shapes and dtypes.
Node* copy_node(const Node* like, const std::vector<Edge>& inputs) {
  Node* node = new_node(like->op, like->input_count, like->output_count, like->stream);
  node->source = like->source;
  node->params = like->params;
  for (uint32_t i = 0; i < like->output_count; ++i) {
    node->outputs[i].shape = like->outputs[i].shape;
    node->outputs[i].dtype = like->outputs[i].dtype;
  }
  uint32_t bits = 0;
  for (uint32_t i = 0; i < like->input_count; ++i) {
    bits |= inputs[i].node()->trace;
    node->inputs[i] = inputs[i];
  }
  if (like->op == op_trace_leaf) bits |= like->trace & ~placeholder_trace;
  node->trace = live_trace(bits);
  return node;
}

// The shapes changed: infer again, by kind.
Edge infer_again(const Node* like, const std::vector<Edge>& inputs) {
  const Op& which = op(like->op);
  const uint32_t former = set_source(like->source);
  struct Restore {
    uint32_t source;
    ~Restore() { set_source(source); }
  } restore{former};
  switch (which.kind) {
    case Kind::elementwise:
      return elementwise(which, inputs.data(), like->input_count, like->stream);
    case Kind::cast: return cast(inputs[0], like->outputs[0].dtype, like->stream);
    case Kind::reduction:
      return reduction(which, inputs[0], like->params[0].dims(), like->params[1].boolean(),
                       like->stream);
    case Kind::movement:
      if (like->op == op_trace_leaf) return trace_leaf(inputs[0], like->trace & ~placeholder_trace);
      return movement(which, inputs[0], like->params, like->stream);
    default:
      raise(ErrorKind::value, "[%s] the shape %s is not the one the graph was recorded with.",
            which.name.c_str(), like->input_count ? inputs[0].shape().str().c_str() : "()");
  }
}

}  // namespace

std::vector<Edge> substitute(const Graph& graph, const Edge* arguments, size_t count) {
  if (count != graph.inputs.size()) {
    raise(ErrorKind::value, "[compile] a graph of %zu inputs got %zu.", graph.inputs.size(), count);
  }
  std::vector<Node*> nodes;
  std::vector<Edge> replaced;  // by index in the marks; what a node keeps as it is has none
  const uint64_t epoch = next_epoch();
  for (size_t i = 0; i < count; ++i) {
    Node* node = graph.inputs[i].node();
    if (node->output_count != 1) {
      raise(ErrorKind::runtime,
            "[compile] an input of a graph is one of several outputs of a node.");
    }
    if (marked(node, epoch)) continue;
    node->mark = epoch | replaced.size();
    replaced.push_back(arguments[i]);
  }
  // collect() does not enter the inputs; nodes that it finds get their index when they are
  // replaced.
  collect(graph.outputs.data(), graph.outputs.size(), true, epoch, &nodes);
  const uint64_t done = next_epoch();
  for (size_t i = 0; i < count; ++i)
    graph.inputs[i].node()->mark = done | mark_index(graph.inputs[i].node());
  std::vector<Edge> inputs;
  for (Node* node : nodes) {
    bool depends = false;
    for (uint32_t i = 0; i < node->input_count; ++i)
      depends |= marked(node->inputs[i].node(), done);
    if (!depends) continue;
    inputs.clear();
    bool same = true;
    for (uint32_t i = 0; i < node->input_count; ++i) {
      const Edge& edge = node->inputs[i];
      const bool other = marked(edge.node(), done);
      inputs.push_back(other ? replaced[mark_index(edge.node()) + edge.output()] : edge);
      const Edge& now = inputs.back();
      same = same && now.dtype() == edge.dtype() && now.shape() == edge.shape();
    }
    node->mark = done | replaced.size();
    if (replaced.size() + node->output_count > mark_index_mask) {
      raise(ErrorKind::memory, "[compile] a graph of %zu nodes is too large.", nodes.size());
    }
    if (same) {
      const Edge made = Edge::adopt(copy_node(node, inputs), 0);
      for (uint32_t k = 0; k < node->output_count; ++k) replaced.emplace_back(made.node(), k);
    } else {
      replaced.push_back(infer_again(node, inputs));
    }
  }
  std::vector<Edge> results;
  results.reserve(graph.outputs.size());
  for (const Edge& edge : graph.outputs) {
    const bool other = marked(edge.node(), done);
    results.push_back(other ? replaced[mark_index(edge.node()) + edge.output()] : edge);
  }
  return results;
}

Params callee(std::shared_ptr<const Graph> graph, ProgramRef program) {
  return Params::of(std::move(graph),
                    std::shared_ptr<Opaque>(std::make_shared<ProgramHolder>(std::move(program))));
}

std::vector<Edge> call(const Params& callee, const Edge* arguments, size_t count, StreamId stream) {
  const std::shared_ptr<const Graph>& graph = callee[0].graph();
  const ProgramRef& program = called_program(callee);
  if (count != program->inputs.size() || graph->inputs.size() != count) {
    raise(ErrorKind::value, "[compile] a function of %zu arrays got %zu.", program->inputs.size(),
          count);
  }
  uint32_t bits = 0;
  for (size_t i = 0; i < count; ++i) {
    const Layout& wanted = program->inputs[i];
    if (!(wanted.shape == arguments[i].shape()) || wanted.dtype != arguments[i].dtype()) {
      raise(ErrorKind::value,
            "[compile] argument %zu has shape %s and dtype %s, where the function was compiled for "
            "%s "
            "and %s.",
            i, arguments[i].shape().str().c_str(), name(arguments[i].dtype()),
            wanted.shape.str().c_str(), name(wanted.dtype));
    }
    bits |= live_trace(arguments[i].node()->trace);
  }
  // A transform sees through the call; several streams and collectives are for the outermost
  // Program to order.
  if (bits || program->streams.size() > 1 || program->blocking || program->results.empty()) {
    return substitute(*graph, arguments, count);
  }
  const uint32_t outputs = static_cast<uint32_t>(program->results.size());
  Node* node = new_node(op_call, static_cast<uint32_t>(count), outputs, stream);
  Edge made = Edge::adopt(node, 0);
  for (uint32_t i = 0; i < outputs; ++i) {
    node->outputs[i].shape = program->results[i].layout.shape;
    node->outputs[i].dtype = program->results[i].layout.dtype;
  }
  for (size_t i = 0; i < count; ++i) node->inputs[i] = arguments[i];
  node->params = callee;
  if (outputs == 1) {
    std::vector<Edge> result;
    result.push_back(std::move(made));
    return result;
  }
  // Each result gets a node of its own, so that each can be given up by itself: a training step
  // that keeps its loss still donates its parameters.
  std::vector<Edge> results;
  results.reserve(outputs);
  for (uint32_t i = 0; i < outputs; ++i) {
    Node* one = new_node(op_call, 1, 1, stream);
    one->source = node->source;
    one->outputs[0].shape = node->outputs[i].shape;
    one->outputs[0].dtype = node->outputs[i].dtype;
    one->inputs[0] = Edge(node, i);
    results.push_back(Edge::adopt(one, 0));
  }
  return results;
}

}  // namespace mlxk
