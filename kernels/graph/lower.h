// The state of one lowering: graph to Program. lower.cpp drives it, fuse.cpp forms the groups of
// elementwise nodes, plan.cpp gives the slots their memory. Plain eval keeps one of these a thread
// and reuses its lists.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "mlxk/program.h"

namespace mlxk {

// A walk's marks: the epoch says that the mark is of this walk, the index is the walk's. Needs the
// graph lock.
constexpr int mark_index_bits = 28;  // 2^28 nodes are 36 GB
constexpr uint64_t mark_index_mask = (uint64_t{1} << mark_index_bits) - 1;
uint64_t next_epoch();  // in the high bits, index bits zero
inline bool marked(const Node* node, uint64_t epoch) {
  return (node->mark & ~mark_index_mask) == epoch;
}
inline uint32_t mark_index(const Node* node) {
  return static_cast<uint32_t>(node->mark & mark_index_mask);
}

// order() with a memory that is reused; the walk marks its nodes with `epoch`. A node that `stop`
// marks is not entered, nor one made before the sequence number `since`.
void collect(const Edge* roots, size_t count, bool through_evaluated, uint64_t epoch,
             std::vector<Node*>* out, uint64_t since = 0);

// What lowering asks of an op for every node, in 16 bytes.
struct OpInfo {
  const Kernel* kernel = nullptr;  // found on first use
  uint16_t formula = 0;
  uint16_t movement = 0;
  Kind kind = Kind::constant;
  bool effect = false;
  bool blocking = false;
};

// One output of a node in the set, or of an evaluated node that the set reads.
struct LoweredValue {
  uint32_t uses = 0;    // edges of the set that point at it
  int32_t slot = -1;    // -1: a member of the open group, or not reached yet
  int32_t layout = -1;  // in Lowering::layouts, valid with the slot
  uint16_t step = 0;    // place in the open group
  bool live = false;    // someone outside the set can reach it: it is bound to its node
  bool input = false;   // evaluated before
};

// Chains that were compiled lately: most graphs are evaluated again and again. A compiled chain may
// be moved.
class ChainCache {
 public:
  // The compiled form, in memory of the Program's.
  const void* code(const FusedChain& chain, CodeMemory* memory);

 private:
  static constexpr size_t size = 64;
  struct Entry {
    uint64_t hash = 0;
    std::vector<unsigned char> key;
    std::vector<unsigned char> code;
  };
  std::unique_ptr<Entry[]> entries_;
  std::vector<unsigned char> key_;
};

bool is_row_major(const Dims& shape, const Dims& strides);
size_t layout_bytes(const Layout& layout);  // of a row-major array of this shape and dtype
Immediate immediate_of(const Value& value, Dtype dtype);

// Prepares the graphs that unevaluated nodes above the roots hold, as checks_nans() wants them.
void prepare_inside(const Edge* roots, size_t count);

// Gives every slot its memory: in-place reuse, donation, ranges of the arena.
void plan(Program* program);

// What params[1] of a call node holds.
struct ProgramHolder : Opaque {
  explicit ProgramHolder(ProgramRef p) : program(std::move(p)) {}
  const ProgramRef program;
};
inline const ProgramRef& called_program(const Params& callee) {
  return static_cast<const ProgramHolder&>(*callee[1].opaque()).program;
}

class Lowering {
 public:
  struct Binding {  // a result that belongs to a node
    Node* node;
    uint32_t output;
    uint32_t slot;
    int32_t layout;
  };
  struct Input {
    Node* node;  // null: a graph input of a compiled Program
    uint32_t output;
    uint32_t uses;
    bool donatable;  // as far as edges go: every edge to it is of the set and will be dropped
  };

  Program* program = nullptr;
  std::vector<Node*> nodes;
  std::vector<Binding> bindings;
  std::vector<Input> inputs;
  std::vector<Layout> layouts;

  // Lowers the unevaluated ancestors of the roots into `into`, which is empty.
  void lower_roots(const Edge* roots, size_t count, Program* into);
  // The same with the graph's inputs as inputs: a Program that outlives the nodes.
  void lower_graph(const Graph& graph, Program* into);
  void clear();  // drops what it owns, keeps a sensible amount of memory

