// From a FusedChain to Codes: which value is in a, which in b, which is spilled, and when outputs
// are stored.
//
// One linear pass decides and emits. A value that is used again when a is overwritten moves to b if
// b is free, else to a spill place; inputs are read again instead. All stores of an output come
// after the last load of an input of the same item size, because that output may lie in the input's
// memory.
#pragma once

#include "cpu/elementwise/table.h"
#include "mlxk/error.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

// What compile() writes at the start of the memory; the Codes follow, then the immediates, each
// spread over a block. Places are numbered: inputs, outputs, immediates, spills.
struct Compiled {
  uint32_t code_count, input_count, output_count, immediate_count, spill_count;
  uint32_t immediate_offset, immediate_stride;  // bytes
  float cost;                                   // estimated nanoseconds an element
  uint8_t input_size[max_fused_inputs], output_size[max_fused_outputs];

  const Code* codes() const { return reinterpret_cast<const Code*>(this + 1); }
  const char* immediates() const { return reinterpret_cast<const char*>(this) + immediate_offset; }
  uint32_t place_count() const {
    return input_count + output_count + immediate_count + spill_count;
  }
};
constexpr uint16_t nothing = 0xffff;

// The state of one compilation. Values are numbered: steps, then inputs, then immediates.
class Compiler {
 public:
  // With a null `out` it only counts. `scratch` holds three uint16 a step and two an input.
  Compiler(const FusedChain& chain, Code* out, uint16_t* scratch)
      : chain_(chain),
        out_(out),
        last_use_(scratch),
        place_(scratch + chain.step_count + chain.input_count),
        alias_(place_ + chain.step_count + chain.input_count) {}

  static size_t scratch_count(const FusedChain& chain) {
    return 3 * chain.step_count + 2 * chain.input_count;
  }

  void run() {
    find_uses();
    for (uint16_t i = 0; i < chain_.step_count; i++) {
      step_ = i;
      const FusedStep& step = chain_.steps[i];
      if (step.formula == fused_copy)
        emit_copy(step);
      else
        emit_step(step);
      release_spills(step);
    }
    step_ = chain_.step_count;
    emit_deferred_stores();
    emit(finish);
  }

  uint32_t code_count() const { return count_; }
  uint32_t spill_count() const { return spill_count_; }
  float cost() const { return cost_; }

 private:
  // ---- values -----------------------------------------------------------------------------------

  uint16_t value_of(const FusedArg& arg) const {
    if (arg.kind == FusedArg::step) return alias_[arg.index];
    if (arg.kind == FusedArg::input) return chain_.step_count + arg.index;
    return chain_.step_count + chain_.input_count + arg.index;
  }
  bool is_step(uint16_t v) const { return v < chain_.step_count; }
  bool is_input(uint16_t v) const {
    return !is_step(v) && v < chain_.step_count + chain_.input_count;
  }
  uint16_t input_of(uint16_t v) const { return v - chain_.step_count; }
  uint16_t immediate_of(uint16_t v) const { return v - chain_.step_count - chain_.input_count; }
  Dtype dtype_of(uint16_t v) const {
    if (is_step(v)) return chain_.steps[v].dtype;
    return is_input(v) ? chain_.input_dtypes[input_of(v)]
                       : chain_.immediates[immediate_of(v)].dtype;
  }
  uint16_t place_of(uint16_t v) const {  // where the value lies in its compute type, or nothing
    if (is_step(v)) return place_[v];
    if (!is_input(v)) return chain_.input_count + chain_.output_count + immediate_of(v);
    if (place_[v] != nothing) return place_[v];
    return is_direct(dtype_of(v)) ? input_of(v) : nothing;
  }
  bool used_later(uint16_t v) const {
    return is_step(v) && last_use_[v] != nothing && last_use_[v] > step_;
  }
  bool is_deferred(const FusedStep& step, uint16_t i) const {
    return last_load_[storage_class(chain_.output_dtypes[step.output])] > i;
  }
  static int storage_class(Dtype d) {
    return itemsize(d) == 1 ? 0 : itemsize(d) == 2 ? 1 : itemsize(d) == 4 ? 2 : 3;
  }

