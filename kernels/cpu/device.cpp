// The registry of kernels, and the choice of an instruction set when it is first asked.
//
// MLXK_ISA=v2|v3|v4 overrides the choice. Stems with an avx512bf16 file register it over their v4
// entries.
#include <cstdlib>
#include <cstring>
#include <string>
#include <unordered_map>

#include "mlxk/error.h"
#include "mlxk/kernel.h"

#define MLXK_STEM_ENTRY(stem) void register_##stem(::mlxk::KernelTable& table);
#if defined(__x86_64__)
namespace mlxk::cpu::v2 {
#include "mlxk_stems.inc"
}
namespace mlxk::cpu::v3 {
#include "mlxk_stems.inc"
}
namespace mlxk::cpu::v4 {
#include "mlxk_stems.inc"
}
namespace mlxk::cpu::avx512bf16 {
#include "mlxk_avx512bf16_stems.inc"
}
#else
namespace mlxk::cpu::arm64 {
#include "mlxk_stems.inc"
}
#endif
#undef MLXK_STEM_ENTRY

namespace mlxk {
namespace {

class Table final : public KernelTable {
 public:
  void add(const char* op, Kernel kernel) override { kernels_[op] = kernel; }
  const Kernel* find(const char* op) const override {
    const auto found = kernels_.find(op);
    return found == kernels_.end() ? nullptr : &found->second;
  }

 private:
  std::unordered_map<std::string, Kernel> kernels_;
};

struct Registry {
  Table tables[2];
  FusedEngine engine{};
  void (*copy)(const Tensor&, const Tensor&) = nullptr;
};
Registry& bare_registry() {
  static Registry* const registry =
      new Registry;  // never destroyed: threads may outlive static destructors
  return *registry;
}

#if defined(__x86_64__)
bool runs_v3() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}
bool runs_v4() {
  return runs_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
}

void load_cpu(KernelTable& table) {
  const char* wanted = std::getenv("MLXK_ISA");
  if (!wanted || !*wanted) wanted = runs_v4() ? "v4" : runs_v3() ? "v3" : "v2";
#define MLXK_STEM_ENTRY(stem) register_##stem(table);
  if (!std::strcmp(wanted, "v4") && runs_v4()) {
    using namespace cpu::v4;
#include "mlxk_stems.inc"
    if (__builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni")) {
#undef MLXK_STEM_ENTRY
#define MLXK_STEM_ENTRY(stem) cpu::avx512bf16::register_##stem(table);
#include "mlxk_avx512bf16_stems.inc"
#undef MLXK_STEM_ENTRY
#define MLXK_STEM_ENTRY(stem) register_##stem(table);
    }
  } else if (!std::strcmp(wanted, "v3") && runs_v3()) {
    using namespace cpu::v3;
#include "mlxk_stems.inc"
  } else if (!std::strcmp(wanted, "v2")) {
    using namespace cpu::v2;
#include "mlxk_stems.inc"
  } else {
    raise(ErrorKind::value, "[MLXK_ISA] %s is none of v2, v3, v4 that this CPU runs.", wanted);
  }
#undef MLXK_STEM_ENTRY
}
#else
void load_cpu(KernelTable& table) {
#define MLXK_STEM_ENTRY(stem) cpu::arm64::register_##stem(table);
#include "mlxk_stems.inc"
#undef MLXK_STEM_ENTRY
}
#endif

Registry& registry() {
  static const bool loaded = [] {
    load_cpu(bare_registry().tables[static_cast<int>(DeviceKind::cpu)]);
    return true;
  }();
  (void)loaded;
  return bare_registry();
}

}  // namespace

KernelTable& kernels(DeviceKind device) { return registry().tables[static_cast<int>(device)]; }

void set_fused_engine(const FusedEngine& engine) { bare_registry().engine = engine; }
const FusedEngine& fused_engine() { return registry().engine; }

void set_copy(void (*copy)(const Tensor&, const Tensor&)) { bare_registry().copy = copy; }
void copy_tensor(const Tensor& input, const Tensor& output) { registry().copy(input, output); }

}  // namespace mlxk
