// Foreign memory in, our memory out: the buffer protocol.
#pragma once

#include <Python.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "errors.h"
#include "handle.h"
#include "values.h"

namespace mlxk::face {

// ---- in: a copy ------------------------------------------------------------------------------------------------

// The element type of a buffer; complex128 and, where asked for, float64 are narrowed.
struct SourceType {
  Dtype dtype = Dtype::float32;
  bool wide_complex = false;
  bool swapped = false;  // the bytes of a number come in the other order
};

inline bool read_format(const Py_buffer& view, SourceType* out) {
  const char* format = view.format ? view.format : "B";
  if (*format == '@' || *format == '=' || *format == '<') {
    ++format;
  } else if (*format == '>' || *format == '!') {
    out->swapped = view.itemsize > 1;
    ++format;
  }
  const bool complex = *format == 'Z';
  if (complex) ++format;
  if (format[0] == 0 || format[1] != 0) return false;
  const char code = *format;
  if (complex) {
    out->dtype = Dtype::complex64;
    out->wide_complex = code == 'd';
    return (code == 'f' && view.itemsize == 8) || (code == 'd' && view.itemsize == 16);
  }
  int width = -1;  // log2 of the bytes
  for (int i = 0; i < 4; ++i) {
    if (view.itemsize == Py_ssize_t{1} << i) width = i;
  }
  if (width < 0) return false;
  if (code == '?') {
    out->dtype = Dtype::bool_;
    return width == 0;
  }
  if (std::strchr("bhilqnc", code)) {
    out->dtype = static_cast<Dtype>(static_cast<int>(Dtype::int8) + width);
    return true;
  }
  if (std::strchr("BHILQN", code)) {
    out->dtype = static_cast<Dtype>(static_cast<int>(Dtype::uint8) + width);
    return true;
  }
  if (code == 'e' && width == 1)
    out->dtype = Dtype::float16;
  else if (code == 'f' && width == 2)
    out->dtype = Dtype::float32;
  else if (code == 'd' && width == 3)
    out->dtype = Dtype::float64;
  else
    return false;
  return true;
}

// Copies the elements of one run along the last axis.
using CopyRun = void (*)(const char* from, Py_ssize_t step, int64_t count, char* to);

template <class From, class To, int parts, bool swapped>
void copy_run(const char* from, Py_ssize_t step, int64_t count, char* to) {
  for (int64_t i = 0; i < count; ++i, from += step) {
    From value[parts];
    std::memcpy(value, from, sizeof value);
    if constexpr (swapped) {
      for (From& part : value) {
        char* bytes = reinterpret_cast<char*>(&part);
        std::reverse(bytes, bytes + sizeof part);
      }
    }
    To narrowed[parts];
    for (int k = 0; k < parts; ++k) narrowed[k] = static_cast<To>(value[k]);
    std::memcpy(to + i * static_cast<int64_t>(sizeof narrowed), narrowed, sizeof narrowed);
  }
}

template <bool swapped> CopyRun copy_run_of(const SourceType& source, bool halve) {
  if (halve) return copy_run<double, float, 1, swapped>;
  if (source.wide_complex) return copy_run<double, float, 2, swapped>;
  if (source.dtype == Dtype::complex64) return copy_run<uint32_t, uint32_t, 2, swapped>;
  switch (itemsize(source.dtype)) {
    case 1: return copy_run<uint8_t, uint8_t, 1, swapped>;
    case 2: return copy_run<uint16_t, uint16_t, 1, swapped>;
    case 4: return copy_run<uint32_t, uint32_t, 1, swapped>;
    default: return copy_run<uint64_t, uint64_t, 1, swapped>;
  }
}

inline void copy_strided(const Py_buffer& view, const Py_ssize_t* strides, int axis,
                         const char* from, CopyRun run, size_t item, char** to) {
  const int64_t count = view.shape[axis];
  const Py_ssize_t step = strides[axis];
  if (axis + 1 == view.ndim) {
    run(from, step, count, *to);
    *to += count * static_cast<int64_t>(item);
    return;
  }
  for (int64_t i = 0; i < count; ++i) {
    copy_strided(view, strides, axis + 1, from + i * step, run, item, to);
  }
}

// The strides of a buffer in bytes. An exporter of rows in order may leave them out, even where
// they are asked for: ctypes does.
inline std::vector<Py_ssize_t> strides_of(const Py_buffer& view) {
  std::vector<Py_ssize_t> strides(view.ndim);
  Py_ssize_t step = view.itemsize;
  for (int i = view.ndim; i-- > 0; step *= view.shape[i]) {
    strides[i] = view.strides ? view.strides[i] : step;
  }
  return strides;
}

// A copy of the buffer. `narrow`: float64 becomes float32, as in mx.array. The dtype is read from
// the format unless given.
inline Edge from_view(const Py_buffer& view, bool narrow, int dtype_or_none) {
  SourceType source;
  if (dtype_or_none >= 0) {
    source.dtype = static_cast<Dtype>(dtype_or_none);
  } else if (!read_format(view, &source)) {
    raise(ErrorKind::value, "[array] elements of format '%.50s' have no dtype.",
          view.format ? view.format : "");
  }
  const bool halve = narrow && source.dtype == Dtype::float64;
  const Dtype dtype = halve ? Dtype::float32 : source.dtype;
  Dims shape;
  if (view.ndim > 0) {
    int64_t lengths[PyBUF_MAX_NDIM];
    for (int i = 0; i < view.ndim; ++i) lengths[i] = view.shape[i];
    shape = Dims(lengths, view.ndim);
  }
  const int64_t count = element_count(shape);
  const size_t item = itemsize(dtype);
  BufferRef buffer = allocate(byte_count(shape, item));
  char* to = static_cast<char*>(buffer->bytes);
  const char* from = static_cast<const char*>(view.buf);
  const bool same_bytes = !halve && !source.wide_complex && !source.swapped;
  if (count == 0) {
    // nothing to copy
  } else if (same_bytes && PyBuffer_IsContiguous(&view, 'C')) {
    std::memcpy(to, from, static_cast<size_t>(count) * item);
  } else {
    CopyRun run =
        source.swapped ? copy_run_of<true>(source, halve) : copy_run_of<false>(source, halve);
    if (view.ndim == 0) {
      run(from, 0, 1, to);
    } else {
      copy_strided(view, strides_of(view).data(), 0, from, run, item, &to);
    }
  }
  Dims strides = row_major(shape);
  return from_buffer(std::move(buffer), 0, std::move(shape), std::move(strides), dtype);
}

// ---- in: shared, read-only -------------------------------------------------------------------------------------

// An array on the memory of an object that has the buffer protocol, from a byte offset on. The
// object is kept; nothing here ever writes to it.
inline Edge shared_bytes(PyObject* content, int64_t offset, Dims shape, Dtype dtype) {
  const size_t count = static_cast<size_t>(element_count(shape));
  const size_t item = itemsize(dtype);
  PyObject* memory = PyMemoryView_FromObject(content);
  if (!memory) throw PythonError();
  const Py_buffer* view = PyMemoryView_GET_BUFFER(memory);
  const size_t length = static_cast<size_t>(view->len);
  const size_t start = static_cast<size_t>(offset);  // beyond any length where negative
  const uintptr_t first = reinterpret_cast<uintptr_t>(view->buf) + start;
  const char* rule = nullptr;
  if (!PyBuffer_IsContiguous(view, 'C') || start > length || count > (length - start) / item) {
    rule = "do not lie in the memory";
  } else if (count && first % item) {
    rule = "are not aligned to their size";
  }
  if (rule) {
    Py_DECREF(memory);
    raise(ErrorKind::value,
          "[from_buffer] %zu elements of %zu bytes at offset %lld of %zu bytes %s.", count, item,
          static_cast<long long>(offset), length, rule);
  }
  BufferRef buffer =
      mlxk::wrap(reinterpret_cast<void*>(first), count * item, false, memory, drop_owner);
  Dims strides = row_major(shape);
  return from_buffer(std::move(buffer), 0, std::move(shape), std::move(strides), dtype);
}

// ---- out: shared memory ----------------------------------------------------------------------------------------

inline const char* format_of(Dtype dtype) {
  constexpr const char* formats[dtype_count] = {"?", "B", "H", "I",        "Q", "b", "h",
                                                "i", "q", "e", "bfloat16", "f", "d", "Zf"};
  return formats[static_cast<int>(dtype)];
}

// What a view keeps alive: the buffer itself, for the handle may be rebound while the view lives.
struct ViewMemory {
  BufferRef buffer;
  std::unique_ptr<Py_ssize_t[]> lengths;  // the shape, then the strides in bytes
};

inline bool is_row_major(const Output& output) {
  int64_t step = 1;
  bool contiguous = true;
  for (size_t i = output.shape.size(); i-- > 0;) {
    if (output.shape[i] == 0) return true;
    if (output.shape[i] == 1) continue;
    contiguous = contiguous && output.strides[i] == step;
    step *= output.shape[i];
  }
  return contiguous;
}

inline bool is_column_major(const Output& output) {
  int64_t step = 1;
  bool contiguous = true;
  for (size_t i = 0; i < output.shape.size(); ++i) {
    if (output.shape[i] == 0) return true;
    if (output.shape[i] == 1) continue;
    contiguous = contiguous && output.strides[i] == step;
    step *= output.shape[i];
  }
  return contiguous;
}

// Of an evaluated output whose bytes are there. Returns -1 with a Python error.
inline int fill_view(PyObject* owner, const Output& output, Py_buffer* view, int flags) {
  Buffer* buffer = output.buffer.get();
  const bool writable = buffer->flags & buffer_writable;
  view->obj = nullptr;
  if ((flags & PyBUF_WRITABLE) == PyBUF_WRITABLE && !writable) {
    PyErr_SetString(PyExc_BufferError, "[array] the memory of this array is read-only.");
    return -1;
  }
  const bool rows = is_row_major(output);
  const bool columns = is_column_major(output);
  const bool strided = (flags & PyBUF_STRIDES) == PyBUF_STRIDES;
  if ((!strided && !rows) || ((flags & PyBUF_C_CONTIGUOUS) == PyBUF_C_CONTIGUOUS && !rows) ||
      ((flags & PyBUF_F_CONTIGUOUS) == PyBUF_F_CONTIGUOUS && !columns) ||
      ((flags & PyBUF_ANY_CONTIGUOUS) == PyBUF_ANY_CONTIGUOUS && !rows && !columns)) {
    PyErr_SetString(PyExc_BufferError, "[array] this array is not contiguous.");
    return -1;
  }
  const size_t n = output.shape.size();
  const Py_ssize_t item = static_cast<Py_ssize_t>(itemsize(output.dtype));
  auto memory = std::make_unique<ViewMemory>();
  memory->buffer = output.buffer;
  memory->lengths = std::make_unique<Py_ssize_t[]>(2 * n + 1);
  Py_ssize_t size = item;
  for (size_t i = 0; i < n; ++i) {
    memory->lengths[i] = output.shape[i];
    memory->lengths[n + i] = output.strides[i] * item;
    if (__builtin_mul_overflow(size, static_cast<Py_ssize_t>(output.shape[i]), &size)) {
      PyErr_SetString(PyExc_BufferError,
                      "[array] this array has more bytes than a buffer may have.");
      return -1;
    }
  }
  buffer->flags |= buffer_exported;
  view->buf = static_cast<char*>(buffer->bytes) + output.offset;
  view->len = size;
  view->itemsize = item;
  view->readonly = !writable;
  view->ndim = static_cast<int>(n);
  view->format = flags & PyBUF_FORMAT ? const_cast<char*>(format_of(output.dtype)) : nullptr;
  view->shape = flags & PyBUF_ND ? memory->lengths.get() : nullptr;
  view->strides = strided ? memory->lengths.get() + n : nullptr;
  view->suboffsets = nullptr;
  view->internal = memory.release();
  Py_INCREF(owner);
  view->obj = owner;
  return 0;
}

inline void release_view(Py_buffer* view) {
  delete static_cast<ViewMemory*>(view->internal);
  view->internal = nullptr;
}

inline bool repeats(const Output& output) {
  for (size_t i = 0; i < output.shape.size(); ++i) {
    if (output.strides[i] == 0 && output.shape[i] > 1) return true;
  }
  return false;
}

inline bool is_backwards(const Output& output) {
  for (size_t i = 0; i < output.shape.size(); ++i) {
    if (output.strides[i] < 0 && output.shape[i] > 1) return true;
  }
  return false;
}

// A row-major copy of an evaluated output whose bytes are there. `narrow`: float64 becomes float32.
inline Edge copied(const Output& output, bool narrow) {
  const size_t n = output.shape.size();
  const Py_ssize_t item = static_cast<Py_ssize_t>(itemsize(output.dtype));
  Py_buffer view = {};
  std::vector<Py_ssize_t> lengths(2 * n + 1);
  view.buf = static_cast<char*>(output.buffer->bytes) + output.offset;
  view.itemsize = item;
  view.ndim = static_cast<int>(n);
  view.len = static_cast<Py_ssize_t>(byte_count(output.shape, itemsize(output.dtype)));
  for (size_t i = 0; i < n; ++i) {
    lengths[i] = output.shape[i];
    lengths[n + i] = output.strides[i] * item;
  }
  view.shape = lengths.data();
  view.strides = lengths.data() + n;
  return from_view(view, narrow, static_cast<int>(output.dtype));
}

inline Edge data_edge(const void* bytes, size_t size, const Dims& shape, Dtype dtype) {
  BufferRef buffer = allocate(size);
  if (size) std::memcpy(buffer->bytes, bytes, size);
  return from_buffer(std::move(buffer), 0, shape, row_major(shape), dtype);
}

}  // namespace mlxk::face
