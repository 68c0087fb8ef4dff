#include "mlxk/error.h"

#include <cstdarg>
#include <cstdio>
#include <vector>

namespace mlxk {

void raise(ErrorKind kind, const char* format, ...) {
  char local[512];
  va_list arguments;
  va_start(arguments, format);
  va_list again;
  va_copy(again, arguments);
  const int length = std::vsnprintf(local, sizeof local, format, arguments);
  va_end(arguments);
  std::string message;
  if (length < 0) {
    message = format;
  } else if (static_cast<size_t>(length) < sizeof local) {
    message.assign(local, length);
  } else {
    message.resize(length + 1);
    std::vsnprintf(message.data(), message.size(), format, again);
    message.resize(length);
  }
  va_end(again);
  throw Error(kind, message);
}

}  // namespace mlxk
