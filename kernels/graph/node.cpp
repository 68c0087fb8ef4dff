// Nodes live in 2 MB slabs. A free node stays constructed, with every owning field empty, and is
// linked through `mark`. All of this is under the graph lock but for the queue of references that
// other threads dropped.
#include "mlxk/node.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>
#include <vector>

#include "graph/blocks.h"
#include "mlxk/error.h"
#include "mlxk/op.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#endif

namespace mlxk {

static_assert(sizeof(Node) == 128);  // two cache lines: slabs lay nodes out from a multiple of it

namespace {

constexpr size_t slab_bytes =
    size_t{2} << 20;  // one huge page: its first touch costs a quarter of that of small ones
constexpr int64_t trim_from = 1 << 19;  // free nodes (67 MB) below which nothing is given back
constexpr int64_t trim_keep = 1 << 16;

struct Slab {
  Node* free_list;  // scratch of trim_nodes
  int64_t free_count;
  Node* nodes() { return reinterpret_cast<Node*>(reinterpret_cast<char*>(this) + sizeof(Node)); }
  static Slab* of(Node* node) {
    return reinterpret_cast<Slab*>(reinterpret_cast<uintptr_t>(node) & ~(slab_bytes - 1));
  }
};
constexpr int64_t slab_nodes = slab_bytes / sizeof(Node) - 1;  // the header has the first place

struct Pool {
  Node* free_list = nullptr;
  Node* fresh = nullptr;  // the last slab's part that was never used
  Node* fresh_end = nullptr;
  int64_t free_count = 0;  // in the list and fresh
  int64_t total = 0;
  Node* dying = nullptr;  // the worklist; it is never entered twice
  bool draining = false;
  uint64_t sequence = 0;
  uint32_t source = 0;
};
Pool pool;
std::vector<Slab*>& all_slabs() {
  static std::vector<Slab*>* const slabs =
      new std::vector<Slab*>;  // never destroyed: nodes outlive static destruction
  return *slabs;
}

struct Dropped {
  Node* node;
  Dropped* next;
};
std::atomic<Dropped*> dropped_outside{nullptr};

Node* next(Node* node) { return reinterpret_cast<Node*>(node->mark); }
void link(Node* node, Node* to) { node->mark = reinterpret_cast<uint64_t>(to); }

Slab* map_slab() {
  char* mapped = static_cast<char*>(
      mmap(nullptr, 2 * slab_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (mapped == MAP_FAILED) {
    raise(ErrorKind::memory, "[graph] no memory for the nodes of the graph: %lld nodes live.",
          static_cast<long long>(pool.total - pool.free_count));
  }
  const uintptr_t start = reinterpret_cast<uintptr_t>(mapped);
  const size_t before = (slab_bytes - (start & (slab_bytes - 1))) & (slab_bytes - 1);
  if (before) munmap(mapped, before);
  munmap(mapped + before + slab_bytes, slab_bytes - before);
#if defined(MADV_HUGEPAGE)
  // The first slab stays on small pages: most programs need only a few nodes.
  if (!all_slabs().empty()) madvise(mapped + before, slab_bytes, MADV_HUGEPAGE);
#endif
#if defined(__SANITIZE_ADDRESS__)
  // The leak detector does not look into mapped memory by itself.
  __lsan_register_root_region(mapped + before, slab_bytes);
#endif
  return reinterpret_cast<Slab*>(mapped + before);
}

__attribute__((noinline)) void add_slab() {
  std::vector<Slab*>& slabs = all_slabs();
  slabs.reserve(slabs.size() + 1);
  Slab* slab = map_slab();
  slabs.push_back(slab);
  pool.fresh = slab->nodes();
  pool.fresh_end = pool.fresh + slab_nodes;
  pool.free_count += slab_nodes;
  pool.total += slab_nodes;
}

// Empties the owning fields; a freed input joins the worklist.
inline void clear(Node* node) noexcept {
  for (uint32_t i = 0; i < node->input_count; ++i) node->inputs[i].drop();
  if (node->inputs != node->inline_inputs) delete[] node->inputs;
  if (!node->params.empty()) node->params = Params();
  if (node->outputs == &node->inline_output) {
    Output& output = node->inline_output;
    if (!output.shape.empty()) output.shape = Dims();
    if (!output.strides.empty()) output.strides = Dims();
    if (output.buffer) output.buffer = BufferRef();
  } else {
    delete[] node->outputs;
  }
}

void drain(Node* node) noexcept {
  pool.draining = true;
  for (;;) {
    clear(node);
    link(node, pool.free_list);
    pool.free_list = node;
    ++pool.free_count;
    node = pool.dying;
    if (!node) break;
    pool.dying = next(node);
  }
  pool.draining = false;
  if (pool.free_count > trim_from && pool.free_count > 8 * (pool.total - pool.free_count)) {
    trim_nodes();
  }
}

__attribute__((noinline)) void take_dropped_outside() noexcept {
  Dropped* dropped = dropped_outside.exchange(nullptr, std::memory_order_acquire);
  while (dropped) {
    Dropped* after = dropped->next;
    { const Edge held = Edge::adopt(dropped->node, 0); }
    give_block(dropped, sizeof(Dropped));
    dropped = after;
  }
}

__attribute__((noinline)) void give_room(Node* node, uint32_t inputs, uint32_t outputs) {
  Edge* more_inputs = inputs > 2 ? new Edge[inputs] : nullptr;
  if (more_inputs) node->inputs = more_inputs;
  if (outputs > 1) {
    try {
      node->outputs = new Output[outputs];
    } catch (...) {
      delete[] more_inputs;
      node->inputs = node->inline_inputs;
      throw;
    }
  }
}

// ---- traces ----------------------------------------------------------------------------------------------------

struct Traces {
  uint32_t open = 0;
  int next_bit = 0;
  // Evaluated nodes whose edges an open trace keeps, by the trace's bit. One that only the list
  // holds is dropped when the list has doubled.
  std::vector<Edge> kept[31];
  size_t prune_at[31] = {};
};
Traces& traces() {
  static Traces* const all = new Traces;  // never destroyed: nodes may outlive static destruction
  return *all;
}

void drop_edges(Node* node) {
  for (uint32_t i = 0; i < node->input_count; ++i) node->inputs[i] = Edge();
  if (node->inputs != node->inline_inputs) {
    delete[] node->inputs;
    node->inputs = node->inline_inputs;
  }
  node->input_count = 0;
  node->params = Params();
}

void keep(Node* node, uint32_t wanted) {
  Traces& all = traces();
  const int bit = __builtin_ctz(wanted);
  std::vector<Edge>& list = all.kept[bit];
  if (list.size() >= all.prune_at[bit]) {
    std::erase_if(list, [](const Edge& edge) {
      return edge.node()->refs.load(std::memory_order_acquire) == 1;
    });
    all.prune_at[bit] = std::max<size_t>(1024, 2 * list.size());
  }
  list.emplace_back(node, 0);
}

}  // namespace

#if defined(__linux__)
constinit thread_local bool outside_lock __attribute__((tls_model("initial-exec"))) = false;
#else
constinit thread_local bool outside_lock = false;
#endif

void free_node(Node* node) noexcept {
  if (pool.draining) {
    link(node, pool.dying);
    pool.dying = node;
  } else {
    drain(node);
  }
}

void drop_later(Node* node) noexcept {
  Dropped* dropped;
  try {
    dropped = static_cast<Dropped*>(take_block(sizeof(Dropped)));
  } catch (const std::bad_alloc&) { return; }  // the node stays: the process has worse troubles
  dropped->node = node;
  dropped->next = dropped_outside.load(std::memory_order_relaxed);
  while (!dropped_outside.compare_exchange_weak(dropped->next, dropped, std::memory_order_release,
                                                std::memory_order_relaxed)) {}
}

Node* new_node(OpId op, uint32_t inputs, uint32_t outputs, StreamId stream) {
  if (dropped_outside.load(std::memory_order_relaxed)) [[unlikely]]
    take_dropped_outside();
  Node* node = pool.free_list;
  if (node) [[likely]] {
    pool.free_list = next(node);
    node->refs.store(1, std::memory_order_relaxed);
    node->trace = 0;
    node->mark = 0;
    node->inline_output.offset = 0;
  } else {
    if (pool.fresh == pool.fresh_end) add_slab();
    node = new (pool.fresh++) Node;
  }
  --pool.free_count;
  node->op = op;
  node->stream = stream;
  node->input_count = inputs;
  node->output_count = outputs;
  node->source = pool.source;
  node->sequence = ++pool.sequence;
  node->inputs = node->inline_inputs;
  node->outputs = &node->inline_output;
  if (inputs > 2 || outputs > 1) [[unlikely]] {
    try {
      give_room(node, inputs, outputs);
    } catch (...) {
      node->input_count = 0;
      node->output_count = 1;
      free_node(node);
      throw;
    }
  }
  return node;
}

void detach(Node* node) {
  if (node->input_count == 0) return;  // constants and data keep what they are
  const uint32_t wanted = node->trace & traces().open;
  if (wanted) {
    keep(node, wanted);
  } else {
    drop_edges(node);
  }
}

uint32_t open_trace() {
  Traces& all = traces();
  if (all.open == 0x7fffffffu) {
    raise(ErrorKind::runtime,
          "[trace] 31 transforms are open, of all threads together: no more fit.");
  }
  // Round robin, so that a bit is taken again as late as can be.
  while (all.open >> all.next_bit & 1) all.next_bit = (all.next_bit + 1) % 31;
  const uint32_t mask = 1u << all.next_bit;
  all.next_bit = (all.next_bit + 1) % 31;
  all.open |= mask;
  return mask;
}

void close_trace(uint32_t mask) {
  Traces& all = traces();
  mask &= all.open;
  all.open &= ~mask;
  for (int bit = 0; bit < 31; ++bit) {
    if (!(mask >> bit & 1)) continue;
    std::vector<Edge> list;
    list.swap(all.kept[bit]);
    all.prune_at[bit] = 0;
    for (Edge& edge : list) {
      Node* node = edge.node();
      if (node->refs.load(std::memory_order_acquire) > 1)
        detach(node);  // another open trace may want it
    }
  }
}

uint32_t open_traces() { return traces().open; }

uint32_t live_trace(uint32_t bits) { return bits & (traces().open | placeholder_trace); }

uint32_t set_source(uint32_t source) { return std::exchange(pool.source, source); }

bool outside_graph_lock(bool now) noexcept { return std::exchange(outside_lock, now); }

GraphStatistics graph_statistics() {
  if (dropped_outside.load(std::memory_order_relaxed)) take_dropped_outside();
  return {pool.total - pool.free_count, pool.free_count};
}

void trim_nodes() {
  std::vector<Slab*>& slabs = all_slabs();
  for (Slab* slab : slabs) {
    slab->free_list = nullptr;
    slab->free_count = 0;
  }
  int64_t fresh = pool.fresh_end - pool.fresh;
  for (Node* node = pool.free_list; node;) {
    Node* after = next(node);
    Slab* slab = Slab::of(node);
    link(node, slab->free_list);
    slab->free_list = node;
    ++slab->free_count;
    node = after;
  }
  pool.free_list = nullptr;
  int64_t kept = fresh;
  size_t count = 0;
  // Partly used slabs first, so that whole ones are what is left to give back.
  for (Slab* slab : slabs) {
    if (slab->free_count < slab_nodes) kept += slab->free_count;
  }
  for (Slab* slab : slabs) {
    if (slab->free_count == slab_nodes) {
      if (kept >= trim_keep) {
#if defined(__SANITIZE_ADDRESS__)
        __lsan_unregister_root_region(slab, slab_bytes);
#endif
        munmap(slab, slab_bytes);
        pool.total -= slab_nodes;
        pool.free_count -= slab_nodes;
        continue;
      }
      kept += slab_nodes;
    }
    slabs[count++] = slab;
    // Chained slab by slab: neighbours in the list are neighbours in memory.
    for (Node* node = slab->free_list; node;) {
      Node* after = next(node);
      link(node, pool.free_list);
      pool.free_list = node;
      node = after;
    }
  }
  slabs.resize(count);
}

}  // namespace mlxk
