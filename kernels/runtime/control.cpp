// Running loops and branches: Programs over and over, in memory that is already there.
#include <cstring>

#include "mlxk/error.h"
#include "runtime/execute.h"

namespace mlxk {

namespace {

thread_local Interrupt interruptible_from = Interrupt::beyond;

void copy_bytes(void* to, const void* from, size_t bytes) {
  if (bytes && to != from) std::memcpy(to, from, bytes);
}

// One of the Programs, with the lists of where its inputs are and its results belong.
class Inside {
 public:
  Inside(const Program& outer, const Control::Part& part, void* workspace)
      : program_(*outer.programs[part.program]),
        part_(part),
        bytes_(static_cast<char*>(workspace)),
        inputs(reinterpret_cast<void**>(bytes_ + part.inputs)),
        results(reinterpret_cast<void**>(bytes_ + part.results)),
        outputs_(reinterpret_cast<void**>(bytes_ + part.outputs)) {
    for (size_t k = 0; k < part.scratch.size(); ++k) outputs_[k] = bytes_ + part.scratch[k];
  }

  // A result without a place is left out.
  void run() const {
    for (size_t i = 0; i < part_.of.size(); ++i) {
      if (part_.of[i].output >= 0 && results[i]) outputs_[part_.of[i].output] = results[i];
    }
    run_program(program_, bytes_ + part_.memory, inputs, outputs_);
    for (size_t i = 0; i < part_.of.size(); ++i) {
      if (part_.of[i].output < 0 && results[i]) copy_result(i);
    }
  }

 private:
  void copy_result(size_t i) const {
    const ProgramResult& result = program_.results[i];
    const Slot& slot = program_.slots[program_.slots[result.slot].storage];
    char* from = static_cast<char*>(slot.kind == Slot::Kind::input ? inputs[slot.index]
                                                                   : outputs_[slot.index]);
    const Layout& layout = result.layout;
    const int32_t ndim = static_cast<int32_t>(layout.shape.size());
    int64_t size = 1;
    for (int64_t length : layout.shape) size *= length;
    if (!size) return;
    copy_tensor(
        {from + layout.offset, layout.shape.data(), layout.strides.data(), size, ndim,
         layout.dtype},
        {results[i], layout.shape.data(), part_.of[i].strides.data(), size, ndim, layout.dtype});
  }

  const Program& program_;
  const Control::Part& part_;
  char* const bytes_;

 public:
  void** const inputs;
  void** const results;

 private:
  void** const outputs_;
};

// The carried arrays: where they are, and where the next step puts them. `next` is the list of all
// results.
class Carries {
 public:
  Carries(const Control& control, const Tensor* inputs, const Tensor* outputs, void* workspace,
          void** now, void** next)
      : control_(control),
        outputs_(outputs),
        bytes_(static_cast<char*>(workspace)),
        now_(now),
        next_(next) {
    for (size_t i = 0; i < control.carries.size(); ++i) {
      now_[i] = inputs[i].data;
      if (control.carries[i].how != Control::Carry::in_place) continue;
      copy_bytes(outputs[i].data, now_[i], control.carries[i].bytes);
      now_[i] = outputs[i].data;
    }
  }

  // Before a step; `own` says that it writes alternating arrays into the outputs.
  void aim(bool own) {
    for (size_t i = 0; i < control_.carries.size(); ++i) {
      const Control::Carried& carried = control_.carries[i];
      switch (carried.how) {
        case Control::Carry::kept:
        case Control::Carry::stacked: next_[i] = nullptr; break;
        case Control::Carry::in_place: next_[i] = now_[i]; break;
        case Control::Carry::alternating:
          next_[i] = own ? outputs_[i].data : bytes_ + carried.spare;
      }
    }
  }

  void advance() {
    for (size_t i = 0; i < control_.carries.size(); ++i) {
      const Control::Carried& carried = control_.carries[i];
      if (carried.how == Control::Carry::stacked) now_[i] = next_[carried.same];
      if (next_[i]) now_[i] = next_[i];
    }
  }

