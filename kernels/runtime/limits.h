// What this process may use of the machine: memory and cores, as the kernel, the affinity mask and
// the cgroups say.
#pragma once

#include <cstddef>

namespace mlxk {

size_t machine_memory();    // the machine's memory or the tightest cgroup limit above this process;
                            // read once
size_t available_memory();  // what could be touched now without swapping or being killed; read anew
                            // each time
int usable_cores();         // affinity mask and cgroup quota, at least 1

}  // namespace mlxk
