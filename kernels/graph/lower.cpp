// Lowering: an ordered set of nodes becomes instructions over slots. Movement ops become layouts on
// the slot they look at, or a copy where no view exists; inputs a kernel does not accept get a
// private copy.
#include "graph/lower.h"

#include <bit>
#include <cstring>

#include "mlxk/debug.h"
#include "mlxk/error.h"

namespace mlxk {

namespace {

constexpr uint32_t not_written = UINT32_MAX;

uint16_t to_float16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint16_t sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00 | static_cast<uint16_t>(magnitude >> 13 & 0x1ff);
  if (magnitude >= 0x477ff000) return sign | 0x7c00;  // rounds to 65536 or more
  if (magnitude < 0x38800000) {                       // subnormal: the unit is 2**-24
    const float units = std::bit_cast<float>(magnitude) * 16777216.0f;
    const uint32_t whole = static_cast<uint32_t>(units);
    const float rest = units - static_cast<float>(whole);
    return sign | static_cast<uint16_t>(whole + (rest > 0.5f || (rest == 0.5f && (whole & 1))));
  }
  const uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
  return sign | static_cast<uint16_t>((rounded - 0x38000000) >> 13);
}

uint16_t to_bfloat16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

template <class T> void store(Immediate* immediate, T value) {
  std::memcpy(immediate->bytes, &value, sizeof value);
}

}  // namespace

Immediate immediate_of(const Value& value, Dtype dtype) {
  Immediate out;
  std::memset(out.bytes, 0, sizeof out.bytes);
  out.dtype = dtype;
  switch (dtype) {
    case Dtype::bool_: store<uint8_t>(&out, value.boolean()); break;
    case Dtype::float16: store(&out, to_float16(static_cast<float>(value.real()))); break;
    case Dtype::bfloat16: store(&out, to_bfloat16(static_cast<float>(value.real()))); break;
    case Dtype::float32: store(&out, static_cast<float>(value.real())); break;
    case Dtype::float64: store(&out, value.real()); break;
    case Dtype::complex64: {
      const std::complex<double> z = value.complex();
      store(&out, std::complex<float>(static_cast<float>(z.real()), static_cast<float>(z.imag())));
      break;
    }
    default: {  // integers; the low bytes come first on every machine we build for
      const int64_t integer = value.integer();
      std::memcpy(out.bytes, &integer, itemsize(out.dtype));
    }
  }
  return out;
}

bool is_row_major(const Dims& shape, const Dims& strides) {
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] == 0) return true;
    if (shape[i] != 1 && strides[i] != step) return false;
    step *= shape[i];
  }
  return true;
}

size_t layout_bytes(const Layout& layout) {
  return byte_count(layout.shape, itemsize(layout.dtype));
}

// ---- pieces of a Program ------------------------------------------------------------------------

void Lowering::grow_infos() {
  const size_t from = infos_.size();
  infos_.resize(op_count());
  for (size_t i = from; i < infos_.size(); ++i) {
    const Op& source = op(static_cast<OpId>(i));
    infos_[i].formula = source.scalar;
    infos_[i].movement = source.movement;
    infos_[i].kind = source.kind;
    infos_[i].effect = source.effect;
    infos_[i].blocking = source.blocking;
  }
}

uint32_t Lowering::add_slot(Slot::Kind kind, size_t bytes, StreamId stream) {
  const uint32_t index = static_cast<uint32_t>(program->slots.size());
  Slot slot;
  slot.kind = kind;
  slot.stream = stream;
  slot.storage = index;
  slot.first = not_written;
  slot.bytes = bytes;
  program->slots.push_back(slot);
  return index;
}

int32_t Lowering::contiguous_layout(const Dims& shape, Dtype dtype) {
  if (!last_shape_.same(shape)) {
    if (!(last_shape_ == shape)) last_strides_ = row_major(shape);
    last_shape_ = shape;
  }
  return add_layout({shape, last_strides_, 0, dtype});
}

