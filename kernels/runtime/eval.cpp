// eval and async_eval: lower, reserve all memory, bind the results to their nodes, run.
//
// Small graphs run at once under the graph lock: nobody can see them half done, so they need no
// event. Others run without it, on the calling thread where their stream is idle, else on the
// stream's own.
#include <atomic>
#include <cstdlib>
#include <memory>

#include "graph/lower.h"
#include "mlxk/debug.h"
#include "mlxk/error.h"
#include "runtime/execute.h"

namespace mlxk {

namespace {

constexpr int64_t small_elements = 1 << 15;  // operands of a graph that runs under the lock
constexpr size_t small_instructions = 256;

GraphLock graph_lock{nullptr, nullptr};

class Unlocked {
 public:
  Unlocked()
      : former_(outside_graph_lock(true)),
        state_(graph_lock.unlock ? graph_lock.unlock() : nullptr) {}
  ~Unlocked() {
    if (graph_lock.lock) graph_lock.lock(state_);
    outside_graph_lock(former_);
  }
  Unlocked(const Unlocked&) = delete;

 private:
  const bool former_;
  void* const state_;
};

class EventRef {
 public:
  EventRef() = default;
  explicit EventRef(Event* adopted) : event_(adopted) {}
  static EventRef share(Event* event) {
    event->retain();
    return EventRef(event);
  }
  EventRef(const EventRef& other) : event_(other.event_) {
    if (event_) event_->retain();
  }
  EventRef(EventRef&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}
  EventRef& operator=(EventRef other) noexcept {
    std::swap(event_, other.event_);
    return *this;
  }
  ~EventRef() {
    if (event_) event_->release();
  }
  Event* get() const { return event_; }
  Event* operator->() const { return event_; }

 private:
  Event* event_ = nullptr;
};

void set_writer(Buffer* buffer, Event* event) {
  event->retain();
  if (buffer->writer) buffer->writer->release();
  buffer->writer = event;
}

// One run of a Program: its memory, and how far its streams are.
struct Job {
  Program program;
  std::vector<BufferRef> buffers;  // inputs, then outputs, then the arena
  std::vector<void*> bases;        // of each slot, at least
  std::vector<Tensor> tensors;     // room for one instruction, for each stream, at least
  std::vector<EventRef> waits;     // writers of inputs and constants that were not through
  std::vector<EventRef> records;
  std::vector<EventRef> done;              // of each stream
  Interrupt ends_at = Interrupt::of_main;  // beyond where an input's buffer was taken over
  std::atomic<int> elsewhere{0};  // streams that run on other threads and may still look at this

