// The walks. The inputs of a node were made before it, so the order of creation is a topological
// order in which every tie is broken by sequence number: a walk collects the reachable nodes and
// puts them in that order. Collecting uses the result itself as its queue and marks the nodes in
// place: no hash map, and no recursion.
#include <algorithm>

#include "graph/lower.h"
#include "mlxk/error.h"

namespace mlxk {

namespace {

uint64_t epoch_count = 0;  // under the graph lock

void sort_by_sequence(std::vector<Node*>* nodes, size_t from) {
  Node** begin = nodes->data() + from;
  Node** end = nodes->data() + nodes->size();
  const size_t count = end - begin;
  bool descending = true;
  bool ascending = true;
  uint64_t least = begin[0]->sequence;
  uint64_t greatest = least;
  for (size_t i = 1; i < count; ++i) {
    const uint64_t here = begin[i]->sequence;
    if (here > begin[i - 1]->sequence) {
      descending = false;
    } else {
      ascending = false;
    }
    least = std::min(least, here);
    greatest = std::max(greatest, here);
  }
  if (ascending) return;
  if (descending) {
    std::reverse(begin, end);
    return;
  }
  const uint64_t span = greatest - least + 1;
  if (span <= 4 * count + 64) {  // made together: every sequence number has its place
    thread_local std::vector<Node*> places;
    places.assign(span, nullptr);
    for (size_t i = 0; i < count; ++i) places[begin[i]->sequence - least] = begin[i];
    Node** next = begin;
    for (Node* node : places) {
      if (node) *next++ = node;
    }
    if (places.capacity() > (size_t{1} << 20)) std::vector<Node*>().swap(places);
    return;
  }
  const auto older = [](const Node* a, const Node* b) { return a->sequence < b->sequence; };
  // A chain comes from its end, but for the few arrays of long ago among it: those that break the
  // order are sorted, and merged with the others.
  thread_local std::vector<Node*> strays;
  strays.clear();
  if (begin[0]->sequence > end[-1]->sequence) std::reverse(begin, end);
  Node** kept = begin;
  for (Node** at = begin; at < end; ++at) {
    if (kept == begin || older(kept[-1], *at)) {
      *kept++ = *at;
    } else {
      strays.push_back(*at);
    }
  }
  std::sort(strays.begin(), strays.end(), older);
  std::copy(strays.begin(), strays.end(), kept);
  std::inplace_merge(begin, kept, end, older);
  if (strays.capacity() > (size_t{1} << 16)) std::vector<Node*>().swap(strays);
}

}  // namespace

uint64_t next_epoch() { return ++epoch_count << mark_index_bits; }

void collect(const Edge* roots, size_t count, bool through_evaluated, uint64_t epoch,
             std::vector<Node*>* out, uint64_t since) {
  const size_t from = out->size();
  const auto visit = [&](Node* node) {
    if (marked(node, epoch) || node->sequence < since) return;
    if (node->evaluated() && !(through_evaluated && node->input_count)) return;
    node->mark = epoch;
    out->push_back(node);
  };
  for (size_t i = 0; i < count; ++i) visit(roots[i].node());
  for (size_t next = from; next < out->size(); ++next) {
    const Node* node = (*out)[next];
    for (uint32_t i = 0; i < node->input_count; ++i) visit(node->inputs[i].node());
  }
  if (out->size() - from > mark_index_mask) {
    raise(ErrorKind::memory, "[eval] a graph of %zu nodes is too large: evaluate parts of it.",
          out->size() - from);
  }
  if (out->size() > from + 1) sort_by_sequence(out, from);
}

void order(const Edge* roots, size_t count, bool through_evaluated, std::vector<Node*>* out) {
  collect(roots, count, through_evaluated, next_epoch(), out);
}

void dependents(const Edge* roots, size_t root_count, const Edge* leaves, size_t leaf_count,
                std::vector<Node*>* out) {
  const size_t from = out->size();
  // What depends on a leaf was made after it: the history of older arrays is not walked.
  uint64_t since = leaf_count ? UINT64_MAX : 0;
  for (size_t i = 0; i < leaf_count; ++i) since = std::min(since, leaves[i].node()->sequence);
  collect(roots, root_count, true, next_epoch(), out, since);
  const uint64_t epoch = next_epoch();
  for (size_t i = 0; i < leaf_count; ++i) leaves[i].node()->mark = epoch;
  // A leaf that is itself in the list stands for its value: it is no dependent. What it is computed
  // from may be one, through another leaf.
  size_t kept = from;
  for (size_t i = from; i < out->size(); ++i) {
    Node* node = (*out)[i];
    if (marked(node, epoch)) continue;
    for (uint32_t k = 0; k < node->input_count; ++k) {
      if (marked(node->inputs[k].node(), epoch)) {
        node->mark = epoch;
        (*out)[kept++] = node;
        break;
      }
    }
  }
  out->resize(kept);
}

}  // namespace mlxk