const int64_t* Lowering::keep(const Dims& dims) {
  std::vector<Dims>& kept = program->dims;
  const size_t count = kept.size();
  for (size_t i = count; i > 0 && i + 3 > count; --i) {
    if (kept[i - 1].same(dims)) return dims.data();
  }
  if (!dims.empty()) kept.push_back(dims);
  return dims.data();
}

Operand Lowering::operand(uint32_t slot, const Layout& layout) {
  Operand out;
  out.slot = slot;
  out.offset = layout.offset;
  out.layout.shape = keep(layout.shape);
  out.layout.strides = keep(layout.strides);
  out.layout.ndim = static_cast<int32_t>(layout.shape.size());
  out.layout.dtype = layout.dtype;
  int64_t size = 1;
  for (int64_t length : layout.shape) size *= length;
  out.layout.size = size;
  return out;
}

void Lowering::begin(StreamId stream) {
  pending_.clear();
  pending_inputs_ = 0;
  stream_ = stream;
}

void Lowering::read(const Operand& operand) {
  join_streams(operand.slot);
  pending_.push_back(operand);
  ++pending_inputs_;
}

// The open instruction reads a slot: where another stream writes it, that stream records and this
// one waits.
void Lowering::join_streams(uint32_t index) {
  Slot& slot = program->slots[index];
  if (slot.first == not_written) {  // an input or a constant, read for the first time
    slot.stream = stream_;
    return;
  }
  if (slot.stream == stream_) return;
  slot.exclusive = true;
  if (slot.kind == Slot::Kind::input || slot.kind == Slot::Kind::constant) return;
  Sync* known = nullptr;
  for (Sync& sync : syncs_) {
    if (sync.from == slot.stream && sync.to == stream_) known = &sync;
  }
  if (known && known->upto > slot.first) return;
  const uint32_t upto = static_cast<uint32_t>(program->instructions.size());
  Instruction record;
  record.kind = Instruction::Kind::record;
  record.stream = slot.stream;
  record.index = program->event_count++;
  record.operands = static_cast<uint32_t>(program->operands.size());
  Instruction wait = record;
  wait.kind = Instruction::Kind::wait;
  wait.stream = stream_;
  program->instructions.push_back(record);
  program->instructions.push_back(wait);
  if (known) {
    known->upto = upto;
  } else {
    syncs_.push_back({slot.stream, stream_, upto});
  }
}

Instruction& Lowering::finish(Instruction::Kind kind, const Node* node, int32_t workspace) {
  Program& p = *program;
  const uint32_t index = static_cast<uint32_t>(p.instructions.size());
  Instruction& out = p.instructions.emplace_back();
  out.kind = kind;
  out.stream = stream_;
  out.op = node->op;
  out.source = node->source;
  out.operands = static_cast<uint32_t>(p.operands.size());
  out.input_count = pending_inputs_;
  out.output_count = static_cast<uint32_t>(pending_.size()) - pending_inputs_;
  out.workspace = workspace;
  for (const Operand& operand : pending_) {
    Slot& slot = p.slots[operand.slot];
    if (slot.first == not_written) slot.first = index;
    slot.last = index;
    p.operands.push_back(operand);
  }
  if (workspace >= 0) p.slots[workspace].first = p.slots[workspace].last = index;
  if (pending_.size() > p.max_operands) p.max_operands = static_cast<uint32_t>(pending_.size());
  bool known = false;
  for (StreamId stream : p.streams) known |= stream == stream_;
  if (!known) p.streams.push_back(stream_);
  return out;
}

void Lowering::copy(uint32_t* slot, int32_t* layout, const Node* node) {
  const Layout from = layouts[*layout];
  begin(node->stream);
  read(operand(*slot, from));
  *slot = add_slot(Slot::Kind::planned, layout_bytes(from), node->stream);
  *layout = contiguous_layout(from.shape, from.dtype);
  write(operand(*slot, layouts[*layout]));
  finish(Instruction::Kind::copy, node);
}