  void clear() {
    program.clear();
    buffers.clear();
    waits.clear();
    records.clear();
    done.clear();
  }
};

// Runs the instructions of one stream. `failing` names the instruction that threw.
void run_stream(Job& job, size_t stream_index, const Instruction** failing) {
  const Program& program = job.program;
  const bool alone = program.streams.size() == 1;
  const StreamId stream = program.streams[stream_index];
  const Frame frame{job.bases.data(), job.tensors.data() + stream_index * program.max_operands};
  const Interruptible here(job.ends_at);
  for (const EventRef& event : job.waits) event->wait();
  for (const Instruction& instruction : program.instructions) {
    if (!alone && instruction.stream != stream) continue;
    if (interrupted_from(job.ends_at)) raise_interrupted();
    *failing = &instruction;
    if (instruction.kind == Instruction::Kind::record) {
      job.records[instruction.index]->signal();
    } else if (instruction.kind == Instruction::Kind::wait) {
      job.records[instruction.index]->wait();
    } else {
      run_instruction(program, instruction, frame);
    }
  }
  *failing = nullptr;
}

// The same, with the outcome in the events.
void run_and_signal(Job& job, size_t stream_index) noexcept {
  const Instruction* failing = nullptr;
  std::exception_ptr error;
  try {
    run_stream(job, stream_index, &failing);
  } catch (...) { error = located_error(failing ? failing->source : 0); }
  if (error) {
    for (const Instruction& instruction : job.program.instructions) {
      if (instruction.kind == Instruction::Kind::record &&
          instruction.stream == job.program.streams[stream_index]) {
        job.records[instruction.index]->signal(error);
      }
    }
  }
  job.done[stream_index]->signal(error);
}

// A thread's lowering and the job it last used, so that the next graph finds its memory.
struct Scratch {
  std::unique_ptr<Lowering> lowering;
  std::shared_ptr<Job> job;
  std::vector<size_t> sizes;
  std::vector<BufferRef> made;
};
#if defined(__linux__)
__attribute__((tls_model("initial-exec")))
#endif
thread_local Scratch scratch;

std::unique_ptr<Lowering> take_lowering() {
  return scratch.lowering ? std::move(scratch.lowering) : std::make_unique<Lowering>();
}

std::shared_ptr<Job> take_job() {
  return scratch.job ? std::move(scratch.job) : std::make_shared<Job>();
}

bool always_verify() {
  static const bool on = [] {
    const char* text = std::getenv("MLXK_VERIFY");
    return text && *text && *text != '0';
  }();
  return on;
}

bool on_main_thread() { return !graph_lock.is_main || graph_lock.is_main(); }

class Evaluation {
 public:
  Evaluation() : lowering_(take_lowering()), job_(take_job()) {}
  ~Evaluation() {
    lowering_->clear();
    if (!scratch.lowering) scratch.lowering = std::move(lowering_);
    if (job_->elsewhere.load(std::memory_order_acquire) == 0) {
      job_->clear();
      if (!scratch.job) scratch.job = std::move(job_);
    }
  }

  void run(const Edge* roots, size_t count, bool async) {
    Program& program = job_->program;
    job_->ends_at = on_main_thread() ? Interrupt::of_main : Interrupt::of_all;
    program.checked = checks_nans();
    program.keep_chains = always_verify() || program.checked;
    if (program.checked) prepare_inside(roots, count);
    lowering_->lower_roots(roots, count, &program);
    if (program.keep_chains) verify(program);
    if (program.instructions.empty() && lowering_->bindings.empty()) return;
    reserve();
    find_pending();
    const bool at_once = small(async);
    if (!at_once) make_events();
    bind();
    if (at_once) {
      run_at_once(async);
    } else {
      submit(async);
    }
  }

 private:
  bool donatable(const Lowering::Input& input) const {
    if (!input.donatable || input.node->refs.load(std::memory_order_acquire) != input.uses)
      return false;
    const Buffer* buffer = input.node->outputs[input.output].buffer.get();
    return buffer->refs.load(std::memory_order_acquire) == 1 &&
           (buffer->flags & (buffer_pooled | buffer_writable | buffer_exported)) ==
               (buffer_pooled | buffer_writable);
  }

