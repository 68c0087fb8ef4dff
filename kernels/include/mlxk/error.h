// The library's one exception and the function that throws it.
//
// Errors carry the kind of Python exception they become; the Cython face translates them. Kernels
// never throw from a worker: they validate on the submitting thread, before parallel_for. Nothing
// throws across the C ABI.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace mlxk {

enum class ErrorKind : uint8_t { value, type, index, memory, runtime, floating_point };

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message, bool located = false)
      : std::runtime_error(message), kind(kind), located(located) {}
  const ErrorKind kind;
  const bool located;  // the message names a Python line
};

// printf-style; the message reads `[function] value and rule.`
[[noreturn]] __attribute__((format(printf, 2, 3))) void raise(ErrorKind kind, const char* format,
                                                              ...);

}  // namespace mlxk
