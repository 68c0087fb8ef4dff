// The plan: which slots share memory. Written in place where an instruction allows it and reads its
// input for the last time; else by ranges of one arena whose lives do not overlap. Whether an
// input's buffer is taken over is decided by each run, which sees who else holds it: the plan only
// names the donor.
#include <algorithm>

#include "graph/lower.h"
#include "mlxk/error.h"
#include "runtime/execute.h"

namespace mlxk {

namespace {

constexpr size_t line = 64;
constexpr size_t most_ranges =
    4096;  // free ranges that are remembered: beyond, the arena grows instead of the search
constexpr uint32_t taken = UINT32_MAX / 2;
constexpr size_t most_arena_bytes = size_t{1} << 60;

size_t rounded(size_t bytes) { return bytes ? (bytes + line - 1) / line * line : line; }

// Free ranges of one stream's part of the arena, by offset; neighbours are joined.
class Ranges {
 public:
  struct Range {
    size_t begin, end;
  };

  bool take(size_t bytes, size_t* offset) {
    // The tightest fit among the free ranges.
    size_t best = free_.size();
    for (size_t i = 0; i < free_.size(); ++i) {
      const size_t size = free_[i].end - free_[i].begin;
      if (size < bytes) continue;
      if (best == free_.size() || size < free_[best].end - free_[best].begin) best = i;
      if (size == bytes) break;
    }
    if (best == free_.size()) return false;
    *offset = free_[best].begin;
    free_[best].begin += bytes;
    if (free_[best].begin == free_[best].end)
      free_.erase(free_.begin() + static_cast<ptrdiff_t>(best));
    return true;
  }

  void give(size_t begin, size_t end) {
    auto after = std::lower_bound(free_.begin(), free_.end(), begin,
                                  [](const Range& range, size_t at) { return range.begin < at; });
    const bool joins_before = after != free_.begin() && (after - 1)->end == begin;
    const bool joins_after = after != free_.end() && after->begin == end;
    if (joins_before && joins_after) {
      (after - 1)->end = after->end;
      free_.erase(after);
    } else if (joins_before) {
      (after - 1)->end = end;
    } else if (joins_after) {
      after->begin = begin;
    } else if (free_.size() < most_ranges) {
      free_.insert(after, {begin, end});
    }
  }

 private:
  std::vector<Range> free_;
};

class Planner {
 public:
  explicit Planner(Program* program) : p_(*program) {}

  void run() {
    for (uint32_t i = 0; i < p_.instructions.size(); ++i) share(i);
    settle();
    if (planned_) {
      for (uint32_t i = 0; i < p_.instructions.size(); ++i) place(i);
    }
    p_.arena_bytes = arena_;
    p_.frame_bytes = frame_size(p_);
  }

 private:
  // May output `o` of the instruction be written over input `d`?
  bool fits(const Instruction& instruction, uint32_t index, const Operand& o,
            const Operand& d) const {
    if (p_.checked) return false;  // what went in is looked at afterwards
    const Slot& from = p_.slots[d.slot];
    const Slot& to = p_.slots[o.slot];
    if (from.kind != Slot::Kind::input && from.kind != Slot::Kind::planned) return false;
    if (from.escapes || from.exclusive || from.last != index || to.exclusive ||
        from.stream != to.stream)
      return false;
    if (from.kind == Slot::Kind::planned && from.bytes != to.bytes) return false;
    if (d.offset != 0 || to.bytes == 0) return false;
    if (instruction.kind != Instruction::Kind::call) {
      if (itemsize(d.layout.dtype) != itemsize(o.layout.dtype) || d.layout.size != o.layout.size)
        return false;
    } else if (static_cast<size_t>(d.layout.size) * itemsize(d.layout.dtype) != to.bytes) {
      return false;
    }
    int64_t step = 1;
    for (int i = d.layout.ndim; i-- > 0;) {
      if (d.layout.shape[i] != 1 && d.layout.strides[i] != step) return false;
      step *= d.layout.shape[i];
    }
    return from.scratch ==
           1;  // else another layout of it is read as well, or an output has taken it
  }

