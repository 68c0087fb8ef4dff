#include "sim/engine.h"

#include <ucontext.h>

#include <algorithm>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "mlxk/error.h"

// The sanitizers have to be told which stack runs.
#if defined(__SANITIZE_ADDRESS__)
extern "C" void __sanitizer_start_switch_fiber(void** fake, const void* bottom, size_t size);
extern "C" void __sanitizer_finish_switch_fiber(void* fake, const void** bottom, size_t* size);
#endif
#if defined(__SANITIZE_THREAD__)
extern "C" void* __tsan_get_current_fiber();
extern "C" void* __tsan_create_fiber(unsigned flags);
extern "C" void __tsan_destroy_fiber(void* fiber);
extern "C" void __tsan_switch_to_fiber(void* fiber, unsigned flags);
#endif

namespace mlxk::sim {
namespace {

constexpr size_t stack_bytes = 256 << 10;

// A stack with something to run on it. All fibers switch from and to the scheduler.
class Fiber {
 public:
  Fiber() : stack_(new char[stack_bytes]) {
#if defined(__SANITIZE_THREAD__)
    thread_ = __tsan_create_fiber(0);
#endif
  }
  ~Fiber() {
#if defined(__SANITIZE_THREAD__)
    __tsan_destroy_fiber(thread_);
#endif
  }
  Fiber(const Fiber&) = delete;

  void start(void (*body)()) {
    getcontext(&context_);
    context_.uc_stack.ss_sp = stack_.get();
    context_.uc_stack.ss_size = stack_bytes;
    context_.uc_link = nullptr;
    fake_ = nullptr;
    makecontext(&context_, body, 0);
  }

  // Called by the scheduler: returns when the body suspends or leaves.
  void resume() {
#if defined(__SANITIZE_ADDRESS__)
    void* fake = nullptr;
    __sanitizer_start_switch_fiber(&fake, stack_.get(), stack_bytes);
#endif
#if defined(__SANITIZE_THREAD__)
    scheduler_thread_ = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(thread_, 0);
#endif
    swapcontext(&scheduler_, &context_);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#endif
  }

  // Called on the fiber. entered() comes first in its body, suspend(true) last.
  void entered() {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake_, &scheduler_stack_, &scheduler_bytes_);
#endif
  }
  void suspend(bool for_good = false) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(for_good ? nullptr : &fake_, scheduler_stack_, scheduler_bytes_);
#else
    (void)for_good;
#endif
#if defined(__SANITIZE_THREAD__)
    __tsan_switch_to_fiber(scheduler_thread_, 0);
#endif
    swapcontext(&context_, &scheduler_);
    entered();
  }

 private:
  std::unique_ptr<char[]> stack_;
  ucontext_t context_, scheduler_;
  void* fake_ = nullptr;
  // What sanitizers are told.
  [[maybe_unused]] const void* scheduler_stack_ = nullptr;
  [[maybe_unused]] size_t scheduler_bytes_ = 0;
  [[maybe_unused]] void *thread_ = nullptr, *scheduler_thread_ = nullptr;
};

enum class State : uint8_t { ready, at_barrier, at_exchange, ended };

struct LaneFiber {
  Fiber fiber;
  Lane lane;
  State state = State::ready;
  int line = 0;  // where it waits
  uint64_t brought = 0;
};

class Block {
 public:
  Block(const Launch& launch, const std::function<void()>& body)
      : launch(launch), body(body), generator_(launch.seed), order_(launch.block.count()) {
    static thread_local std::vector<std::unique_ptr<LaneFiber>> kept;  // stacks are dear
    while (kept.size() < order_.size()) kept.push_back(std::make_unique<LaneFiber>());
    for (size_t i = 0; i < order_.size(); i++) lanes_.push_back(kept[i].get());
    received_.resize(lanes_.size());
    std::iota(order_.begin(), order_.end(), 0u);
    if (launch.order == Order::descending) std::reverse(order_.begin(), order_.end());
  }

  void run(Extent position);

  const Launch& launch;
  const std::function<void()>& body;
  LaneFiber* current = nullptr;

  Exchanged received() const {
    const uint32_t first = current->lane.simd_group() * simd_width;
    return {received_.data() + first, std::min(simd_width, lane_count() - first)};
  }

  void* shared(const void* site, size_t bytes) {
    auto [found, is_new] = shared_.try_emplace(site);
    if (is_new) found->second.assign(bytes, static_cast<char>(0xff));
    if (found->second.size() != bytes)
      raise(ErrorKind::runtime, "[sim] one shared array has %zu and %zu bytes.",
            found->second.size(), bytes);
    return found->second.data();
  }

