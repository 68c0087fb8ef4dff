// C++ exceptions become Python exceptions here, and nowhere else.
#pragma once

#include <Python.h>

#include <new>

#include "mlxk/error.h"

namespace mlxk::face {

// Called inside a catch block. A Python error that is already set stays; an interrupted eval
// becomes what the signal handlers raise.
inline void raise_python() noexcept {
  if (PyErr_Occurred()) return;
  if (PyErr_CheckSignals() < 0) return;
  try {
    throw;
  } catch (const Error& error) {
    PyObject* type = PyExc_RuntimeError;
    switch (error.kind) {
      case ErrorKind::value: type = PyExc_ValueError; break;
      case ErrorKind::type: type = PyExc_TypeError; break;
      case ErrorKind::index: type = PyExc_IndexError; break;
      case ErrorKind::memory: type = PyExc_MemoryError; break;
      case ErrorKind::floating_point: type = PyExc_FloatingPointError; break;
      case ErrorKind::runtime: break;
    }
    PyErr_SetString(type, error.what());
  } catch (const std::bad_alloc&) { PyErr_NoMemory(); } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  } catch (...) { PyErr_SetString(PyExc_RuntimeError, "[kernels] an unknown C++ exception."); }
}

}  // namespace mlxk::face
