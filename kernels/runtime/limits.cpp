#include "limits.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>
#ifdef __linux__
#include <sched.h>
#endif

namespace mlxk {
namespace {

constexpr size_t unlimited = SIZE_MAX;

#ifdef __linux__

// The first number in a file; unlimited where there is none ("max", a missing file, cgroup v1's
// huge default).
size_t read_number(const std::string& path) {
  std::ifstream file(path);
  unsigned long long value = 0;
  if (!(file >> value) || value > (1ull << 60)) return unlimited;
  return static_cast<size_t>(value);
}

// The value after `key` in a file of "key value" or "key: value kB" lines.
size_t read_field(const std::string& path, const char* key) {
  std::ifstream file(path);
  std::string word;
  while (file >> word) {
    if (word == key) {
      unsigned long long value = 0;
      return file >> value ? static_cast<size_t>(value) : 0;
    }
    file.ignore(1 << 12, '\n');
  }
  return 0;
}

// The folders of this process's cgroup and of its ancestors. Inside a container the path that /proc
// names may not be mounted; the root of the mount then is the container's own group, so it is
// always looked at.
std::vector<std::string> cgroup_folders(const char* controller) {
  std::vector<std::string> folders;
  std::ifstream file("/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string names = "," + line.substr(first + 1, second - first - 1) + ",";
    std::string path = line.substr(second + 1);
    std::vector<std::string> roots;
    if (names == ",,") {
      roots = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    } else if (names.find("," + std::string(controller) + ",") != std::string::npos) {
      roots = {"/sys/fs/cgroup/" + line.substr(first + 1, second - first - 1),
               std::string("/sys/fs/cgroup/") + controller};
    }
    for (;;) {
      for (const std::string& root : roots) folders.push_back(path == "/" ? root : root + path);
      const size_t slash = path.rfind('/');
      if (slash == std::string::npos || path == "/" || path.empty()) break;
      path.resize(slash == 0 ? 1 : slash);
    }
  }
  return folders;
}

size_t cgroup_memory_limit(const std::string& folder) {
  return std::min(read_number(folder + "/memory.max"),
                  read_number(folder + "/memory.limit_in_bytes"));
}

// Bytes in use that the kernel cannot simply drop: file pages are reclaimed before anything is
// killed.
size_t cgroup_memory_used(const std::string& folder) {
  size_t used = read_number(folder + "/memory.current");
  if (used == unlimited) used = read_number(folder + "/memory.usage_in_bytes");
  if (used == unlimited) return 0;
  const std::string statistics = folder + "/memory.stat";
  const size_t files =
      read_field(statistics, "inactive_file") + read_field(statistics, "active_file");
  return used > files ? used - files : 0;
}

int cgroup_cores() {
  int cores = INT32_MAX;
  for (const std::string& folder : cgroup_folders("cpu")) {
    double quota = 0, period = 0;
    std::ifstream file(folder + "/cpu.max");
    if (!(file >> quota >> period)) {
      const size_t q = read_number(folder + "/cpu.cfs_quota_us");
      const size_t p = read_number(folder + "/cpu.cfs_period_us");
      if (q == unlimited || p == unlimited) continue;
      quota = static_cast<double>(q);
      period = static_cast<double>(p);
    }
    if (quota > 0 && period > 0)
      cores = std::min(cores, std::max(1, static_cast<int>(quota / period + 0.5)));
  }
  return cores;
}

int affinity_cores() {
  for (int capacity = 1024; capacity <= 1 << 20; capacity *= 4) {
    cpu_set_t* set = CPU_ALLOC(capacity);
    const size_t bytes = CPU_ALLOC_SIZE(capacity);
    const bool known = sched_getaffinity(0, bytes, set) == 0;
    const int count = known ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (known) return std::max(1, count);
  }
  return 1;
}

#endif

size_t physical_memory() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long bytes = sysconf(_SC_PAGESIZE);
  return pages > 0 && bytes > 0 ? static_cast<size_t>(pages) * static_cast<size_t>(bytes)
                                : unlimited;
}

}  // namespace

size_t machine_memory() {
  static const size_t bytes = [] {
    size_t least = physical_memory();
#ifdef __linux__
    for (const std::string& folder : cgroup_folders("memory"))
      least = std::min(least, cgroup_memory_limit(folder));
#endif
    return least;
  }();
  return bytes;
}

size_t available_memory() {
#ifdef __linux__
  size_t least = unlimited;
  const char* const info = "/proc/meminfo";
  if (const size_t kilobytes = read_field(info, "MemAvailable:")) {
    least = (kilobytes + read_field(info, "SwapFree:")) * 1024;
  }
  for (const std::string& folder : cgroup_folders("memory")) {
    const size_t limit = cgroup_memory_limit(folder);
    if (limit == unlimited) continue;
    const size_t used = cgroup_memory_used(folder);
    least = std::min(least, limit > used ? limit - used : 0);
  }
  return least;
#else
  return unlimited;
#endif
}

int usable_cores() {
#ifdef __linux__
  return std::max(1, std::min(affinity_cores(), cgroup_cores()));
#else
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
#endif
}

}  // namespace mlxk
