// What tests/isa/scalar.cpp offers to test_scalar.cpp: every formula as a loop over arrays, once
// with scalars and once with vectors, for one instruction set.
#pragma once

#include <cstddef>

namespace scalar_test {

using Loop = void (*)(const void* x, const void* y, const void* z, void* out, size_t n);

// One (formula, compute type). Bools are bytes, complex numbers pairs; a mask comes out as bytes 0
// and 1.
struct Entry {
  const char* name;
  const char* dtype;
  const char* result;
  int arity;
  Loop scalar, vector;  // vector: n is a multiple of 64
};

struct Suite {
  const char* isa;
  const Entry* entries;
  size_t count;
};

}  // namespace scalar_test
