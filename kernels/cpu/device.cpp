// The registry of kernels, and the choice of an instruction set when it is first asked.
//
// MLXK_ISA=v2|v3|v4 overrides the choice. Stems with a file for an extension of v4 register it over
// their v4 entries where the CPU gains by it; MLXK_ISA=avx512bf16|amxbf16 chooses one.
#include <cstdlib>
#include <cstring>
#include <string>
#include <unordered_map>
#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "mlxk/error.h"
#include "mlxk/kernel.h"

#define MLXK_ENTRY(isa, stem)                       \
  namespace mlxk::cpu::isa {                        \
  void register_##stem(::mlxk::KernelTable& table); \
  }
#include "mlxk_entries.inc"
#undef MLXK_ENTRY

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

// Every stem of every instruction set that was built.
struct Entry {
  const char* isa;
  void (*fill)(KernelTable& table);
};
constexpr Entry entries[] = {
#define MLXK_ENTRY(isa, stem) {#isa, cpu::isa::register_##stem},
#include "mlxk_entries.inc"
#undef MLXK_ENTRY
};

// False where none of its stems was built.
bool load_isa(KernelTable& table, const char* isa) {
  bool any = false;
  for (const Entry& entry : entries) {
    if (std::strcmp(entry.isa, isa) != 0) continue;
    entry.fill(table);
    any = true;
  }
  return any;
}

#if defined(__x86_64__)
#if defined(MLXK_EMULATED_V4)
constexpr bool emulated_v4 = true;  // it runs on v3, see tests/emulated_v4.h
#else
constexpr bool emulated_v4 = false;
#endif
bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
}
bool has_bf16() {
  return emulated_v4 ||
         (__builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni"));
}
// Intel's makes half as many products a cycle as its multiply-add: converting is quicker there.
bool gains_by_bf16() { return has_bf16() && (emulated_v4 || __builtin_cpu_is("amd")); }

// Linux gives the tile registers to a process that asks.
bool has_amx() {
  if (emulated_v4) return true;
#if defined(__linux__) && defined(SYS_arch_prctl)
  constexpr unsigned tile_and_bf16 = 1u << 24 | 1u << 22;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & tile_and_bf16) != tile_and_bf16)
    return false;
  constexpr int request_permission = 0x1023, tile_data = 18;
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
  return false;
#endif
}

// Extensions of v4 from the least to the best: whether the CPU has it, and whether it gains.
struct Extension {
  const char* name;
  bool (*has)();
  bool (*gains)();
};
constexpr Extension extensions[] = {{"avx512bf16", has_bf16, gains_by_bf16},
                                    {"amxbf16", has_amx, has_amx}};

bool runs(const char* isa) {
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                  __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  if (!std::strcmp(isa, "v4")) return v3 && (emulated_v4 || has_avx512());
  return !std::strcmp(isa, "v3") ? v3 : !std::strcmp(isa, "v2");
}

void load_cpu(KernelTable& table) {
  const char* wanted = std::getenv("MLXK_ISA");
  const bool chosen = wanted && *wanted;
  for (const Extension& extension : extensions) {
    if (!chosen || std::strcmp(wanted, extension.name) != 0 || !runs("v4")) continue;
    if (extension.has() && load_isa(table, "v4") && load_isa(table, extension.name)) return;
  }
  for (const char* isa : {"v4", "v3", "v2"}) {
    if ((chosen && std::strcmp(wanted, isa) != 0) || !runs(isa)) continue;
    if (!load_isa(table, isa)) continue;
    if (std::strcmp(isa, "v4") != 0) return;
    for (const Extension& extension : extensions) {
      if (extension.gains()) load_isa(table, extension.name);
    }
    return;
  }
  raise(ErrorKind::value,
        "[MLXK_ISA] %s is none of v2, v3, v4, avx512bf16 and amxbf16 that was built and this CPU "
        "runs.",
        chosen ? wanted : "the best");
}
#else
void load_cpu(KernelTable& table) { load_isa(table, "arm64"); }
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