  void finish() {
    for (size_t i = 0; i < control_.carries.size(); ++i)
      copy_bytes(outputs_[i].data, now_[i], control_.carries[i].bytes);
  }

 private:
  const Control& control_;
  const Tensor* outputs_;
  char* const bytes_;
  void** const now_;
  void** const next_;
};

size_t row_bytes(const Tensor& x, int64_t length) {
  return length ? static_cast<size_t>(x.size / length) * itemsize(x.dtype) : 0;
}

void run_scan(const Control& control, const Inside& body, const Tensor* inputs,
              uint32_t input_count, const Tensor* outputs, uint32_t output_count, void* workspace) {
  const uint32_t captured = control.first;
  const uint32_t carries = static_cast<uint32_t>(control.carries.size());
  for (uint32_t i = 0; i < captured; ++i) body.inputs[i] = inputs[i].data;
  for (size_t i = 0; i < control.parts[0].of.size(); ++i) body.results[i] = nullptr;
  Carries carried(control, inputs + captured, outputs, workspace, body.inputs + captured,
                  body.results);
  for (int64_t step = 0; step < control.length; ++step) {
    const size_t at = static_cast<size_t>(control.reverse ? control.length - 1 - step : step);
    for (uint32_t i = captured + carries; i < input_count; ++i) {
      body.inputs[i] =
          static_cast<char*>(inputs[i].data) + at * row_bytes(inputs[i], control.length);
    }
    for (uint32_t i = carries; i < output_count; ++i) {
      body.results[control.stacked[i - carries]] =
          static_cast<char*>(outputs[i].data) + at * row_bytes(outputs[i], control.length);
    }
    carried.aim((control.length - step) % 2 == 1);  // the last step writes what is given out
    look_for_interrupt();
    body.run();
    carried.advance();
  }
  carried.finish();
}

void run_loop(const Control& control, const Inside& test, const Inside& body, const Tensor* inputs,
              const Tensor* outputs, void* workspace) {
  const uint32_t carries = static_cast<uint32_t>(control.carries.size());
  for (uint32_t i = 0; i < control.first; ++i) test.inputs[i] = inputs[i].data;
  for (uint32_t i = 0; i < control.second; ++i) body.inputs[i] = inputs[control.first + i].data;
  void** const now = body.inputs + control.second;
  Carries carried(control, inputs + control.first + control.second, outputs, workspace, now,
                  body.results);
  bool* const goes_on = reinterpret_cast<bool*>(static_cast<char*>(workspace) + control.flag);
  test.results[0] = goes_on;
  for (bool own = true;; own = !own) {
    for (uint32_t i = 0; i < carries; ++i) test.inputs[control.first + i] = now[i];
    test.run();
    if (!*goes_on) break;
    carried.aim(own);
    look_for_interrupt();
    body.run();
    carried.advance();
  }
  carried.finish();
}

}  // namespace

Interruptible::Interruptible(Interrupt least) : former_(interruptible_from) {
  interruptible_from = least;
}
Interruptible::~Interruptible() { interruptible_from = former_; }

void look_for_interrupt() {
  if (interrupted_from(interruptible_from)) raise_interrupted();
}

void run_control(const Program& program, const Instruction& instruction, const Tensor* inputs,
                 const Tensor* outputs, void* workspace) {
  const Control& control = program.controls[instruction.index];
  switch (control.form) {
    case Control::Form::scan:
      return run_scan(control, Inside(program, control.parts[0], workspace), inputs,
                      instruction.input_count, outputs, instruction.output_count, workspace);
    case Control::Form::loop:
      return run_loop(control, Inside(program, control.parts[0], workspace),
                      Inside(program, control.parts[1], workspace), inputs, outputs, workspace);
    case Control::Form::branch: {
      const bool holds = *static_cast<const bool*>(inputs[0].data);
      const Inside side(program, control.parts[holds ? 0 : 1], workspace);
      for (uint32_t i = 1; i < instruction.input_count; ++i) side.inputs[i - 1] = inputs[i].data;
      for (uint32_t i = 0; i < instruction.output_count; ++i) side.results[i] = outputs[i].data;
      side.run();
    }
  }
}

}  // namespace mlxk
