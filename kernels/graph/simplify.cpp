// Rewrites under compile: common subexpressions, dead code, identity casts. None changes a bit of a
// result: x + 0 is not x where x is -0, so arithmetic is left alone. Ops with effects are never
// merged; what no output needs is not there, because the outputs are where every walk starts.
#include <unordered_map>

#include "graph/lower.h"

namespace mlxk {

namespace {

size_t mix(size_t seed, size_t value) {
  return (seed ^ value) * 0x9e3779b97f4a7c15ull + (seed >> 29);
}

struct Simplifier {
  std::vector<Edge> results;  // what stands for each output of each node now, by the marks
  std::unordered_multimap<size_t, const Node*> known;
  uint64_t epoch = 0;

  Edge now(const Edge& edge) const {
    return marked(edge.node(), epoch) ? results[mark_index(edge.node()) + edge.output()] : edge;
  }

  size_t hash(const Node* node, const std::vector<Edge>& inputs) const {
    size_t seed = mix(node->op, node->stream);
    seed = mix(seed, node->params.hash());
    seed = mix(seed, static_cast<size_t>(node->outputs[0].dtype));
    for (const Edge& edge : inputs)
      seed = mix(mix(seed, reinterpret_cast<size_t>(edge.node())), edge.output());
    return seed;
  }

  static bool equal(const Node* a, const Node* b, const std::vector<Edge>& inputs) {
    if (a->op != b->op || a->stream != b->stream || a->output_count != b->output_count ||
        a->input_count != inputs.size() || !(a->params == b->params)) {
      return false;
    }
    for (uint32_t i = 0; i < a->output_count; ++i) {
      if (a->outputs[i].dtype != b->outputs[i].dtype ||
          !(a->outputs[i].shape == b->outputs[i].shape))
        return false;
    }
    for (uint32_t i = 0; i < a->input_count; ++i) {
      if (!(a->inputs[i] == inputs[i])) return false;
    }
    return true;
  }
};

}  // namespace

void simplify(Graph* graph) {
  graph->program.reset();
  std::vector<Node*> nodes;
  const uint64_t stop = next_epoch();
  for (const Edge& edge : graph->inputs) edge.node()->mark = stop;
  collect(graph->outputs.data(), graph->outputs.size(), false, stop, &nodes);

  Simplifier state;
  state.epoch = next_epoch();
  std::vector<Edge> inputs;
  bool copies = false;
  for (Node* node : nodes) {
    inputs.clear();
    // A copy is younger than all nodes of the graph. If those after it were not copied they would
    // come before it in the order, and neighbours that fuse would be torn apart.
    bool changed = copies && node->input_count && op(node->op).kind != Kind::placeholder;
    for (uint32_t i = 0; i < node->input_count; ++i) {
      inputs.push_back(state.now(node->inputs[i]));
      changed |= !(inputs.back() == node->inputs[i]);
    }
    const uint32_t output_count = node->output_count;
    const size_t index = state.results.size();
    const Op& which = op(node->op);
    if (which.kind == Kind::cast && inputs[0].dtype() == node->outputs[0].dtype) {
      state.results.push_back(inputs[0]);
    } else {
      const Node* same = nullptr;
      size_t key = 0;
      if (!which.effect && which.kind != Kind::placeholder) {
        key = state.hash(node, inputs);
        const auto range = state.known.equal_range(key);
        for (auto at = range.first; at != range.second && !same; ++at) {
          if (Simplifier::equal(at->second, node, inputs)) same = at->second;
        }
      }
      Edge stands(const_cast<Node*>(same ? same : node), 0);
      if (!same && changed) {
        copies = true;
        Node* copy = new_node(node->op, node->input_count, output_count, node->stream);
        stands = Edge::adopt(copy, 0);
        copy->source = node->source;
        copy->trace = node->trace;
        copy->params = node->params;
        for (uint32_t i = 0; i < node->input_count; ++i) copy->inputs[i] = inputs[i];
        for (uint32_t i = 0; i < output_count; ++i) {
          copy->outputs[i].shape = node->outputs[i].shape;
          copy->outputs[i].dtype = node->outputs[i].dtype;
        }
      }
      if (!same && !which.effect && which.kind != Kind::placeholder)
        state.known.emplace(key, stands.node());
      for (uint32_t i = 0; i < output_count; ++i) state.results.emplace_back(stands.node(), i);
    }
    node->mark = state.epoch | index;
  }
  for (Edge& edge : graph->outputs) edge = state.now(edge);
}

}  // namespace mlxk