// ---- values -------------------------------------------------------------------------------------

uint32_t Lowering::add_value_range(Node* node, uint32_t count) {
  const size_t index = values_.size();
  if (index + count > mark_index_mask) {
    raise(ErrorKind::memory,
          "[eval] a graph of more than %zu nodes is too large: evaluate parts of it.", index);
  }
  node->mark = epoch_ | index;
  if (count == 1) {  // nearly always, and a few times as fast as resize
    values_.emplace_back();
  } else {
    values_.resize(index + count);
  }
  return static_cast<uint32_t>(index);
}

// Gives every node of the set and every evaluated node it reads a range of values, and counts their
// uses.
void Lowering::count_uses() {
  const uint32_t open = open_traces();
  values_.reserve(values_.size() + nodes.size() + 8);
  for (Node* node : nodes) {
    add_value_range(node, node->output_count);
    const bool keeps_edges = node->trace & open;
    for (uint32_t i = 0; i < node->input_count; ++i) {
      const Edge& edge = node->inputs[i];
      Node* from = edge.node();
      if (!marked(from, epoch_)) {
        const uint32_t range = add_value_range(from, from->output_count);
        for (uint32_t k = 0; k < from->output_count; ++k) values_[range + k].input = true;
      }
      LoweredValue& used = value(edge);
      ++used.uses;
      used.live |= keeps_edges;
    }
  }
}

void Lowering::mark_live(Node* node) {
  if (compiled_) return;
  LoweredValue* values = &values_[mark_index(node)];
  uint32_t uses = 0;
  bool live = false;
  for (uint32_t i = 0; i < node->output_count; ++i) {
    uses += values[i].uses;
    live |= values[i].live;
  }
  if (!live && node->refs.load(std::memory_order_relaxed) == uses) return;
  for (uint32_t i = 0; i < node->output_count; ++i) values[i].live = true;
}

void Lowering::bind(Node* node, uint32_t output, LoweredValue* value) {
  Slot& slot = program->slots[value->slot];
  slot.escapes = true;
  if (slot.kind == Slot::Kind::planned) slot.kind = Slot::Kind::output;
  if (!compiled_)
    bindings.push_back({node, output, static_cast<uint32_t>(value->slot), value->layout});
}

void Lowering::add_constant_slot(LoweredValue* value, BufferRef buffer, Layout layout) {
  value->slot = static_cast<int32_t>(add_slot(Slot::Kind::constant, buffer->size, 0));
  value->layout = add_layout(std::move(layout));
  program->slots.back().index = static_cast<uint32_t>(program->constants.size());
  program->constants.push_back(std::move(buffer));
}

// A constant that is more than an operand of a chain gets bytes once, for as long as it lives. They
// are read-only: equal constants share them.
LoweredValue& Lowering::constant_value(Node* node) {
  LoweredValue& value = values_[mark_index(node)];
  if (value.slot >= 0) return value;
  Output& output = node->outputs[0];
  if (!output.buffer) {
    const Immediate immediate = immediate_of(node->params[0], output.dtype);
    BufferRef buffer = allocate(itemsize(immediate.dtype));
    std::memcpy(buffer->bytes, immediate.bytes, itemsize(immediate.dtype));
    buffer->flags &= static_cast<uint8_t>(~buffer_writable);
    output.buffer = std::move(buffer);
  }
  add_constant_slot(&value, output.buffer,
                    {output.shape, output.strides, output.offset, output.dtype});
  return value;
}

