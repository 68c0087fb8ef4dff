// Program: what eval, async_eval and compile lower a graph to, and the executor that runs it.
//
// A flat list of instructions over buffer slots with liveness, donation and fusion decided. print()
// is stable and verify() checks every invariant (always on in tests: MLXK_VERIFY=1). All lists are
// flat, so that plain eval can reuse one Program's memory for the next graph.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "mlxk/graph.h"
#include "mlxk/kernel.h"
#include "mlxk/runtime.h"

namespace mlxk {

struct Program;  // made by lower(), immutable afterwards, run by several threads at once
using ProgramRef = std::shared_ptr<const Program>;

struct Slot {
  enum class Kind : uint8_t {
    input,     // bound when run: an evaluated array
    constant,  // a buffer the Program owns
    planned,   // a range of the arena, which one allocation at the start of a run provides
    output,    // a buffer of its own, handed to an array at the end
  };
  Kind kind = Kind::planned;
  bool escapes = false;    // a result or a view that outlives the run: never overwritten in place
  bool exclusive = false;  // touched by several streams: its range is shared with no other slot
  StreamId stream = 0;     // of the instruction that writes it (input: that reads it first)
  uint32_t index = 0;      // input, constant, output: which of the Program's
  int32_t donor = -1;      // output: input slot whose buffer it takes over if a run may
  uint32_t storage = 0;    // the slot whose memory this one has: itself, unless in place
  uint32_t first = 0;      // instruction that writes it
  uint32_t last = 0;       // last instruction that touches it
  uint32_t scratch = 0;    // of the planner
  size_t bytes = 0;
  size_t offset = 0;  // planned: in the arena
};

struct Operand {       // a layout on a slot
  Tensor layout;       // data is null; shape and strides are kept by Program::dims
  int64_t offset = 0;  // bytes
  uint32_t slot = 0;
};

// A loop over a Program, or a choice between two: how they are fed, and where their results go.
// Offsets are in the instruction's workspace.
struct Control {
  enum class Form : uint8_t { scan, loop, branch };
  struct Result {
    int32_t output = -1;  // the output slot that is written where the result belongs, or -1: a copy
    Dims strides;         // row-major
  };
  struct Part {
    uint32_t program = 0;                         // in Program::programs
    size_t memory = 0;                            // its arena and frame
    size_t inputs = 0, outputs = 0, results = 0;  // lists of pointers
    std::vector<Result> of;
    std::vector<size_t> scratch;  // of each output slot that no result is bound to
  };
  enum class Carry : uint8_t { kept, in_place, alternating, stacked };
  struct Carried {
    Carry how = Carry::alternating;
    size_t bytes = 0;
    size_t spare = 0;   // alternating: the second buffer
    uint32_t same = 0;  // stacked: the result whose rows the carried array is
  };
  Form form = Form::scan;
  bool reverse = false;
  uint32_t first = 0, second = 0;  // captured arrays of the first and of the second Program
  int64_t length = 0;
  std::vector<Part> parts;  // scan: the body; loop: test and body; branch: the two sides
  std::vector<Carried> carries;
  std::vector<uint32_t> stacked;  // scan: the result of each output behind the carries
  size_t flag = 0;                // loop: where the test goes
};

struct Instruction {
  enum class Kind : uint8_t { fused, kernel, copy, call, control, record, wait };
  Kind kind = Kind::fused;
  StreamId stream = 0;
  OpId op = 0;
  uint32_t source = 0;    // Python line that built the (first) node
  uint32_t operands = 0;  // offset in Program::operands: the inputs, then the outputs
  uint32_t input_count = 0, output_count = 0;
  int32_t workspace = -1;  // slot
  uint32_t index = 0;      // in chains, params, programs, controls or events, by kind
  union {
    const Kernel* kernel = nullptr;
    const void* code;  // fused: what FusedEngine::compile wrote
  };
};

// Where a result of a compiled Program lies.
struct ProgramResult {
  uint32_t slot = 0;
  Layout layout;
};

// A chain as it was before compilation; kept for print and verify, not by plain eval.
struct ChainRecord {
  uint32_t steps, inputs, outputs, immediates;  // offsets in Program::chain_*
  uint16_t step_count, input_count, output_count, immediate_count;
};

// Memory that grows by blocks which never move.
class CodeMemory {
 public:
  void* take(size_t bytes);  // 64-byte aligned
  void clear();              // keeps the first block
  size_t capacity() const;

 private:
  struct Block {
    std::unique_ptr<unsigned char[]> bytes;
    size_t size = 0;
  };
  std::vector<Block> blocks_;
  size_t used_ = 0;
};

struct Program {
  std::vector<Slot> slots;
  std::vector<Operand> operands;
  std::vector<Instruction> instructions;
  std::vector<Layout> inputs;          // what each bound input must look like (compiled Programs)
  std::vector<uint32_t> input_slots;   // of each input
  std::vector<uint32_t> output_slots;  // the slots that own an output buffer
  std::vector<BufferRef> constants;
  std::vector<ProgramResult> results;  // compiled Programs
  std::vector<Dims> dims;
  std::vector<Params> params;
  std::vector<ProgramRef> programs;
  std::vector<Control> controls;
  std::vector<StreamId> streams;
  std::vector<ChainRecord> chains;
  std::vector<FusedStep> chain_steps;
  std::vector<Dtype> chain_dtypes;
  std::vector<Immediate> chain_immediates;
  CodeMemory code;
  size_t arena_bytes = 0;
  size_t frame_bytes = 0;  // what one run needs beside the arena: bases and operands
  uint32_t max_operands = 0;
  uint32_t event_count = 0;
  bool blocking = false;  // must run on its streams' own threads
  bool lasting = false;   // has loops: how long it takes says no size
  bool keep_chains = false;
  bool checked = false;  // the results of each instruction are searched for NaN and infinities

  void clear();  // for the next graph; keeps the memory
};

// Graph inputs become input slots (layout class as the edges have now); outputs become output
// slots.
ProgramRef lower(const Graph& graph);
std::string print(const Program& program);
void verify(const Program& program);  // raises a runtime error naming the broken invariant

// Plain eval: lowers the unevaluated ancestors, binds results to the nodes, runs on the calling
// thread where the stream is idle, else enqueues. Must be called with the graph lock;
// `unlock`/`lock` are called around running and waiting.
struct GraphLock {
  void* (*unlock)();
  void (*lock)(void* state);
  bool (*is_main)() = nullptr;  // whether this is the thread that takes signals; none: all are
};
void set_graph_lock(GraphLock lock);  // the face installs PyEval_SaveThread / RestoreThread
// A run that sees interrupt_requested() ends with a runtime error "[eval] interrupted."; the face
// then delivers the signal.
void eval(const Edge* roots, size_t count, bool async);

// Text of an interned source id ("train.py:12"), for errors raised while running. Called with or
// without the graph lock.
void set_source_names(std::string (*describe)(uint32_t source));
// The error being handled, with the line that made the node where its source is known. Called in a
// catch block.
std::exception_ptr located_error(uint32_t source);

// What the calls of a compiled function share, made once of its graph and that graph's Program.
Params callee(std::shared_ptr<const Graph> graph, ProgramRef program);
// A compiled call: the lazy node whose kind is Kind::call. Several outputs; evaluated by running
// the Program directly.
std::vector<Edge> call(const Params& callee, const Edge* arguments, size_t count, StreamId stream);

}  // namespace mlxk