  // Everything is allocated, or an error raised, before anything changes.
  void reserve() {
    Job& job = *job_;
    const Program& program = job.program;
    const size_t input_count = lowering_->inputs.size();
    const size_t output_count = program.output_slots.size();
    job.buffers.resize(input_count + output_count);
    std::vector<size_t>& sizes = scratch.sizes;
    sizes.clear();
    for (size_t i = 0; i < output_count; ++i) {
      const Slot& slot = program.slots[program.output_slots[i]];
      if (slot.donor >= 0) {
        const Lowering::Input& donor = lowering_->inputs[program.slots[slot.donor].index];
        const BufferRef& buffer = donor.node->outputs[donor.output].buffer;
        if (buffer->size >= slot.bytes && buffer->size / 2 <= slot.bytes + 4096 &&
            donatable(donor)) {
          job.buffers[input_count + i] = buffer;
          job.ends_at = Interrupt::beyond;
          continue;
        }
      }
      sizes.push_back(slot.bytes);
    }
    if (program.arena_bytes) sizes.push_back(program.arena_bytes);
    std::vector<BufferRef>& made = scratch.made;
    made.resize(sizes.size());
    allocate_all(sizes.data(), sizes.size(), made.data());
    size_t next = 0;
    for (size_t i = 0; i < output_count; ++i) {
      BufferRef& buffer = job.buffers[input_count + i];
      if (!buffer) buffer = std::move(made[next++]);
    }
    for (size_t i = 0; i < input_count; ++i) {
      const Lowering::Input& input = lowering_->inputs[i];
      job.buffers[i] = input.node->outputs[input.output].buffer;
    }
    char* arena = nullptr;
    if (program.arena_bytes) {
      arena = static_cast<char*>(made[next]->bytes);
      job.buffers.push_back(std::move(made[next]));
    }
    made.clear();
    if (job.bases.size() < program.slots.size()) job.bases.resize(program.slots.size());
    for (size_t i = 0; i < program.slots.size(); ++i) {
      const Slot& slot = program.slots[i];
      switch (slot.kind) {
        case Slot::Kind::input: job.bases[i] = job.buffers[slot.index]->bytes; break;
        case Slot::Kind::constant: job.bases[i] = program.constants[slot.index]->bytes; break;
        case Slot::Kind::output:
          job.bases[i] = slot.storage == i ? job.buffers[input_count + slot.index]->bytes
                                           : job.bases[slot.storage];
          break;
        case Slot::Kind::planned: job.bases[i] = arena + slot.offset; break;
      }
    }
    const size_t tensors = program.max_operands * program.streams.size();
    if (job.tensors.size() < tensors) job.tensors.resize(tensors);
  }

  void add_wait(const BufferRef& buffer) {
    if (Event* writer = buffer->writer) job_->waits.push_back(EventRef::share(writer));
  }

  void find_pending() {
    Job& job = *job_;
    for (size_t i = 0; i < lowering_->inputs.size(); ++i) add_wait(job.buffers[i]);
    for (const BufferRef& constant : job.program.constants) add_wait(constant);
    for (const ProgramRef& called : job.program.programs) {
      for (const BufferRef& constant : called->constants) add_wait(constant);
    }
  }

  bool small(bool async) const {
    const Program& program = job_->program;
    if (program.streams.size() > 1 || program.blocking || program.lasting ||
        program.instructions.size() > small_instructions)
      return false;
    int64_t elements = 0;
    for (const Operand& operand : program.operands) elements += operand.layout.size;
    if (elements > small_elements || program.arena_bytes > static_cast<size_t>(8 * small_elements))
      return false;
    for (const EventRef& event : job_->waits) {
      if (!event->done()) return false;
    }
    if (async) {  // what a kernel costs is not known: it does not hold up the caller
      for (const Instruction& instruction : program.instructions) {
        if (instruction.kind != Instruction::Kind::fused &&
            instruction.kind != Instruction::Kind::copy)
          return false;
      }
    }
    return program.streams.empty() || idle(program.streams[0]);
  }

  void make_events() {
    Job& job = *job_;
    for (size_t i = 0; i < job.program.streams.size(); ++i) job.done.emplace_back(new Event);
    for (uint32_t i = 0; i < job.program.event_count; ++i) job.records.emplace_back(new Event);
    poison(nullptr);
  }

  // Makes the streams' events, or one failed event, the writers of the outputs.
  void poison(Event* failed) {
    Job& job = *job_;
    const Program& program = job.program;
    for (size_t i = 0; i < program.output_slots.size(); ++i) {
      Event* event = failed;
      for (size_t k = 0; k < program.streams.size() && !failed; ++k) {
        if (program.streams[k] == program.slots[program.output_slots[i]].stream)
          event = job.done[k].get();
      }
      set_writer(job.buffers[lowering_->inputs.size() + i].get(), event);
    }
  }