void Lowering::bind_input(Node* node, LoweredValue* value, uint32_t index) {
  const Output& output = node->outputs[index];
  Layout layout{output.shape, output.strides, output.offset, output.dtype};
  if (compiled_) {
    add_constant_slot(value, output.buffer, std::move(layout));
    return;
  }
  value->slot =
      static_cast<int32_t>(add_slot(Slot::Kind::input, output.buffer->size, node->stream));
  value->layout = add_layout(std::move(layout));
  program->slots.back().index = static_cast<uint32_t>(inputs.size());
  program->input_slots.push_back(static_cast<uint32_t>(value->slot));
  inputs.push_back({node, index, value->uses, node->output_count == 1 && !value->live});
}

LoweredValue& Lowering::materialised(const Edge& edge) {
  if (edge.node()->op == op_constant) return constant_value(edge.node());
  LoweredValue& found = value(edge);
  if (found.slot >= 0) return found;
  if (found.input) {
    bind_input(edge.node(), &found, edge.output());
  } else {
    close_group();
  }
  return found;
}

// ---- kinds --------------------------------------------------------------------------------------

void Lowering::lower_movement(Node* node) {
  mark_live(node);
  const LoweredValue& input = materialised(node->inputs[0]);
  uint32_t slot = static_cast<uint32_t>(input.slot);
  int32_t layout = input.layout;
  const MovementRule& rule = movement_rule(info(node->op).movement);
  const Output& output = node->outputs[0];
  Layout view;
  if (!rule.view(layouts[layout], node->params, output.shape, &view)) {
    copy(&slot, &layout, node);
    if (!rule.view(layouts[layout], node->params, output.shape, &view)) {
      raise(ErrorKind::runtime, "[%s] the rule finds no view of a row-major array.",
            op(node->op).name.c_str());
    }
  }
  view.shape = output.shape;
  view.dtype = output.dtype;
  layout = add_layout(std::move(view));
  LoweredValue& own = values_[mark_index(node)];
  // What a constant shares with its equals is not handed out.
  if (own.live && program->slots[slot].kind == Slot::Kind::constant) copy(&slot, &layout, node);
  own.slot = static_cast<int32_t>(slot);
  own.layout = layout;
  if (own.live) bind(node, 0, &own);
}

const Kernel* Lowering::find_kernel(const Node* node, OpInfo& info) {
  if (info.kernel) return info.kernel;
  const Op& wanted = op(node->op);
  if (stream_info(node->stream).device != DeviceKind::cpu) {
    raise(ErrorKind::runtime, "[%s] the stream is of a device this build has no kernels for.",
          wanted.name.c_str());
  }
  info.kernel = kernels(DeviceKind::cpu).find(wanted.name.c_str());
  if (!info.kernel)
    raise(ErrorKind::runtime, "[%s] has no kernel for the CPU in this build.", wanted.name.c_str());
  return info.kernel;
}

void Lowering::prepare(const Edge& edge) {
  const LoweredValue& input = materialised(edge);
  prepared_.emplace_back(static_cast<uint32_t>(input.slot), input.layout);
}

// The outputs of a node that are its first inputs.
void Lowering::lower_forward(Node* node) {
  mark_live(node);
  LoweredValue* own = &values_[mark_index(node)];
  for (uint32_t i = 0; i < node->output_count; ++i) {
    const LoweredValue& input = materialised(node->inputs[i]);
    uint32_t slot = static_cast<uint32_t>(input.slot);
    own[i].layout = input.layout;
    // What a constant shares with its equals is not handed out.
    if (own[i].live && program->slots[slot].kind == Slot::Kind::constant)
      copy(&slot, &own[i].layout, node);
    own[i].slot = static_cast<int32_t>(slot);
    if (own[i].live) bind(node, i, &own[i]);
  }
}

