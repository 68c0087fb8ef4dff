// Graph: a recorded function, inputs (placeholders or leaves) to outputs; and the walks over nodes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "mlxk/node.h"
#include "mlxk/op.h"

namespace mlxk {

struct Program;

struct Graph {
  std::vector<Edge> inputs;  // placeholder (or leaf) outputs
  std::vector<Edge> outputs;
  // What prepare() made of it: a control node holds graphs, and each run of it these Programs.
  mutable std::shared_ptr<const Program> program = nullptr;
};

// Unevaluated ancestors of the roots in a topological order; ties break by sequence number.
// Iterative. With stop set, a node in it is not entered (its edges are inputs). With
// through_evaluated, evaluated nodes that still hold inputs (open traces) are entered too: what the
// transforms walk.
void order(const Edge* roots, size_t count, bool through_evaluated, std::vector<Node*>* out);

// The nodes of order(roots) that depend on one of the leaves, in order: what vjp, jvp and vmap
// walk.
void dependents(const Edge* roots, size_t root_count, const Edge* leaves, size_t leaf_count,
                std::vector<Node*>* out);

// The graph with its inputs replaced: new nodes for everything that depends on an input (inlining a
// compiled call).
std::vector<Edge> substitute(const Graph& graph, const Edge* arguments, size_t count);

// A recorded function as a graph that stands for itself: its inputs are placeholders for the
// captured arrays (edges that the outputs need and that depend on no input), then the given ones;
// all nodes between are new. The captured edges are appended.
Graph close_over(const Graph& recorded, std::vector<Edge>* captured);

// Lowers the graph, unless that has been done.
void prepare(const Graph& graph);

// Common subexpressions, dead code, identity casts: under compile only. No rewrite changes a bit.
void simplify(Graph* graph);

std::string print(const Graph& graph);               // stable text
std::vector<uint8_t> serialise(const Graph& graph);  // op names, params, shapes, a version
Graph parse(const uint8_t* bytes,
            size_t size);  // hostile bytes: every length is checked, kinds are inferred again
// Called by parse for each structural node: raises where inputs, params, shapes and dtypes are not
// what the op's infer (Python) gives. Without it a hostile file could lie to a kernel.
void set_structural_check(void (*check)(const Node* node));

}  // namespace mlxk