  void bind() {
    Job& job = *job_;
    // An open trace may drop evaluated nodes while others are detached: hold what is still to be
    // bound.
    std::vector<Edge> held;
    if (open_traces()) {
      for (const auto& binding : lowering_->bindings) held.emplace_back(binding.node, 0);
    }
    const size_t input_count = lowering_->inputs.size();
    for (const auto& binding : lowering_->bindings) {
      Output& output = binding.node->outputs[binding.output];
      const Layout& layout = lowering_->layouts[binding.layout];
      const Slot& slot = job.program.slots[job.program.slots[binding.slot].storage];
      output.strides = layout.strides;
      output.offset = layout.offset;
      switch (slot.kind) {
        case Slot::Kind::input: output.buffer = job.buffers[slot.index]; break;
        case Slot::Kind::constant: output.buffer = job.program.constants[slot.index]; break;
        default: output.buffer = job.buffers[input_count + slot.index];
      }
    }
    for (const auto& binding : lowering_->bindings) {
      if (binding.output == 0) detach(binding.node);
    }
  }

  void run_at_once(bool async) {
    Job& job = *job_;
    const Instruction* failing = nullptr;
    try {
      if (!job.program.streams.empty()) run_stream(job, 0, &failing);
    } catch (...) {
      const std::exception_ptr error = located_error(failing ? failing->source : 0);
      const EventRef event(new Event);
      event->signal(error);
      poison(event.get());
      if (!async) std::rethrow_exception(error);
      enqueue(job.program.streams[0],
              [error] { std::rethrow_exception(error); });  // for synchronize()
    }
  }

  void submit(bool async) {
    const std::shared_ptr<Job> job = job_;
    const size_t count = job->program.streams.size();
    // The stream of the last instruction runs here if it can: the caller waits for it anyhow.
    size_t own = count;
    if (!async && !job->program.blocking) {
      for (size_t i = 0; i < count; ++i) {
        if (job->program.streams[i] == job->program.instructions.back().stream) own = i;
      }
      if (own < count && !try_acquire(job->program.streams[own])) own = count;
    }
    for (size_t i = 0; i < count; ++i) {
      if (i == own) continue;
      job->elsewhere.fetch_add(1, std::memory_order_relaxed);
      try {
        enqueue(job->program.streams[i], [held = job, i, async]() mutable {
          WithoutGraphLock here;
          run_and_signal(*held, i);
          const EventRef done = held->done[i];
          held->elsewhere.fetch_sub(1, std::memory_order_release);
          held.reset();  // while this thread is known to hold no lock
          if (async && done->error()) std::rethrow_exception(done->error());  // for synchronize()
        });
      } catch (...) {
        job->elsewhere.fetch_sub(1, std::memory_order_relaxed);
        fail_stream(*job, i, std::current_exception());
      }
    }
    if (own < count) {
      Unlocked here;
      run_and_signal(*job, own);
      release_stream(job->program.streams[own]);
    }
    if (!async) {
      Unlocked here;
      for (const EventRef& event : job->done) {
        while (!event->wait_for(1.0)) {}
      }
    }
  }

  static void fail_stream(Job& job, size_t index, std::exception_ptr error) {
    for (const Instruction& instruction : job.program.instructions) {
      if (instruction.kind == Instruction::Kind::record &&
          instruction.stream == job.program.streams[index]) {
        job.records[instruction.index]->signal(error);
      }
    }
    job.done[index]->signal(error);
  }

  std::unique_ptr<Lowering> lowering_;
  std::shared_ptr<Job> job_;
};

}  // namespace

void set_graph_lock(GraphLock lock) { graph_lock = lock; }

void eval(const Edge* roots, size_t count, bool async) {
  // It was for what ran before.
  if (interrupt_requested() && on_main_thread()) clear_interrupt();
  for (size_t i = 0; i < count; ++i) {
    if (roots[i].node()->evaluated()) continue;
    Evaluation().run(roots, count, async);
    break;
  }
  if (async) return;
  for (size_t i = 0; i < count; ++i) {
    const BufferRef& buffer = roots[i].node()->outputs[roots[i].output()].buffer;
    if (!buffer || !buffer->writer) continue;
    const EventRef writer = EventRef::share(buffer->writer);
    if (writer->done()) {
      if (writer->error()) std::rethrow_exception(writer->error());
      continue;
    }
    Unlocked here;
    writer->wait();
  }
}

}  // namespace mlxk