void Lowering::lower_kernel(Node* node, OpInfo& info) {
  const Kernel* kernel = find_kernel(node, info);
  if (kernel->forwards) return lower_forward(node);
  close_group();
  mark_live(node);
  prepared_.clear();
  for (uint32_t i = 0; i < node->input_count; ++i) prepare(node->inputs[i]);
  if (kernel->accepts != Accepts::strided) {
    for (auto& [slot, layout] : prepared_) {
      const Layout& is = layouts[layout];
      bool fits;
      if (kernel->accepts == Accepts::contiguous) {
        fits = is_row_major(is.shape, is.strides);
      } else {
        fits = is.shape.empty() || is.shape.back() <= 1 || is.strides.back() == 1;
      }
      if (!fits) copy(&slot, &layout, node);
    }
  }
  begin(node->stream);
  for (const auto& [slot, layout] : prepared_) read(operand(slot, layouts[layout]));
  LoweredValue* own = &values_[mark_index(node)];
  for (uint32_t i = 0; i < node->output_count; ++i) {
    const Output& output = node->outputs[i];
    own[i].layout = contiguous_layout(output.shape, output.dtype);
    const size_t bytes = layout_bytes(layouts[own[i].layout]);
    own[i].slot = static_cast<int32_t>(add_slot(Slot::Kind::planned, bytes, node->stream));
    write(operand(own[i].slot, layouts[own[i].layout]));
    if (own[i].live) bind(node, i, &own[i]);
  }
  int32_t workspace = -1;
  if (kernel->workspace) {
    tensors_.clear();
    for (const Operand& operand : pending_) tensors_.push_back(operand.layout);
    const KernelCall call{tensors_.data(), tensors_.data() + pending_inputs_,
                          pending_inputs_, node->output_count,
                          &node->params,   nullptr};
    const size_t bytes = kernel->workspace(call);
    if (bytes) workspace = static_cast<int32_t>(add_slot(Slot::Kind::planned, bytes, node->stream));
  }
  Instruction& instruction = finish(Instruction::Kind::kernel, node, workspace);
  instruction.kernel = kernel;
  instruction.index = static_cast<uint32_t>(program->params.size());
  program->params.push_back(node->params);
  program->blocking |= info.blocking;
}

// A call node runs its Program as one instruction. A node of the same op without parameters hands
// out one result of a call that has several.
void Lowering::lower_call(Node* node) {
  mark_live(node);
  LoweredValue* own = &values_[mark_index(node)];
  if (node->params.empty()) {
    const LoweredValue& from = materialised(node->inputs[0]);
    own->slot = from.slot;
    own->layout = from.layout;
    if (own->live) bind(node, 0, own);
    return;
  }
  close_group();
  const ProgramRef& called = called_program(node->params);
  prepared_.clear();
  for (uint32_t i = 0; i < node->input_count; ++i) prepare(node->inputs[i]);
  for (auto& [slot, layout] : prepared_) {
    if (!is_row_major(layouts[layout].shape, layouts[layout].strides)) copy(&slot, &layout, node);
  }
  begin(node->stream);
  for (const auto& [slot, layout] : prepared_) read(operand(slot, layouts[layout]));
  const uint32_t first_output = static_cast<uint32_t>(program->slots.size());
  for (uint32_t slot : called->output_slots) {
    const size_t bytes = called->slots[slot].bytes;
    const uint32_t made = add_slot(Slot::Kind::planned, bytes, node->stream);
    write(operand(made, {Dims{static_cast<int64_t>(bytes)}, Dims{1}, 0, Dtype::uint8}));
  }
  int32_t workspace = -1;
  const size_t frame = called->arena_bytes + called->frame_bytes;
  if (frame) workspace = static_cast<int32_t>(add_slot(Slot::Kind::planned, frame, node->stream));
  for (uint32_t i = 0; i < node->output_count; ++i) {
    const ProgramResult& result = called->results[i];
    const Slot& slot = called->slots[called->slots[result.slot].storage];
    Layout layout = result.layout;
    if (slot.kind == Slot::Kind::constant) {
      add_constant_slot(&own[i], called->constants[slot.index], std::move(layout));
    } else if (slot.kind == Slot::Kind::input) {
      const auto& [from, seen] = prepared_[slot.index];
      layout.offset += layouts[seen].offset;
      own[i].slot = static_cast<int32_t>(from);
      own[i].layout = add_layout(std::move(layout));
    } else {
      own[i].slot = static_cast<int32_t>(first_output + slot.index);
      own[i].layout = add_layout(std::move(layout));
    }
    if (own[i].live) bind(node, i, &own[i]);
  }
  Instruction& instruction = finish(Instruction::Kind::call, node, workspace);
  instruction.index = static_cast<uint32_t>(program->programs.size());
  program->programs.push_back(called);
}

