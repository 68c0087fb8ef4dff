// DLPack, versions 0.8 and 1: memory shared with other libraries, on the CPU.
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
struct DLManagedTensor {  // before version 1
  DLTensor tensor;
  void* context;
  void (*deleter)(DLManagedTensor*);
  static constexpr const char* fresh = "dltensor";
  static constexpr const char* used = "used_dltensor";
};
struct DLManagedTensorVersioned {  // from version 1 on
  uint32_t major, minor;
  void* context;
  void (*deleter)(DLManagedTensorVersioned*);
  uint64_t flags;
  DLTensor tensor;
  static constexpr const char* fresh = "dltensor_versioned";
  static constexpr const char* used = "used_dltensor_versioned";
};
enum DLFlag : uint64_t { dl_read_only = 1, dl_copied = 2 };
enum DLCode : uint8_t { dl_int, dl_uint, dl_float, dl_opaque, dl_bfloat, dl_complex, dl_bool };

template <class Managed> struct ExportedTensor {
  Managed managed{};
  BufferRef buffer;
  std::unique_ptr<int64_t[]> lengths;
};

template <class Managed> void drop_capsule(PyObject* capsule) {
  if (!PyCapsule_IsValid(capsule, Managed::fresh)) return;  // it was consumed
  auto* managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule, Managed::fresh));
  managed->deleter(managed);
}

template <class Managed> PyObject* capsule_on(const Output& output, [[maybe_unused]] bool is_copy) {
  auto exported = std::make_unique<ExportedTensor<Managed>>();
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
  exported->managed.deleter = [](Managed* managed) {
    delete static_cast<ExportedTensor<Managed>*>(managed->context);
  };
  if constexpr (requires { exported->managed.flags; }) {
    exported->managed.major = 1;
    exported->managed.flags = is_copy ? dl_copied : 0;
  }
  output.buffer.get()->flags |= buffer_exported;
  PyObject* capsule = PyCapsule_New(&exported->managed, Managed::fresh, drop_capsule<Managed>);
  if (capsule) exported.release();
  return capsule;
}

// A capsule on the memory of an evaluated output, of version 1 for those who know it.
inline PyObject* export_dlpack(const Output& output, bool versioned, bool is_copy) {
  return versioned ? capsule_on<DLManagedTensorVersioned>(output, is_copy)
                   : capsule_on<DLManagedTensor>(output, is_copy);
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

template <class Managed> Edge edge_on(PyObject* capsule) {
  auto* managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule, Managed::fresh));
  bool writable = true;
  if constexpr (requires { managed->flags; }) {
    if (managed->major != 1) {
      raise(ErrorKind::value, "[from_dlpack] the capsule has version %u of DLPack; 1 is known.",
            managed->major);
    }
    writable = !(managed->flags & dl_read_only);
  }
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
  BufferRef buffer = mlxk::wrap(first, bytes, writable, managed, [](void* owner) noexcept {
    auto* tensor_owner = static_cast<Managed*>(owner);
    if (!tensor_owner->deleter || !Py_IsInitialized()) return;
    const PyGILState_STATE state = PyGILState_Ensure();  // the deleter may drop Python objects
    tensor_owner->deleter(tensor_owner);
    PyGILState_Release(state);
  });
  buffer.get()->flags |= buffer_exported;
  PyCapsule_SetName(capsule, Managed::used);
  return from_buffer(std::move(buffer), -lowest * item, std::move(shape), std::move(strides),
                     dtype);
}

// Shares the memory of the capsule's tensor and takes it over.
inline Edge import_dlpack(PyObject* capsule) {
  if (PyCapsule_IsValid(capsule, DLManagedTensorVersioned::fresh))
    return edge_on<DLManagedTensorVersioned>(capsule);
  if (PyCapsule_IsValid(capsule, DLManagedTensor::fresh)) return edge_on<DLManagedTensor>(capsule);
  raise(ErrorKind::value, "[from_dlpack] __dlpack__ gave no capsule of DLPack.");
}

}  // namespace mlxk::face