  void find_uses() {
    const uint16_t steps = chain_.step_count, inputs = chain_.input_count;
    for (uint16_t v = 0; v < steps + inputs; v++) last_use_[v] = place_[v] = nothing;
    for (uint16_t v = 0; v < inputs; v++) note_type(chain_.input_dtypes[v]);
    for (uint16_t i = 0; i < steps; i++) {
      const FusedStep& step = chain_.steps[i];
      alias_[i] = step.formula == fused_copy ? value_of(step.args[0]) : i;
      note_type(step.dtype);
      note_type(step.input_dtype);
      for (int j = 0; j < step.arg_count; j++) {
        const uint16_t v = value_of(step.args[j]);
        if (v < steps + inputs && step.formula != fused_copy) last_use_[v] = i;
        if (!is_input(v)) continue;
        uint16_t& last_load = last_load_[storage_class(dtype_of(v))];
        if (step.formula == fused_copy)
          last_load = steps;  // it is read at the end
        else if (last_load < i)
          last_load = i;
      }
    }
    for (uint16_t i = 0; i < steps; i++) {
      const FusedStep& step = chain_.steps[i];
      if (step.output < 0) continue;
      const uint16_t v = alias_[i];
      if (!is_step(v)) continue;
      if (is_deferred(step, i))
        last_use_[v] = steps;
      else if (v != i && (last_use_[v] == nothing || last_use_[v] < i))
        last_use_[v] = i;
    }
  }
  void note_type(Dtype d) {
    if (itemsize(d) == 8) has_wide_ = true;
  }

  // ---- code -------------------------------------------------------------------------------------

  void emit(Handler handler, uint32_t x = 0, uint32_t y = 0) {
    if (out_) out_[count_] = Code{handler, x, y};
    count_++;
    cost_ += 0.03f;
  }

  bool b_is_free() const {
    if (has_wide_) return false;
    if (b_ == nothing) return true;
    if (used_later(b_)) return false;
    if (step_ < chain_.step_count) {
      const FusedStep& step = chain_.steps[step_];
      for (int j = 0; j < step.arg_count; j++)
        if (value_of(step.args[j]) == b_) return false;
    }
    return true;
  }
  void swap() {
    emit(swap_b);
    const uint16_t kept = a_;
    a_ = b_;
    b_ = kept;
  }

  uint16_t new_spill() {
    const uint16_t first = chain_.input_count + chain_.output_count + chain_.immediate_count;
    for (uint16_t i = 0; i < spill_count_ && i < 64; i++) {
      if (!(spills_in_use_ >> i & 1)) {
        spills_in_use_ |= uint64_t{1} << i;
        return first + i;
      }
    }
    if (spill_count_ < 64) spills_in_use_ |= uint64_t{1} << spill_count_;
    return first + spill_count_++;
  }
  void release_spills(const FusedStep& step) {
    const uint16_t first = chain_.input_count + chain_.output_count + chain_.immediate_count;
    for (int j = 0; j < step.arg_count; j++) {
      const uint16_t v = value_of(step.args[j]);
      if (!is_step(v) || place_[v] == nothing || last_use_[v] > step_) continue;
      if (place_[v] - first < 64) spills_in_use_ &= ~(uint64_t{1} << (place_[v] - first));
      place_[v] = nothing;
    }
  }
  // Writes a to memory, so that it can be an operand there.
  void spill_a() {
    if (place_of(a_) != nothing) return;
    place_[a_] = new_spill();
    emit(store_a<false>[spilled_as(compute_dtype(dtype_of(a_)))], place_[a_]);
  }
  // Before a is overwritten: keeps it if anything still wants it.
  void save_a(bool wanted_now) {
    if (a_ == nothing || !is_step(a_) || place_[a_] != nothing || b_ == a_) return;
    if (!wanted_now && !used_later(a_)) return;
    if (b_is_free()) {
      emit(copy_to_b);
      b_ = a_;
    } else {
      spill_a();
    }
  }
  void load(uint16_t v) {
    if (b_ == v) {
      swap();
      return;
    }
    const uint16_t place = place_of(v);
    if (is_input(v) && place == nothing) {
      emit(load_a[storage_of(dtype_of(v))], input_of(v));
    } else {
      emit(load_a[spilled_as(compute_dtype(dtype_of(v)))], place);
    }
    a_ = v;
  }
  bool is_argument(const FusedStep& step, uint16_t v) const {
    for (int j = 0; j < step.arg_count; j++)
      if (value_of(step.args[j]) == v) return true;
    return false;
  }
  void move_to_a(const FusedStep& step, uint16_t v) {
    if (a_ == v) return;
    if (b_ != v) save_a(a_ != nothing && is_argument(step, a_));
    load(v);
  }
  // Makes v an operand in memory.
  void put_in_memory(const FusedStep& step, uint16_t v) {
    if (place_of(v) != nothing) return;
    move_to_a(step, v);
    spill_a();
  }

