// Fusion: maximal runs of elementwise and cast nodes that are neighbours in the order and share an
// iteration shape.
//
// A run of neighbours is convex by construction: nothing outside of it lies between two of its
// members. Nothing is computed twice: a member that someone else needs becomes a further output.
// One linear pass.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "graph/lower.h"

namespace mlxk {

namespace {

void append(std::vector<unsigned char>* key, const void* data, size_t bytes) {
  const unsigned char* from = static_cast<const unsigned char*>(data);
  key->insert(key->end(), from, from + bytes);
}

// Whether division by a number gives the bits of multiplication, which is quicker: by a power of
// two whose reciprocal is a normal number of every type.
bool has_exact_reciprocal(const Value& value, Dtype dtype) {
  if (!is_floating(dtype)) return false;
  int exponent;
  const double fraction = std::frexp(value.real(), &exponent);
  return std::abs(fraction) == 0.5 && std::abs(exponent - 1) <= 14;
}

uint64_t hash_of(const std::vector<unsigned char>& key) {
  uint64_t hash = key.size();
  size_t i = 0;
  for (; i + 8 <= key.size(); i += 8) {
    uint64_t word;
    std::memcpy(&word, key.data() + i, sizeof word);
    hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
    hash ^= hash >> 32;
  }
  for (; i < key.size(); ++i) hash = (hash ^ key[i]) * 0x9e3779b97f4a7c15ull;
  return hash ^ hash >> 32;
}

}  // namespace

const void* ChainCache::code(const FusedChain& chain, CodeMemory* memory) {
  const uint16_t counts[4] = {chain.step_count, chain.input_count, chain.output_count,
                              chain.immediate_count};
  key_.clear();
  append(&key_, counts, sizeof counts);
  append(&key_, chain.steps, chain.step_count * sizeof *chain.steps);
  append(&key_, chain.input_dtypes, chain.input_count);
  append(&key_, chain.output_dtypes, chain.output_count);
  for (uint16_t i = 0; i < chain.immediate_count; ++i) {
    append(&key_, chain.immediates[i].bytes, sizeof chain.immediates[i].bytes);
    append(&key_, &chain.immediates[i].dtype, 1);
  }
  if (!entries_) entries_.reset(new Entry[size]);
  const uint64_t hash = hash_of(key_);
  Entry& entry = entries_[hash % size];
  if (entry.hash == hash && entry.key == key_) {
    void* code = memory->take(entry.code.size());
    std::memcpy(code, entry.code.data(), entry.code.size());
    return code;
  }
  const FusedEngine& engine = fused_engine();
  const size_t bytes = engine.bytes(chain);
  void* code = memory->take(bytes);
  engine.compile(chain, code);
  const unsigned char* from = static_cast<const unsigned char*>(code);
  entry.code.assign(from, from + bytes);
  entry.key = key_;
  entry.hash = hash;
  return code;
}

void Lowering::add_to_group(Node* node, const OpInfo& info) {
  const Dims& shape = node->outputs[0].shape;
  if (group_size_) {
    const Node* first = group_[0];
    const Dims& of_group = first->outputs[0].shape;
    if (group_size_ == max_fused_steps || first->stream != node->stream ||
        !(of_group.same(shape) || of_group == shape)) {
      close_group();
    }
  }
  for (;;) {
    const size_t before = group_input_count_;
    bool fits = true;
    uint16_t used[3];  // the members among the inputs
    uint32_t used_count = 0;
    for (uint32_t i = 0; i < node->input_count && fits; ++i) {
      const Edge& edge = node->inputs[i];
      if (edge.node()->op == op_constant) continue;
      LoweredValue& input = value(edge);
      if (input.slot < 0 && !input.input) {
        used[used_count++] = input.step;
        continue;
      }
      size_t k = 0;
      while (k < group_input_count_ && group_inputs_[k] != &input) ++k;
      if (k < group_input_count_) continue;
      if (group_input_count_ == max_fused_inputs) {
        fits = false;
      } else {
        group_inputs_[group_input_count_++] = &input;
      }
    }
    if (fits) {
      for (uint32_t i = 0; i < used_count; ++i) ++group_uses_[used[i]];
      break;
    }
    group_input_count_ = before;
    close_group();
  }
  values_[mark_index(node)].step = static_cast<uint16_t>(group_size_);
  group_uses_[group_size_] = 0;
  group_[group_size_++] = node;
  if (program->checked) close_group();  // each op is looked at alone
}

void Lowering::close_group() {
  while (group_size_) {
    const size_t count = group_prefix();
    emit_group(count);
    // What did not fit starts a group of its own.
    Node* rest[max_fused_steps];
    const size_t left = group_size_ - count;
    std::copy(group_ + count, group_ + group_size_, rest);
    group_size_ = 0;
    group_input_count_ = 0;
    for (size_t i = 0; i < left; ++i) add_to_group(rest[i], info(rest[i]->op));
  }
}

// How many members, from the first, form a chain with few enough outputs. A prefix has an output
// for every member that is live or has a use beyond the prefix.
size_t Lowering::group_prefix() {
  if (group_size_ <= max_fused_outputs) return group_size_;
  int outputs = 0;
  for (size_t i = 0; i < group_size_; ++i) {
    const LoweredValue& own = values_[mark_index(group_[i])];
    outputs += own.live || own.uses != group_uses_[i];
  }
  if (outputs <= max_fused_outputs) return group_size_;  // nearly always
  uint32_t left[max_fused_steps];
  outputs = 0;
  size_t best = 1;
  for (size_t i = 0; i < group_size_; ++i) {
    const Node* node = group_[i];
    for (uint32_t k = 0; k < node->input_count; ++k) {
      const Edge& edge = node->inputs[k];
      if (edge.node()->op == op_constant) continue;
      const LoweredValue& input = value(edge);
      if (input.slot >= 0 || input.input) continue;
      if (--left[input.step] == 0 && !input.live) --outputs;
    }
    const LoweredValue& own = values_[mark_index(node)];
    left[i] = own.uses;
    if (own.live || own.uses) ++outputs;
    if (outputs <= max_fused_outputs) best = i + 1;
  }
  return best;
}

uint16_t Lowering::chain_input(const Edge& edge, LoweredValue& input) {
  for (uint16_t i = 0; i < chain_input_count_; ++i) {
    if (chain_inputs_[i] == &input) return i;
  }
  chain_inputs_[chain_input_count_] = &input;
  chain_input_dtypes_[chain_input_count_] = edge.dtype();
  return chain_input_count_++;
}

uint16_t Lowering::chain_immediate(const Immediate& immediate) {
  for (uint16_t i = 0; i < immediate_count_; ++i) {
    const Immediate& known = immediates_[i];
    if (known.dtype == immediate.dtype &&
        std::memcmp(known.bytes, immediate.bytes, sizeof known.bytes) == 0)
      return i;
  }
  immediates_[immediate_count_] = immediate;
  return immediate_count_++;
}

// Writes the first members of the group as one instruction.
void Lowering::emit_group(size_t count) {
  static const uint16_t divide = scalar_formula("divide"), multiply = scalar_formula("multiply");
  Node* first = group_[0];
  const Dims shape = first->outputs[0].shape;
  chain_input_count_ = 0;
  immediate_count_ = 0;
  uint32_t left[max_fused_steps];
  for (size_t i = 0; i < count; ++i) {
    Node* node = group_[i];
    FusedStep& step = steps_[i];
    std::memset(&step, 0, sizeof step);  // with its padding: steps are compared as bytes
    const OpInfo& op = info(node->op);
    step.formula = op.kind == Kind::cast ? fused_cast : op.formula;
    step.arg_count = static_cast<uint8_t>(node->input_count);
    step.dtype = node->outputs[0].dtype;
    step.input_dtype = node->inputs[node->input_count - 1].dtype();
    step.output = -1;
    for (uint32_t k = 0; k < 3; ++k) {
      if (k >= node->input_count) { continue; }
      const Edge& edge = node->inputs[k];
      if (edge.node()->op == op_constant) {
        const Value& number = edge.node()->params[0];
        const bool inverts =
            k == 1 && step.formula == divide && has_exact_reciprocal(number, edge.dtype());
        if (inverts) step.formula = multiply;
        step.args[k].kind = FusedArg::immediate;
        step.args[k].index = chain_immediate(inverts ? immediate_of(1 / number.real(), edge.dtype())
                                                     : immediate_of(number, edge.dtype()));
        continue;
      }
      LoweredValue& input = value(edge);
      if (input.slot < 0 && !input.input) {
        --left[input.step];
        step.args[k].kind = FusedArg::step;
        step.args[k].index = input.step;
      } else {
        if (input.slot < 0) bind_input(edge.node(), &input, edge.output());
        step.args[k].kind = FusedArg::input;
        step.args[k].index = chain_input(edge, input);
      }
    }
    left[i] = values_[mark_index(node)].uses;
  }

  begin(first->stream);
  for (uint16_t i = 0; i < chain_input_count_; ++i) {
    const LoweredValue& input = *chain_inputs_[i];
    const Layout& layout = layouts[input.layout];
    if (layout.shape.same(shape) || layout.shape == shape) {
      read(operand(input.slot, layout));
      continue;
    }
    // Broadcast by stride 0.
    int64_t local[16];
    std::vector<int64_t> heap(shape.size() > 16 ? shape.size() : 0);
    int64_t* strides = shape.size() > 16 ? heap.data() : local;
    const size_t added = shape.size() - layout.shape.size();
    for (size_t k = 0; k < shape.size(); ++k) {
      const bool there = k >= added && layout.shape[k - added] == shape[k];
      strides[k] = there ? layout.strides[k - added] : 0;
    }
    read(operand(input.slot, {shape, Dims(strides, shape.size()), layout.offset, layout.dtype}));
  }
  Dtype output_dtypes[max_fused_outputs];
  uint16_t output_count = 0;
  for (size_t i = 0; i < count; ++i) {
    LoweredValue& own = values_[mark_index(group_[i])];
    if (!own.live && left[i] == 0) continue;
    const Dtype dtype = steps_[i].dtype;
    own.slot = static_cast<int32_t>(
        add_slot(Slot::Kind::planned, byte_count(shape, itemsize(dtype)), first->stream));
    own.layout = contiguous_layout(shape, dtype);
    steps_[i].output = static_cast<int16_t>(output_count);
    output_dtypes[output_count++] = dtype;
    write(operand(own.slot, layouts[own.layout]));
    if (own.live) bind(group_[i], 0, &own);
  }

  Instruction& instruction = finish(Instruction::Kind::fused, first);
  const FusedChain chain{steps_,
                         chain_input_dtypes_,
                         output_dtypes,
                         immediates_,
                         static_cast<uint16_t>(count),
                         chain_input_count_,
                         output_count,
                         immediate_count_};
  instruction.code = chains_.code(chain, &program->code);
  if (!program->keep_chains) return;
  Program& p = *program;
  instruction.index = static_cast<uint32_t>(p.chains.size());
  ChainRecord record;
  record.steps = static_cast<uint32_t>(p.chain_steps.size());
  record.immediates = static_cast<uint32_t>(p.chain_immediates.size());
  record.inputs = static_cast<uint32_t>(p.chain_dtypes.size());
  record.outputs = record.inputs + chain.input_count;
  record.step_count = chain.step_count;
  record.input_count = chain.input_count;
  record.output_count = chain.output_count;
  record.immediate_count = chain.immediate_count;
  p.chains.push_back(record);
  p.chain_steps.insert(p.chain_steps.end(), steps_, steps_ + count);
  p.chain_dtypes.insert(p.chain_dtypes.end(), chain_input_dtypes_,
                        chain_input_dtypes_ + chain.input_count);
  p.chain_dtypes.insert(p.chain_dtypes.end(), output_dtypes, output_dtypes + output_count);
  p.chain_immediates.insert(p.chain_immediates.end(), immediates_, immediates_ + immediate_count_);
}

}  // namespace mlxk
