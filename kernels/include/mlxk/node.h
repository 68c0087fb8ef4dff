// Node: one lazy operation; Edge: one of its outputs, the thing an array handle points at.
//
// Nodes are pooled structs with a reference count, released by a worklist, so that a chain of 10^7
// never overflows the stack. A node is immutable but for its results (buffer, strides, offset), its
// inputs (dropped when it has been evaluated) and the scratch words of the walks. Nodes are made,
// walked, lowered and counted under the graph lock (the GIL in Python): so counting locks nothing,
// which would cost more than the rest of a node. A thread without the graph lock may drop edges,
// never copy them: what it drops waits in a queue for the next holder.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "mlxk/buffer.h"
#include "mlxk/dims.h"
#include "mlxk/dtype.h"
#include "mlxk/value.h"

namespace mlxk {

using OpId = uint16_t;
using StreamId = uint16_t;  // index in the Runtime's table of streams
struct Node;

void free_node(Node* node) noexcept;   // the worklist
void drop_later(Node* node) noexcept;  // one reference of a thread without the graph lock

// Whether this thread is known not to hold the graph lock: see outside_graph_lock.
#if defined(__linux__)
extern constinit thread_local bool outside_lock __attribute__((tls_model("initial-exec")));
#else
extern constinit thread_local bool outside_lock;
#endif

class Edge {  // owns one reference to its node
 public:
  Edge() = default;
  Edge(Node* node, uint32_t output) noexcept;  // retains
  static Edge adopt(Node* node, uint32_t output) noexcept {
    Edge edge;
    edge.node_ = node;
    edge.output_ = output;
    return edge;
  }
  Edge(const Edge& other) noexcept;
  Edge(Edge&& other) noexcept
      : node_(std::exchange(other.node_, nullptr)), output_(other.output_) {}
  Edge& operator=(Edge other) noexcept {
    std::swap(node_, other.node_);
    std::swap(output_, other.output_);
    return *this;
  }
  ~Edge();
  inline void drop() noexcept;  // under the graph lock: leaves an edge of nothing
  Node* node() const { return node_; }
  uint32_t output() const { return output_; }
  explicit operator bool() const { return node_ != nullptr; }
  bool operator==(const Edge& other) const {
    return node_ == other.node_ && output_ == other.output_;
  }

  const Dims& shape() const;
  Dtype dtype() const;

 private:
  Node* node_ = nullptr;
  uint32_t output_ = 0;
};

struct Output {
  Dims shape;
  Dims strides;             // in elements; set together with buffer
  BufferRef buffer;         // null until the node is scheduled
  int64_t offset : 56 = 0;  // bytes from buffer->bytes to the first element
  Dtype dtype : 8 = Dtype::float32;
};

struct Node {
  std::atomic<uint32_t> refs{1};  // changed under the graph lock only, so by plain instructions
  OpId op = 0;
  StreamId stream = 0;
  uint32_t input_count = 0;
  uint32_t output_count = 1;
  uint32_t trace = 0;     // bit per open trace this node depends on; eval keeps the edges of a node
                          // with an open bit
  uint32_t source = 0;    // interned (code, offset) of the first frame outside mlx; 0 unknown
  uint64_t sequence = 0;  // order of creation: the tie-break of every walk
  uint64_t mark = 0;      // scratch of walks: epoch in the high bits, index in the low ones
  Params params;
  Edge* inputs = nullptr;     // inline_inputs or the heap
  Output* outputs = nullptr;  // &inline_output or the heap
  Edge inline_inputs[2];
  Output inline_output;

  bool evaluated() const { return static_cast<bool>(outputs[0].buffer); }  // scheduled at least
};

inline Edge::Edge(Node* node, uint32_t output) noexcept : node_(node), output_(output) {
#if defined(MLXK_SANITIZED)
  if (outside_lock) __builtin_trap();
#endif
  if (node_) {
    node_->refs.store(node_->refs.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
}
inline Edge::Edge(const Edge& other) noexcept : Edge(other.node_, other.output_) {}
inline void Edge::drop() noexcept {
  Node* node = std::exchange(node_, nullptr);
  if (!node) return;
  const uint32_t left = node->refs.load(std::memory_order_relaxed) - 1;
  if (left == 0) {
    free_node(node);
  } else {
    node->refs.store(left, std::memory_order_relaxed);
  }
}
inline Edge::~Edge() {
  if (!node_) return;
  if (outside_lock) [[unlikely]] {
    drop_later(node_);
    return;
  }
  drop();
}
inline const Dims& Edge::shape() const { return node_->outputs[output_].shape; }
inline Dtype Edge::dtype() const { return node_->outputs[output_].dtype; }

// Takes a pooled node with room for the inputs and outputs; sequence and source are set, the trace
// is the maker's to set.
Node* new_node(OpId op, uint32_t inputs, uint32_t outputs, StreamId stream);
// Drops inputs and params of an evaluated node, unless an open trace wants them (then it is put on
// that trace's list).
void detach(Node* node);

// Traces: open_trace returns a one-bit mask; close_trace detaches what eval had kept for it.
uint32_t open_trace();
void close_trace(uint32_t mask);
uint32_t open_traces();  // the bits that are open now
constexpr uint32_t placeholder_trace =
    0x80000000u;  // depends on a placeholder; never opened or closed
// The trace word of a node whose inputs carry these bits: closed traces are forgotten.
uint32_t live_trace(uint32_t bits);

// The source id that new nodes get; the face sets it before it builds, a rule runs under its
// node's. Returns the former.
uint32_t set_source(uint32_t source);

// A thread that does not hold the graph lock says so: edges it drops wait in a queue for the next
// holder. Threads of the runtime hold one of these for their whole life, GraphLock::unlock and lock
// call outside_graph_lock.
bool outside_graph_lock(bool outside) noexcept;  // of this thread; returns the former
struct WithoutGraphLock {
  WithoutGraphLock() noexcept : former(outside_graph_lock(true)) {}
  ~WithoutGraphLock() { outside_graph_lock(former); }
  WithoutGraphLock(const WithoutGraphLock&) = delete;
  const bool former;
};

struct GraphStatistics {
  int64_t live_nodes, pooled_nodes;
};
GraphStatistics graph_statistics();
void trim_nodes();  // gives slabs without a live node back; done by itself when free nodes
                    // outnumber live ones by far

}  // namespace mlxk