void Lowering::lower_nodes() {
  const Node* at = nullptr;
  try {
    for (Node* node : nodes) {
      at = node;
      lower_node(node);
    }
    close_group();
  } catch (...) { std::rethrow_exception(located_error(at ? at->source : 0)); }
}

void Lowering::lower_node(Node* node) {
  OpInfo& its = info(node->op);
  switch (its.kind) {
    case Kind::elementwise:
    case Kind::cast:
      mark_live(node);
      add_to_group(node, its);
      break;
    case Kind::movement: lower_movement(node); break;
    case Kind::reduction:
    case Kind::structural: lower_kernel(node, its); break;
    case Kind::call: lower_call(node); break;
    case Kind::control: lower_control(node); break;
    case Kind::constant: break;
    case Kind::data: raise(ErrorKind::runtime, "[eval] a data node has no buffer.");
    case Kind::placeholder: {
      const std::string where =
          node->params.empty() ? "a traced function" : node->params[0].opaque()->str();
      raise(ErrorKind::value,
            "[eval] the value of an array is needed inside %s: vmap, compile and export see shapes "
            "and dtypes, not values.",
            where.c_str());
    }
  }
}

// ---- the two ways in ----------------------------------------------------------------------------

void Lowering::lower_roots(const Edge* roots, size_t count, Program* into) {
  program = into;
  compiled_ = false;
  epoch_ = next_epoch();
  collect(roots, count, false, epoch_, &nodes);
  count_uses();
  for (size_t i = 0; i < count; ++i) {
    if (!roots[i].node()->evaluated()) value(roots[i]).live = true;
  }
  lower_nodes();
  for (size_t i = 0; i < count; ++i) {
    if (roots[i].node()->op == op_constant && !roots[i].node()->evaluated())
      constant_value(roots[i].node());
  }
  plan(program);
}

void Lowering::lower_graph(const Graph& graph, Program* into) {
  program = into;
  compiled_ = true;
  epoch_ = next_epoch();
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const Edge& edge = graph.inputs[i];
    Layout layout{edge.shape(), row_major(edge.shape()), 0, edge.dtype()};
    const uint32_t slot = add_slot(Slot::Kind::input, layout_bytes(layout), edge.node()->stream);
    program->slots.back().index = static_cast<uint32_t>(i);
    program->input_slots.push_back(slot);
    program->inputs.push_back(layout);
    inputs.push_back({nullptr, 0, 0, true});
    if (edge.node()->output_count != 1) {
      raise(ErrorKind::runtime,
            "[compile] an input of a graph is one of several outputs of a node.");
    }
    if (marked(edge.node(), epoch_)) continue;  // the same input again: the first one is read
    const uint32_t range = add_value_range(edge.node(), 1);
    values_[range].slot = static_cast<int32_t>(slot);
    values_[range].layout = add_layout(std::move(layout));
    values_[range].input = true;
  }
  collect(graph.outputs.data(), graph.outputs.size(), false, epoch_, &nodes);
  count_uses();
  for (const Edge& edge : graph.outputs) {
    if (!marked(edge.node(), epoch_)) {
      const uint32_t range = add_value_range(edge.node(), edge.node()->output_count);
      for (uint32_t k = 0; k < edge.node()->output_count; ++k) values_[range + k].input = true;
    }
    value(edge).live = true;
  }
  lower_nodes();
  for (const Edge& edge : graph.outputs) {
    LoweredValue result = materialised(edge);
    if (program->slots[result.slot].kind ==
        Slot::Kind::constant) {  // every call gives an array of its own
      uint32_t slot = static_cast<uint32_t>(result.slot);
      copy(&slot, &result.layout, edge.node());
      result.slot = static_cast<int32_t>(slot);
    }
    bind(edge.node(), edge.output(), &result);
    program->results.push_back({static_cast<uint32_t>(result.slot), layouts[result.layout]});
    for (const Dims* dims :
         {&program->results.back().layout.shape, &program->results.back().layout.strides})
      keep(*dims);
  }
  plan(program);
}

