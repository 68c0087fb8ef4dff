// Program: what eval, async_eval and compile lower a graph to, and the executor that runs it.
//
// A flat list of instructions over buffer slots with liveness, donation and fusion decided. print() is stable and
// verify() checks every invariant (always on in tests: MLXK_VERIFY=1).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "mlxk/graph.h"
#include "mlxk/kernel.h"
#include "mlxk/runtime.h"

namespace mlxk {

struct Slot {
  enum class Kind : uint8_t {
    input,      // bound when run: an evaluated array
    constant,   // a buffer the Program owns
    planned,    // allocated at the start of a run; may share an arena range with others whose lives do not overlap
    output,     // planned, and handed to an array at the end
  };
  Kind kind;
  uint32_t input = 0;         // input: index among the bound inputs
  size_t bytes = 0;           // planned, output
  int32_t donor = -1;         // slot whose buffer this one takes over where the run finds it donatable
};

struct Operand {              // a layout on a slot
  uint32_t slot;
  Layout layout;
};

struct Instruction {
  enum class Kind : uint8_t { fused, kernel, copy, call, wait, record };
  Kind kind;
  StreamId stream;
  std::vector<Operand> inputs, outputs;
  const Kernel* kernel = nullptr;
  OpId op = 0;
  Params params;
  int32_t workspace = -1;     // slot
  uint32_t chain = 0;         // fused: offset of the compiled chain in the Program's code block
  uint32_t source = 0;        // Python line that built the (first) node
};

class Program;  // program.cpp holds the members; made by lower(), immutable afterwards, run by several threads at once
using ProgramRef = std::shared_ptr<const Program>;

// Graph inputs become input slots (layout class as the edges have now); outputs become output slots.
ProgramRef lower(const Graph& graph);
std::string print(const Program& program);
void verify(const Program& program);  // raises a runtime error naming the broken invariant

// Plain eval: lowers the unevaluated ancestors, binds results to the nodes, runs on the calling thread where the stream is
// idle, else enqueues. Must be called with the graph lock; `unlock`/`lock` are called around running and waiting.
struct GraphLock {
  void* (*unlock)();
  void (*lock)(void* state);
};
void set_graph_lock(GraphLock lock);  // the face installs PyEval_SaveThread / RestoreThread
void eval(const Edge* roots, size_t count, bool async);

// A compiled call: the lazy node whose kind is Kind::call. Several outputs; evaluated by running the Program directly.
// donate[i]: the caller gives up argument i (its handle is rebound by inputs=/outputs=).
std::vector<Edge> call(std::shared_ptr<const Graph> graph, ProgramRef program, const Edge* arguments, size_t count,
                       StreamId stream);

}  // namespace mlxk
