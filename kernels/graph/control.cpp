// Lowering of control nodes: scan, while_loop and cond. Each becomes one instruction, which runs
// the Programs of the graphs among its parameters.
//
// Parameters: the form; then of a scan its body, the number of captured arrays, the length and the
// direction; of a loop its test, its body and the numbers of arrays that each captures; of a branch
// its two sides. Inputs: what is captured (of a branch first the predicate), the carried arrays,
// and of a scan what it goes over. A carried array alternates between two buffers, unless the body
// leaves it alone, may write over it, or gives it out as a row, where the next step then reads it.
// What nobody reads is not stacked.
#include <string>

#include "graph/lower.h"
#include "mlxk/error.h"

namespace mlxk {

namespace {

constexpr size_t line = 64;

// The workspace of the instruction, as it is handed out.
class Workspace {
 public:
  size_t take(size_t bytes) {
    const size_t at = bytes_;
    bytes_ += (bytes + line - 1) / line * line;
    return at;
  }
  size_t bytes() const { return bytes_; }

 private:
  size_t bytes_ = 0;
};

size_t bytes_of(const Layout& layout) { return byte_count(layout.shape, itemsize(layout.dtype)); }

// Large results are written past the caches where they are aligned: rows of others are copied.
bool is_good_row(size_t bytes) { return bytes % line == 0 || bytes < size_t{1} << 16; }

// Whether a result is all of its storage, in row-major order.
bool is_whole(const Program& inside, size_t i) {
  const auto& [slot, layout] = inside.results[i];
  return layout.offset == 0 && bytes_of(layout) == inside.slots[inside.slots[slot].storage].bytes &&
         is_row_major(layout.shape, layout.strides);
}

// Binds each output slot to a result that is all of it: to one that is stacked if it can be, else
// to the first. Results from `rows` on become rows of stacked arrays, if they are wanted.
Control::Part make_part(const Program& inside, size_t rows, const std::vector<uint32_t>& wanted,
                        Workspace* workspace) {
  Control::Part part;
  part.memory = workspace->take(inside.arena_bytes + inside.frame_bytes);
  part.inputs = workspace->take(inside.inputs.size() * sizeof(void*));
  part.outputs = workspace->take(inside.output_slots.size() * sizeof(void*));
  part.results = workspace->take(inside.results.size() * sizeof(void*));
  std::vector<bool> bound(inside.output_slots.size(), false);
  part.of.resize(inside.results.size());
  const auto bind = [&](size_t i) {
    const Slot& slot = inside.slots[inside.slots[inside.results[i].slot].storage];
    if (slot.kind != Slot::Kind::output || bound[slot.index] || !is_whole(inside, i)) return;
    if (i >= rows && !is_good_row(slot.bytes)) return;
    bound[slot.index] = true;
    part.of[i].output = static_cast<int32_t>(slot.index);
  };
  for (uint32_t i : wanted) bind(i);
  for (size_t i = 0; i < part.of.size(); ++i) {
    part.of[i].strides = row_major(inside.results[i].layout.shape);
    if (i < rows) bind(i);
  }
  for (size_t i = 0; i < bound.size(); ++i) {
    const size_t bytes = bound[i] ? 0 : inside.slots[inside.output_slots[i]].bytes;
    part.scratch.push_back(workspace->take(bytes));
  }
  return part;
}

// How carried array `i` of a body moves from step to step; `captured` inputs stand before it.
Control::Carried make_carried(const Program& body, const Control::Part& part, uint32_t captured,
                              uint32_t i, Workspace* workspace) {
  Control::Carried made;
  const uint32_t input = body.input_slots[captured + i];
  const ProgramResult& result = body.results[i];
  const Slot& slot = body.slots[body.slots[result.slot].storage];
  made.bytes = bytes_of(result.layout);
  if (slot.kind == Slot::Kind::input && body.slots[result.slot].storage == input &&
      result.layout.offset == 0 && is_row_major(result.layout.shape, result.layout.strides)) {
    made.how = Control::Carry::kept;
  } else if (part.of[i].output >= 0 && slot.donor == static_cast<int32_t>(input)) {
    made.how = Control::Carry::in_place;
  } else {
    for (uint32_t k = i + 1; slot.kind == Slot::Kind::output && k < part.of.size(); ++k) {
      if (part.of[k].output != static_cast<int32_t>(slot.index) || !is_whole(body, i)) continue;
      made.how = Control::Carry::stacked;
      made.same = k;
      return made;
    }
    made.spare = workspace->take(made.bytes);
  }
  return made;
}

bool fits(const Layout& wanted, const Layout& given) {
  return wanted.shape == given.shape && wanted.dtype == given.dtype;
}

}  // namespace

void Lowering::lower_control(Node* node) {
  close_group();
  mark_live(node);
  const Params& params = node->params;
  const std::string& form = params[0].string();
  Control control;
  Workspace workspace;
  std::vector<ProgramRef> inside;
  for (size_t i = 1; i < params.size() && params[i].tag() == Value::Tag::graph; ++i) {
    inside.push_back(params[i].graph()->program);
    if (!inside.back()) raise(ErrorKind::runtime, "[%s] a graph was not prepared.", form.c_str());
    program->blocking |= inside.back()->blocking;
    const size_t rows = form == "scan" ? static_cast<size_t>(params[3].integer()) : SIZE_MAX;
    for (size_t k = rows; k < node->output_count && k < inside.back()->results.size(); ++k) {
      const LoweredValue& value = values_[mark_index(node) + k];
      if (value.uses || value.live) control.stacked.push_back(static_cast<uint32_t>(k));
    }
    control.parts.push_back(make_part(*inside.back(), rows, control.stacked, &workspace));
    control.parts.back().program = static_cast<uint32_t>(program->programs.size());
    program->programs.push_back(inside.back());
  }
  const size_t settings = 1 + inside.size();
  const Program& body = *inside.back();
  if (form == "scan") {
    control.first = static_cast<uint32_t>(params[settings].integer());
    control.length = params[settings + 2].integer();
    control.reverse = params[settings + 3].boolean();
    const uint32_t carries = static_cast<uint32_t>(params[settings + 1].integer());
    for (uint32_t i = 0; i < carries; ++i)
      control.carries.push_back(make_carried(body, control.parts[0], control.first, i, &workspace));
  } else if (form == "loop") {
    control.form = Control::Form::loop;
    control.first = static_cast<uint32_t>(params[settings].integer());
    control.second = static_cast<uint32_t>(params[settings + 1].integer());
    control.flag = workspace.take(1);
    for (uint32_t i = 0; i < node->output_count; ++i) {
      control.carries.push_back(
          make_carried(body, control.parts[1], control.second, i, &workspace));
    }
  } else {
    control.form = Control::Form::branch;
  }

  prepared_.clear();
  for (uint32_t i = 0; i < node->input_count; ++i) prepare(node->inputs[i]);
  for (auto& [slot, layout] : prepared_) {
    if (!is_row_major(layouts[layout].shape, layouts[layout].strides)) copy(&slot, &layout, node);
  }
  check_control(control, inside, node);
  begin(node->stream);
  for (const auto& [slot, layout] : prepared_) read(operand(slot, layouts[layout]));
  LoweredValue* own = &values_[mark_index(node)];
  for (uint32_t i = 0, row = 0; i < node->output_count; ++i) {
    if (control.form == Control::Form::scan && i >= control.carries.size()) {
      if (row == control.stacked.size() || control.stacked[row] != i) continue;
      ++row;
    }
    const Output& output = node->outputs[i];
    own[i].layout = contiguous_layout(output.shape, output.dtype);
    const size_t bytes = layout_bytes(layouts[own[i].layout]);
    own[i].slot = static_cast<int32_t>(add_slot(Slot::Kind::planned, bytes, node->stream));
    write(operand(own[i].slot, layouts[own[i].layout]));
    if (own[i].live) bind(node, i, &own[i]);
  }
  const int32_t memory =
      static_cast<int32_t>(add_slot(Slot::Kind::planned, workspace.bytes(), node->stream));
  Instruction& instruction = finish(Instruction::Kind::control, node, memory);
  instruction.index = static_cast<uint32_t>(program->controls.size());
  program->controls.push_back(std::move(control));
  program->lasting = true;
}

// The Programs trust what they are given: a node that lies about them is refused here.
void Lowering::check_control(const Control& control, const std::vector<ProgramRef>& inside,
                             const Node* node) const {
  const auto refuse = [&](bool wrong) {
    if (wrong)
      raise(ErrorKind::value, "[%s] its graphs do not fit its arrays.", op(node->op).name.c_str());
  };
  const auto input = [&](size_t i) -> Layout {
    refuse(i >= node->input_count);
    return {node->inputs[i].shape(), Dims(), 0, node->inputs[i].dtype()};
  };
  const auto output = [&](size_t i) -> Layout {
    refuse(i >= node->output_count);
    return {node->outputs[i].shape, Dims(), 0, node->outputs[i].dtype};
  };
  const auto sliced = [&](Layout all) -> Layout {
    refuse(all.shape.empty() || all.shape[0] != control.length);
    all.shape = Dims(all.shape.data() + 1, all.shape.size() - 1);
    return all;
  };
  const size_t carries = control.carries.size();
  if (control.form == Control::Form::branch) {
    refuse(inside.size() != 2 || input(0).dtype != Dtype::bool_ || !input(0).shape.empty());
    for (const ProgramRef& side : inside) {
      refuse(side->inputs.size() + 1 != node->input_count ||
             side->results.size() != node->output_count);
      for (size_t i = 0; i < side->inputs.size(); ++i) refuse(!fits(side->inputs[i], input(i + 1)));
      for (size_t i = 0; i < side->results.size(); ++i)
        refuse(!fits(side->results[i].layout, output(i)));
    }
  } else if (control.form == Control::Form::loop) {
    refuse(inside.size() != 2 || inside[0]->results.size() != 1 ||
           inside[1]->results.size() != carries || node->output_count != carries);
    const Layout& test = inside[0]->results[0].layout;
    refuse(test.dtype != Dtype::bool_ || !test.shape.empty());
    const size_t captured[2] = {control.first, control.second};
    refuse(node->input_count != captured[0] + captured[1] + carries);
    for (int k = 0; k < 2; ++k) {
      refuse(inside[k]->inputs.size() != captured[k] + carries);
      for (size_t i = 0; i < inside[k]->inputs.size(); ++i) {
        const size_t from = i < captured[k] ? i + (k ? captured[0] : 0)
                                            : captured[0] + captured[1] + i - captured[k];
        refuse(!fits(inside[k]->inputs[i], input(from)));
      }
    }
    for (size_t i = 0; i < carries; ++i) {
      refuse(!fits(inside[1]->results[i].layout, output(i)));
      refuse(!fits(input(captured[0] + captured[1] + i), output(i)));
    }
  } else {
    refuse(inside.size() != 1 || inside[0]->inputs.size() != node->input_count ||
           inside[0]->results.size() != node->output_count || node->output_count < carries ||
           node->input_count < control.first + carries || control.length < 0);
    for (size_t i = 0; i < node->input_count; ++i) {
      const bool whole = i < control.first + carries;
      refuse(!fits(inside[0]->inputs[i], whole ? input(i) : sliced(input(i))));
    }
    for (size_t i = 0; i < node->output_count; ++i) {
      const Layout& result = inside[0]->results[i].layout;
      refuse(!fits(result, i < carries ? output(i) : sliced(output(i))));
      refuse(i < carries && !fits(input(control.first + i), output(i)));
    }
  }
}

}  // namespace mlxk