 private:
  // lower.cpp
  void count_uses();
  void lower_nodes();
  void lower_node(Node* node);
  void lower_movement(Node* node);
  void lower_kernel(Node* node, OpInfo& info);
  void lower_forward(Node* node);
  const Kernel* find_kernel(const Node* node, OpInfo& info);
  void prepare(const Edge& edge);
  void mark_live(Node* node);
  void lower_call(Node* node);
  void lower_control(Node* node);  // control.cpp
  void check_control(const Control& control, const std::vector<ProgramRef>& inside,
                     const Node* node) const;
  uint32_t add_value_range(Node* node, uint32_t count);
  LoweredValue& value(const Edge& edge) { return values_[mark_index(edge.node()) + edge.output()]; }
  LoweredValue& materialised(
      const Edge& edge);  // closes the open group if the edge is a member of it
  LoweredValue& constant_value(Node* node);
  void bind_input(Node* node, LoweredValue* value, uint32_t output);
  void bind(Node* node, uint32_t output, LoweredValue* value);
  OpInfo& info(OpId op) {
    if (op >= infos_.size()) grow_infos();
    return infos_[op];
  }
  void grow_infos();
  uint32_t add_slot(Slot::Kind kind, size_t bytes, StreamId stream);
  int32_t add_layout(Layout layout) {
    layouts.push_back(std::move(layout));
    return static_cast<int32_t>(layouts.size() - 1);
  }
  int32_t contiguous_layout(const Dims& shape, Dtype dtype);
  Operand operand(uint32_t slot, const Layout& layout);
  const int64_t* keep(const Dims& dims);
  void add_constant_slot(LoweredValue* value, BufferRef buffer, Layout layout);
  // An instruction is written by begin, its reads, its writes, finish. A read may put record and
  // wait before it.
  void begin(StreamId stream);
  void read(const Operand& operand);
  void write(const Operand& operand) { pending_.push_back(operand); }
  Instruction& finish(Instruction::Kind kind, const Node* node, int32_t workspace = -1);
  void copy(uint32_t* slot, int32_t* layout,
            const Node* node);  // replaces both by a row-major copy
  void join_streams(uint32_t slot);

  // fuse.cpp
  void add_to_group(Node* node, const OpInfo& info);
  void close_group();
  size_t group_prefix();
  void emit_group(size_t count);
  uint16_t chain_input(const Edge& edge, LoweredValue& value);
  uint16_t chain_immediate(const Immediate& immediate);

  uint64_t epoch_ = 0;
  bool compiled_ = false;
  std::vector<LoweredValue> values_;
  std::vector<OpInfo> infos_;
  std::vector<Operand> pending_;  // of the instruction that is being written
  std::vector<Tensor> tensors_;   // the same as a kernel's workspace() sees them
  std::vector<std::pair<uint32_t, int32_t>> prepared_;  // slot and layout of each input
  uint32_t pending_inputs_ = 0;
  StreamId stream_ = 0;

  // The open group: neighbours in the order with one iteration shape and stream.
  Node* group_[max_fused_steps];
  size_t group_size_ = 0;
  const LoweredValue* group_inputs_[max_fused_inputs];
  size_t group_input_count_ = 0;
  uint32_t group_uses_[max_fused_steps];  // of each member, by members

  ChainCache chains_;

  // The chain that emit_group writes.
  FusedStep steps_[max_fused_steps];
  Dtype chain_input_dtypes_[max_fused_inputs];
  const LoweredValue* chain_inputs_[max_fused_inputs];
  uint16_t chain_input_count_ = 0;
  Immediate immediates_[3 * max_fused_steps];
  uint16_t immediate_count_ = 0;

  Dims last_shape_, last_strides_;  // the latest row-major strides: most nodes share a shape

  struct Sync {  // `to` has waited for `from` up to this instruction
    StreamId from, to;
    uint32_t upto;
  };
  std::vector<Sync> syncs_;
};

}  // namespace mlxk