  // ---- steps ------------------------------------------------------------------------------------

  void emit_step(const FusedStep& step) {
    const Dtype type = compute_dtype(step.input_dtype);
    Dtype made = type;
    if (step.formula == fused_cast) {
      const uint16_t v = value_of(step.args[0]);
      move_to_a(step, v);
      save_a(false);
      made = compute_dtype(dtype_of(v));
    } else {
      if (step.formula >= formula_count)
        raise(ErrorKind::runtime, "[fuse] no formula %d.", step.formula);
      const FormulaRow& row = formula_table.rows[step.formula];
      const Handler* run = row.run[static_cast<int>(type)];
      if (row.arity != step.arg_count || !run[0]) {
        raise(ErrorKind::runtime, "[fuse] %s is not defined on %s.",
              scalar_formula(step.formula).name, name(type));
      }
      if (row.arity == 1)
        emit_unary(step, run);
      else if (row.arity == 2)
        emit_binary(step, run);
      else
        emit_ternary(step, run);
      if (row.dear) cost_ += type == Dtype::float32 ? 0.4f : 8.0f;
      if (row.result == result_bool_) made = Dtype::bool_;
      if (row.result == result_real && made == Dtype::complex64) made = Dtype::float32;
    }
    const Handler convert =
        convert_table.run[static_cast<int>(compute_dtype(step.dtype))][static_cast<int>(made)];
    if (convert) emit(convert);
    a_ = step_;
    if (b_ == step_) b_ = nothing;
    const bool stored_now = step.output >= 0 && !is_deferred(step, step_);
    // A store rounds by itself; so a value that goes nowhere else needs no rounding of its own.
    if (last_use_[step_] != nothing ||
        (step.output >= 0 && chain_.output_dtypes[step.output] != step.dtype)) {
      if (step.dtype == Dtype::float16) emit(round_handler<false>);
      if (step.dtype == Dtype::bfloat16) emit(round_handler<true>);
    }
    if (stored_now) store(step.output);
  }

  void emit_unary(const FusedStep& step, const Handler* run) {
    move_to_a(step, value_of(step.args[0]));
    save_a(false);
    emit(run[0]);
  }

  void emit_binary(const FusedStep& step, const Handler* run) {
    const uint16_t x = value_of(step.args[0]), y = value_of(step.args[1]);
    if (x == y) {
      emit_binary_of_one(step, run, x);
      return;
    }
    if (a_ != x && a_ != y) {  // neither is at hand: take the one that memory cannot serve
      move_to_a(step, place_of(x) != nothing && place_of(y) == nothing ? y : x);
    }
    const uint16_t first = a_, other = a_ == x ? y : x;
    if (b_ != other && place_of(other) == nothing) {
      if (b_is_free() && is_input(other)) {
        emit(load_b[storage_of(dtype_of(other))], input_of(other));
        b_ = other;
      } else {
        put_in_memory(step, other);
        if (place_of(first) == nothing) move_to_a(step, first);
      }
    }
    const uint16_t second = a_ == x ? y : x;
    if (b_ == second && (a_ == x || place_of(second) == nothing)) {
      if (a_ != x) swap();
      if (used_later(x)) spill_a();
      emit(run[a_b]);
      return;
    }
    save_a(false);
    emit(run[a_ == x ? a_memory : memory_a], place_of(second));
  }
  void emit_binary_of_one(const FusedStep& step, const Handler* run, uint16_t x) {
    move_to_a(step, x);
    if (b_ != x && place_of(x) == nothing) {
      if (b_is_free()) {
        emit(copy_to_b);
        b_ = x;
      } else {
        spill_a();
      }
    }
    if (b_ == x)
      emit(run[a_b]);
    else
      emit(run[a_memory], place_of(x));
  }

