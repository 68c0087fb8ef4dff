// A recorded function made to stand for itself: what it captures becomes its first inputs.
#include "graph/lower.h"
#include "mlxk/error.h"

namespace mlxk {

namespace {

class Closing {
 public:
  Closing(const Graph& recorded, std::vector<Edge>* captured)
      : recorded_(recorded), captured_(*captured) {}

  Graph close() {
    std::vector<Node*> between;
    dependents(recorded_.outputs.data(), recorded_.outputs.size(), recorded_.inputs.data(),
               recorded_.inputs.size(), &between);
    epoch_ = next_epoch();
    std::vector<Edge> inputs;
    for (const Edge& edge : recorded_.inputs) {
      inputs.push_back(fresh(edge));
      remember(edge.node(), {inputs.back()});
    }
    for (Node* node : between) remember(node, copied(node));
    Graph closed;
    for (const Edge& edge : recorded_.outputs) closed.outputs.push_back(now(edge));
    closed.inputs = std::move(placeholders_);
    closed.inputs.insert(closed.inputs.end(), inputs.begin(), inputs.end());
    return closed;
  }

 private:
  static Edge fresh(const Edge& like) { return placeholder(like.shape(), like.dtype(), nullptr); }

  void remember(Node* node, std::vector<Edge> stands) {
    node->mark = epoch_ | edges_.size();
    edges_.push_back(std::move(stands));
  }

  // What an edge is inside: scalars stay, what is no part of the function is captured.
  Edge now(const Edge& edge) {
    Node* node = edge.node();
    if (node->op == op_constant) return edge;
    if (!marked(node, epoch_)) remember(node, std::vector<Edge>(node->output_count));
    Edge& stands = edges_[mark_index(node)][edge.output()];
    if (!stands) {
      stands = fresh(edge);
      placeholders_.push_back(stands);
      captured_.push_back(edge);
    }
    return stands;
  }

  std::vector<Edge> copied(const Node* like) {
    std::vector<Edge> inputs;  // made before the node, as everywhere
    for (uint32_t i = 0; i < like->input_count; ++i) inputs.push_back(now(like->inputs[i]));
    Node* node = new_node(like->op, like->input_count, like->output_count, like->stream);
    const Edge held = Edge::adopt(node, 0);
    node->source = like->source;
    node->params = like->params;
    node->trace = placeholder_trace;
    std::vector<Edge> edges;
    for (uint32_t i = 0; i < like->output_count; ++i) {
      node->outputs[i].shape = like->outputs[i].shape;
      node->outputs[i].dtype = like->outputs[i].dtype;
      edges.emplace_back(node, i);
    }
    for (uint32_t i = 0; i < like->input_count; ++i) node->inputs[i] = std::move(inputs[i]);
    return edges;
  }

  const Graph& recorded_;
  std::vector<Edge>& captured_;
  std::vector<Edge> placeholders_;
  std::vector<std::vector<Edge>> edges_;  // by the index in the marks; empty where not captured yet
  uint64_t epoch_ = 0;
};

}  // namespace

Graph close_over(const Graph& recorded, std::vector<Edge>* captured) {
  for (const Edge& edge : recorded.inputs) {
    if (edge.node()->output_count != 1)
      raise(ErrorKind::runtime, "[closure] an input is one of several outputs of a node.");
  }
  return Closing(recorded, captured).close();
}

}  // namespace mlxk
