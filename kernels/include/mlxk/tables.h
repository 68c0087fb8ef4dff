// Tables that runs of a kernel share, such as roots of unity: made when a graph is lowered, read
// while it runs.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mlxk {

// The table of a kernel (`owner`: an address of its own) and a key, or null. No lock; a table is
// never changed or freed.
const void* find_table(const void* owner, int64_t key);

// The same, made by fill(key, memory) in 64-byte aligned memory where it is missing. Null where the
// tables have their share of memory already: the kernel then asks for a workspace and fills it in
// each run.
const void* make_table(const void* owner, int64_t key, size_t bytes,
                       void (*fill)(int64_t key, void* memory));

}  // namespace mlxk
