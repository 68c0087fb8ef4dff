// DLPack, version 0.8: memory shared with other libraries, on the CPU.
#pragma once

#include <Python.h>

#include <memory>

#include "export.h"
#include "values.h"

namespace mlxk::face {

struct DLDevice {
  int32_t type;  // 1: CPU
  int32_t id;
};
struct DLDataType {
  uint8_t code, bits;
  uint16_t lanes;
};
struct DLTensor {
  void* data;
  DLDevice device;
  int32_t ndim;
  DLDataType dtype;
  int64_t* shape;
  int64_t* strides;
  uint64_t byte_offset;
};
struct DLManagedTensor {
  DLTensor tensor;
  void* context;
  void (*deleter)(DLManagedTensor*);
};
enum DLCode : uint8_t { dl_int, dl_uint, dl_float, dl_opaque, dl_bfloat, dl_complex, dl_bool };

struct ExportedTensor {
  DLManagedTensor managed;
  BufferRef buffer;
  std::unique_ptr<int64_t[]> lengths;
};

inline void drop_capsule(PyObject* capsule) {
  if (!PyCapsule_IsValid(capsule, "dltensor")) return;  // it was consumed
  auto* managed = static_cast<DLManagedTensor*>(PyCapsule_GetPointer(capsule, "dltensor"));
  managed->deleter(managed);
}

// A capsule on the memory of an evaluated output.
inline PyObject* export_dlpack(const Output& output) {
  auto exported = std::make_unique<ExportedTensor>();
  const size_t n = output.shape.size();
  exported->buffer = output.buffer;
  exported->lengths = std::make_unique<int64_t[]>(2 * n + 1);
  for (size_t i = 0; i < n; ++i) {
    exported->lengths[i] = output.shape[i];
    exported->lengths[n + i] = output.strides[i];
  }
  uint8_t code = dl_float;
  if (output.dtype == Dtype::bool_)
    code = dl_bool;
  else if (is_unsigned(output.dtype))
    code = dl_uint;
  else if (is_signed_int(output.dtype))
    code = dl_int;
  else if (output.dtype == Dtype::bfloat16)
    code = dl_bfloat;
  else if (is_complex(output.dtype))
    code = dl_complex;
  DLTensor& tensor = exported->managed.tensor;
  tensor.data = static_cast<char*>(output.buffer->bytes) + output.offset;
  tensor.device = {1, 0};
  tensor.ndim = static_cast<int32_t>(n);
  tensor.dtype = {code, static_cast<uint8_t>(8 * itemsize(output.dtype)), 1};
  tensor.shape = exported->lengths.get();
  tensor.strides = exported->lengths.get() + n;
  tensor.byte_offset = 0;
  exported->managed.context = exported.get();
  exported->managed.deleter = [](DLManagedTensor* managed) {
    delete static_cast<ExportedTensor*>(managed->context);
  };
  output.buffer.get()->flags |= buffer_exported;
  PyObject* capsule = PyCapsule_New(&exported->managed, "dltensor", drop_capsule);
  if (capsule) exported.release();
  return capsule;
}

inline Dtype dtype_of_dlpack(const DLDataType& type) {
  const int bits = type.bits;
  int width = -1;
  for (int i = 0; i < 4; ++i) {
    if (bits == 8 << i) width = i;
  }
  if (type.lanes == 1) {
    if (type.code == dl_bool && bits == 8) return Dtype::bool_;
    if (type.code == dl_int && width >= 0)
      return static_cast<Dtype>(static_cast<int>(Dtype::int8) + width);
    if (type.code == dl_uint && width >= 0)
      return static_cast<Dtype>(static_cast<int>(Dtype::uint8) + width);
    if (type.code == dl_float && bits == 16) return Dtype::float16;
    if (type.code == dl_float && bits == 32) return Dtype::float32;
    if (type.code == dl_float && bits == 64) return Dtype::float64;
    if (type.code == dl_bfloat && bits == 16) return Dtype::bfloat16;
    if (type.code == dl_complex && bits == 64) return Dtype::complex64;
  }
  raise(ErrorKind::value, "[from_dlpack] type code %d with %d bits and %d lanes has no dtype.",
        type.code, bits, type.lanes);
}

// Shares the memory of the capsule's tensor and takes it over.
inline Edge import_dlpack(PyObject* capsule) {
  if (!PyCapsule_IsValid(capsule, "dltensor")) {
    raise(ErrorKind::value, "[from_dlpack] __dlpack__ gave no capsule of DLPack 0.8.");
  }
  auto* managed = static_cast<DLManagedTensor*>(PyCapsule_GetPointer(capsule, "dltensor"));
  const DLTensor& tensor = managed->tensor;
  if (tensor.device.type != 1) {
    raise(ErrorKind::value, "[from_dlpack] memory of device type %d is not on the CPU.",
          tensor.device.type);
  }
  if (tensor.ndim < 0 || tensor.ndim > 64) {
    raise(ErrorKind::value, "[from_dlpack] %d dimensions do not fit.", tensor.ndim);
  }
  const Dtype dtype = dtype_of_dlpack(tensor.dtype);
  Dims shape(tensor.shape, tensor.ndim);
  Dims strides = tensor.strides ? Dims(tensor.strides, tensor.ndim) : row_major(shape);
  const int64_t count = element_count(shape);
  int64_t lowest = 0;
  int64_t highest = 0;
  for (int i = 0; i < tensor.ndim && count > 0; ++i) {
    const int64_t reach = (shape[i] - 1) * strides[i];
    (reach < 0 ? lowest : highest) += reach;
  }
  const int64_t item = static_cast<int64_t>(itemsize(dtype));
  char* first = static_cast<char*>(tensor.data) + tensor.byte_offset + lowest * item;
  const size_t bytes = count > 0 ? static_cast<size_t>((highest - lowest + 1) * item) : 0;
  BufferRef buffer = mlxk::wrap(first, bytes, true, managed, [](void* owner) noexcept {
    auto* tensor_owner = static_cast<DLManagedTensor*>(owner);
    if (!tensor_owner->deleter || !Py_IsInitialized()) return;
    const PyGILState_STATE state = PyGILState_Ensure();  // the deleter may drop Python objects
    tensor_owner->deleter(tensor_owner);
    PyGILState_Release(state);
  });
  buffer.get()->flags |= buffer_exported;
  PyCapsule_SetName(capsule, "used_dltensor");
  return from_buffer(std::move(buffer), -lowest * item, std::move(shape), std::move(strides),
                     dtype);
}

}  // namespace mlxk::face
