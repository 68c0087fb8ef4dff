// Python objects collected one by one, each with a reference: cheaper than a list, and turned into
// one, or a tuple, without counting again.
#pragma once

#include <Python.h>

#include <cstdlib>
#include <cstring>
#include <new>

namespace mlxk::face {

class HeldObjects {
 public:
  HeldObjects() = default;
  HeldObjects(const HeldObjects&) = delete;
  ~HeldObjects() {
    for (Py_ssize_t i = 0; i < count_; ++i) Py_DECREF(items_[i]);
    if (items_ != few_) std::free(items_);
  }
  void push_back(PyObject* object) {
    if (count_ == room_) grow();
    Py_INCREF(object);
    items_[count_++] = object;
  }
  Py_ssize_t size() const { return count_; }
  PyObject* operator[](Py_ssize_t i) const { return items_[i]; }  // borrowed

  // New references, null with an error set; the objects are theirs afterwards.
  PyObject* to_tuple() {
    PyObject* tuple = PyTuple_New(count_);
    if (tuple && count_) hand_over(reinterpret_cast<PyTupleObject*>(tuple)->ob_item);
    return tuple;
  }
  PyObject* to_list() {
    PyObject* list = PyList_New(count_);
    if (list && count_) hand_over(reinterpret_cast<PyListObject*>(list)->ob_item);
    return list;
  }

 private:
  static constexpr Py_ssize_t few = 32;

  void hand_over(PyObject** to) {
    std::memcpy(to, items_, count_ * sizeof(PyObject*));
    count_ = 0;
  }
  __attribute__((noinline)) void grow() {
    void* memory = std::realloc(items_ == few_ ? nullptr : items_, 4 * room_ * sizeof(PyObject*));
    if (!memory) throw std::bad_alloc();
    if (items_ == few_) std::memcpy(memory, few_, sizeof few_);
    items_ = static_cast<PyObject**>(memory);
    room_ *= 4;
  }

  Py_ssize_t count_ = 0;
  Py_ssize_t room_ = few;
  PyObject** items_ = few_;
  PyObject* few_[few];
};

}  // namespace mlxk::face