  void share(uint32_t index) {
    const Instruction& instruction = p_.instructions[index];
    const Operand* inputs = &p_.operands[instruction.operands];
    const Operand* outputs = inputs + instruction.input_count;
    for (uint32_t i = 0; i < instruction.input_count; ++i) ++p_.slots[inputs[i].slot].scratch;
    const auto try_pair = [&](uint32_t o, uint32_t d) {
      if (!fits(instruction, index, outputs[o], inputs[d])) return false;
      Slot& to = p_.slots[outputs[o].slot];
      Slot& from = p_.slots[inputs[d].slot];
      from.scratch = taken;
      if (from.kind == Slot::Kind::input) {
        to.donor = static_cast<int32_t>(inputs[d].slot);
      } else {
        to.storage = from.storage;
      }
      return true;
    };
    switch (instruction.kind) {
      case Instruction::Kind::fused:
        for (uint32_t o = 0; o < instruction.output_count; ++o) {
          for (uint32_t d = 0; d < instruction.input_count && !try_pair(o, d); ++d) {}
        }
        break;
      case Instruction::Kind::kernel: {
        const int donates = instruction.kernel->donates;
        if (donates >= 0 && static_cast<uint32_t>(donates) < instruction.input_count)
          try_pair(0, donates);
        break;
      }
      case Instruction::Kind::call: {
        const Program& called = *p_.programs[instruction.index];
        for (uint32_t o = 0; o < instruction.output_count; ++o) {
          const int32_t donor = called.slots[called.output_slots[o]].donor;
          if (donor >= 0) try_pair(o, called.slots[donor].index);
        }
        break;
      }
      case Instruction::Kind::control: {
        const Control& control = p_.controls[instruction.index];
        // Not over an input of the Program: a loop that has begun can still be interrupted.
        for (uint32_t i = 0; i < control.carries.size(); ++i) {
          const uint32_t d = control.first + control.second + i;
          if (control.carries[i].how == Control::Carry::in_place &&
              p_.slots[inputs[d].slot].kind == Slot::Kind::planned)
            try_pair(i, d);
        }
        break;
      }
      default: break;
    }
    for (uint32_t i = 0; i < instruction.input_count; ++i) p_.slots[inputs[i].slot].scratch = 0;
  }

  // The slot that comes first in a storage stands for it: it lives as long as the last, is handed
  // out if any is, and its donor is the storage's.
  void settle() {
    for (uint32_t i = 0; i < p_.slots.size(); ++i) {
      Slot& slot = p_.slots[i];
      if (slot.storage == i) continue;
      Slot& owner = p_.slots[slot.storage];
      owner.last = std::max(owner.last, slot.last);
      owner.escapes |= slot.escapes;
      if (slot.kind == Slot::Kind::output) owner.kind = Slot::Kind::output;
    }
    for (uint32_t i = 0; i < p_.slots.size(); ++i) {
      Slot& slot = p_.slots[i];
      if (slot.storage != i) {
        slot.kind = p_.slots[slot.storage].kind;
        continue;
      }
      if (slot.kind == Slot::Kind::output) {
        slot.index = static_cast<uint32_t>(p_.output_slots.size());
        p_.output_slots.push_back(i);
      } else {
        slot.donor = -1;
        planned_ |= slot.kind == Slot::Kind::planned;
      }
    }
  }

  Ranges& ranges(StreamId stream) {
    for (auto& [id, list] : ranges_) {
      if (id == stream) return list;
    }
    return ranges_.emplace_back(stream, Ranges()).second;
  }

  void place_slot(uint32_t index, uint32_t instruction) {
    Slot& slot = p_.slots[index];
    if (slot.kind != Slot::Kind::planned || slot.storage != index || slot.first != instruction)
      return;
    const size_t bytes = rounded(slot.bytes);
    if (slot.exclusive || arena_ == 0 || !ranges(slot.stream).take(bytes, &slot.offset)) {
      slot.offset = arena_;
      arena_ += bytes;
      if (arena_ > most_arena_bytes) {
        raise(ErrorKind::memory, "[eval] the intermediate results are larger than any memory.");
      }
    }
  }

  void free_slot(uint32_t index, uint32_t instruction) {
    Slot& slot = p_.slots[p_.slots[index].storage];
    if (slot.kind != Slot::Kind::planned || slot.last != instruction || slot.exclusive) return;
    if (slot.scratch)
      return;  // an operand may name one slot twice: the second time its range is free already
    slot.scratch = 1;
    ranges(slot.stream).give(slot.offset, slot.offset + rounded(slot.bytes));
  }

  void place(uint32_t index) {
    const Instruction& instruction = p_.instructions[index];
    const Operand* operands = &p_.operands[instruction.operands];
    const uint32_t count = instruction.input_count + instruction.output_count;
    for (uint32_t i = instruction.input_count; i < count; ++i) place_slot(operands[i].slot, index);
    if (instruction.workspace >= 0) place_slot(instruction.workspace, index);
    if (index + 1 < p_.instructions.size()) {  // else nobody takes what is free
      for (uint32_t i = 0; i < count; ++i) free_slot(operands[i].slot, index);
      if (instruction.workspace >= 0) free_slot(instruction.workspace, index);
    }
    for (uint32_t i = 0; i < count; ++i) {
      Slot& slot = p_.slots[operands[i].slot];
      if (slot.storage != operands[i].slot) slot.offset = p_.slots[slot.storage].offset;
    }
  }

  Program& p_;
  bool planned_ = false;
  size_t arena_ = 0;
  std::vector<std::pair<StreamId, Ranges>> ranges_;
};

}  // namespace

void plan(Program* program) { Planner(program).run(); }

}  // namespace mlxk