void Lowering::clear() {
  constexpr size_t kept = size_t{1} << 16;
  const auto empty = [](auto& list) {
    list.clear();
    if (list.capacity() > kept) list.shrink_to_fit();
  };
  empty(nodes);
  empty(bindings);
  empty(inputs);
  empty(layouts);
  empty(values_);
  empty(syncs_);
  empty(prepared_);
  empty(pending_);
  group_size_ = 0;
  group_input_count_ = 0;
  program = nullptr;
}

namespace {

// Arrays that a function captured before they were evaluated: someone outside holds them and no
// input reaches them. They are evaluated once, or every call would compute them again.
void evaluate_captured(const Graph& graph) {
  std::vector<Node*> nodes;
  const uint64_t stop = next_epoch();
  for (const Edge& edge : graph.inputs) edge.node()->mark = stop;
  collect(graph.outputs.data(), graph.outputs.size(), false, stop, &nodes);
  const uint64_t epoch = next_epoch();
  std::vector<uint32_t> uses(nodes.size(), 0);
  std::vector<bool> free(nodes.size(), true);  // no input, trace or effect among its ancestors
  for (size_t i = 0; i < nodes.size(); ++i) {
    Node* node = nodes[i];
    node->mark = epoch | i;
    if (node->op == op_placeholder || live_trace(node->trace) || op(node->op).effect)
      free[i] = false;
    for (uint32_t k = 0; k < node->input_count; ++k) {
      const Node* from = node->inputs[k].node();
      if (marked(from, epoch)) {
        ++uses[mark_index(from)];
        if (!free[mark_index(from)]) free[i] = false;
      } else if (marked(from, stop)) {
        free[i] = false;
      }
    }
  }
  for (const Edge& edge : graph.outputs) {
    if (marked(edge.node(), epoch)) ++uses[mark_index(edge.node())];
  }
  std::vector<Edge> captured;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (!free[i] || nodes[i]->op == op_constant) continue;
    if (nodes[i]->refs.load(std::memory_order_relaxed) > uses[i])
      captured.emplace_back(nodes[i], 0);
  }
  if (!captured.empty()) eval(captured.data(), captured.size(), false);
}

}  // namespace

void prepare(const Graph& graph) {
  if (graph.program && graph.program->checked == checks_nans()) return;
  prepare_inside(graph.outputs.data(), graph.outputs.size());
  graph.program = lower(graph);
}

void prepare_inside(const Edge* roots, size_t count) {
  std::vector<Node*> nodes;
  order(roots, count, false, &nodes);
  for (const Node* node : nodes) {
    if (op(node->op).kind != Kind::control) continue;
    for (size_t i = 0; i < node->params.size(); ++i) {
      if (node->params[i].tag() == Value::Tag::graph) prepare(*node->params[i].graph());
    }
  }
}

ProgramRef lower(const Graph& graph) {
  evaluate_captured(graph);
  Lowering lowering;
  auto program = std::make_shared<Program>();
  program->keep_chains = true;
  program->checked = checks_nans();
  lowering.lower_graph(graph, program.get());
  return program;
}

}  // namespace mlxk