  // One operand stays in a, the others lie in memory.
  void emit_ternary(const FusedStep& step, const Handler* run) {
    uint16_t v[3];
    for (int j = 0; j < 3; j++) v[j] = value_of(step.args[j]);
    uint16_t kept = v[0];
    for (int j = 0; j < 3; j++) {
      if (v[j] == a_) kept = a_;
    }
    int times = 0, accumulated = 0;
    for (int j = 2; j >= 0; j--) {
      if (v[j] == kept) times++, accumulated = j;
    }
    for (int j = 0; j < 3; j++) {
      if (v[j] != kept || times > 1) put_in_memory(step, v[j]);
    }
    move_to_a(step, kept);
    save_a(false);
    emit(run[accumulated], place_of(v[accumulated == 0 ? 1 : 0]),
         place_of(v[accumulated == 2 ? 1 : 2]));
  }

  // ---- outputs ----------------------------------------------------------------------------------

  void store(int output) {
    emit(store_a<true>[storage_of(chain_.output_dtypes[output])], chain_.input_count + output);
    cost_ += 0.05f * static_cast<float>(itemsize(chain_.output_dtypes[output]));
  }
  static Storage bytes_of(Dtype d) {
    return itemsize(d) == 1 ? as_1 : itemsize(d) == 2 ? as_2 : itemsize(d) == 4 ? as_4 : as_8;
  }
  void move_to_a_for_store(uint16_t v) {
    if (a_ == v) return;
    if (b_ != v) save_a(false);
    load(v);
  }
  // A step that stores another step's value does it here; inputs and immediates follow at the end.
  void emit_copy(const FusedStep& step) {
    const uint16_t v = alias_[step_];
    if (step.output < 0 || !is_step(v) || is_deferred(step, step_)) return;
    move_to_a_for_store(v);
    store(step.output);
  }

  // First everything that is still to be stored is brought together in spill places, then it is
  // written.
  void emit_deferred_stores() {
    uint32_t waiting = 0;
    for (uint16_t i = 0; i < chain_.step_count; i++) waiting += is_waiting(i);
    if (waiting == 0) return;
    const uint16_t all = chain_.step_count;
    if (waiting > 1) {
      if (a_ != nothing && is_step(a_) && last_use_[a_] == all) spill_a();
      if (b_ != nothing && b_ != a_ && is_step(b_) && last_use_[b_] == all &&
          place_[b_] == nothing) {
        swap();
        spill_a();
      }
    }
    for (uint16_t i = 0; i < all && waiting > 1; i++) {
      if (!is_waiting(i) || !is_input(alias_[i])) continue;
      const Storage bytes = bytes_of(dtype_of(alias_[i]));
      alias_place(i) = new_spill();
      emit(load_a[bytes], input_of(alias_[i]));
      emit(store_a<false>[bytes], alias_place(i));
      a_ = nothing;
    }
    for (uint16_t i = 0; i < all; i++) {
      if (!is_waiting(i)) continue;
      const uint16_t v = alias_[i];
      const int output = chain_.steps[i].output;
      if (is_input(v)) {
        const Storage bytes = bytes_of(dtype_of(v));
        emit(load_a[bytes], waiting > 1 ? alias_place(i) : input_of(v));
        emit(store_a<true>[bytes], chain_.input_count + output);
        a_ = nothing;
      } else {
        if (a_ != v) load(v);
        store(output);
      }
    }
  }
  bool is_waiting(uint16_t i) const {
    const FusedStep& step = chain_.steps[i];
    return step.output >= 0 && (!is_step(alias_[i]) || is_deferred(step, i));
  }
  uint16_t& alias_place(uint16_t i) { return place_[i]; }  // a copy step has no place of its own

  const FusedChain& chain_;
  Code* out_;
  uint16_t* last_use_;  // by step and input: the last step that reads it, step_count if a store at
                        // the end does
  uint16_t* place_;     // by step and input: a spill place
  uint16_t* alias_;     // by step: the value it is, which differs for copies
  uint16_t last_load_[4] = {0, 0, 0, 0};  // by item size: the last step that reads an input of it
  uint16_t step_ = 0, a_ = nothing, b_ = nothing;
  bool has_wide_ = false;
  uint32_t count_ = 0, spill_count_ = 0;
  uint64_t spills_in_use_ = 0;
  float cost_ = 0.0f;
};

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