 private:
  uint32_t lane_count() const { return static_cast<uint32_t>(lanes_.size()); }
  void place(Extent position);
  bool all_wait(uint32_t first, uint32_t last, State state) const;
  bool release();
  [[noreturn]] void report() const;

  std::mt19937_64 generator_;
  std::vector<uint32_t> order_;
  std::vector<LaneFiber*> lanes_;
  std::vector<uint64_t> received_;
  std::map<const void*, std::vector<char>> shared_;
};

thread_local Block* block = nullptr;

void lane_body() {
  LaneFiber& self = *block->current;
  self.fiber.entered();
  block->body();
  self.state = State::ended;
  self.fiber.suspend(true);
}

void Block::place(Extent position) {
  uint32_t i = 0;
  for (uint32_t z = 0; z < launch.block.z; z++)
    for (uint32_t y = 0; y < launch.block.y; y++)
      for (uint32_t x = 0; x < launch.block.x; x++, i++) {
        lanes_[i]->lane = {{x, y, z}, position, i};
        lanes_[i]->state = State::ready;
        lanes_[i]->fiber.start(lane_body);
      }
}

void Block::run(Extent position) {
  shared_.clear();
  place(position);
  do {
    if (launch.order == Order::random) std::shuffle(order_.begin(), order_.end(), generator_);
    for (const uint32_t i : order_) {
      if (lanes_[i]->state != State::ready) continue;
      current = lanes_[i];
      current->fiber.resume();
    }
  } while (release());
}

bool Block::all_wait(uint32_t first, uint32_t last, State state) const {
  for (uint32_t i = first; i < last; i++)
    if (lanes_[i]->state != state || lanes_[i]->line != lanes_[first]->line) return false;
  return true;
}

// Lets lanes go on that have met; false when all have ended.
bool Block::release() {
  bool released = false;
  for (uint32_t first = 0; first < lane_count(); first += simd_width) {
    const uint32_t last = std::min(first + simd_width, lane_count());
    if (!all_wait(first, last, State::at_exchange)) continue;
    for (uint32_t i = first; i < last; i++) {
      received_[i] = lanes_[i]->brought;
      lanes_[i]->state = State::ready;
    }
    released = true;
  }
  if (released) return true;
  if (all_wait(0, lane_count(), State::at_barrier)) {
    for (LaneFiber* lane : lanes_) lane->state = State::ready;
    return true;
  }
  for (LaneFiber* lane : lanes_)
    if (lane->state != State::ended) report();
  return false;
}

void Block::report() const {
  const auto described = [](const LaneFiber& lane) {
    const char* const what = lane.state == State::ended        ? " has ended"
                             : lane.state == State::at_barrier ? " waits for its block at line "
                                                               : " waits for its group at line ";
    const std::string line = lane.state == State::ended ? "" : std::to_string(lane.line);
    return "lane " + std::to_string(lane.lane.index) + what + line;
  };
  // Two lanes that do not meet: one that waits, and one that differs from it.
  const LaneFiber* waiting = nullptr;
  for (LaneFiber* lane : lanes_)
    if (lane->state != State::ended && !waiting) waiting = lane;
  const LaneFiber* other = waiting;
  for (LaneFiber* lane : lanes_)
    if (lane->state != waiting->state || lane->line != waiting->line) other = lane;
  raise(ErrorKind::runtime, "[sim] %s, %s: they never meet.", described(*waiting).c_str(),
        described(*other).c_str());
}

void wait(State state, int line) {
  LaneFiber& self = *block->current;
  self.state = state;
  self.line = line;
  self.fiber.suspend();
}

}  // namespace

void run(const Launch& launch, const std::function<void()>& lane) {
  Block all(launch, lane);
  if (block) raise(ErrorKind::runtime, "[sim] a kernel cannot launch another.");
  struct Leave {
    ~Leave() { block = nullptr; }
  } leave;
  block = &all;
  for (uint32_t z = 0; z < launch.grid.z; z++)
    for (uint32_t y = 0; y < launch.grid.y; y++)
      for (uint32_t x = 0; x < launch.grid.x; x++) all.run({x, y, z});
}

const Lane& this_lane() { return block->current->lane; }
const Launch& this_launch() { return block->launch; }

void wait_for_block(int line) { wait(State::at_barrier, line); }

Exchanged exchange(uint64_t word, int line) {
  block->current->brought = word;
  wait(State::at_exchange, line);
  return block->received();
}

void* shared_memory(const void* site, size_t bytes) { return block->shared(site, bytes); }

}  // namespace mlxk::sim
