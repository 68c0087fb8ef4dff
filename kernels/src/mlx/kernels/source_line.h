// The Python line that builds a node: the first frame whose module is not ours, as a small number.
//
// The frames are read where CPython keeps them, for its public way costs more than the node (40-70
// ns against under 10). That is internal, so each version has its branch; a version without one
// knows lines only under MLX_DEBUG=1.
//
// Included by _array.pyx alone: the state below exists once. All of it is under the GIL but for
// source_text.
#pragma once

#include <Python.h>

#include <cstdlib>
#include <deque>
#include <mutex>
#include <string>
#include <unordered_map>

#include "mlxk/node.h"

#if PY_VERSION_HEX >= 0x030B0000 && PY_VERSION_HEX < 0x030E0000
#define MLXK_READS_FRAMES 1
#ifndef Py_BUILD_CORE
#define Py_BUILD_CORE 1
#define MLXK_UNDEFINE_BUILD_CORE 1
#endif
#include "internal/pycore_frame.h"
#ifdef MLXK_UNDEFINE_BUILD_CORE
#undef Py_BUILD_CORE
#endif
#elif PY_VERSION_HEX < 0x030B0000
#define MLXK_READS_FRAMES 1
#include <frameobject.h>
#else
#define MLXK_READS_FRAMES 0
#endif

namespace mlxk::face {

// ---- frames ----------------------------------------------------------------------------------------------------

struct Place {
  PyCodeObject* code = nullptr;  // borrowed
  int offset = 0;                // bytes into its instructions
};

inline bool is_ours(PyObject* globals);

#if PY_VERSION_HEX < 0x030B0000
inline Place place_now() {
  for (PyFrameObject* f = PyThreadState_Get()->frame; f; f = f->f_back) {
    if (!is_ours(f->f_globals)) return {f->f_code, 2 * f->f_lasti};
  }
  return {};
}
#elif MLXK_READS_FRAMES
inline Place place_now() {
  PyThreadState* thread = PyThreadState_Get();
#if PY_VERSION_HEX < 0x030D0000
  _PyInterpreterFrame* f = thread->cframe->current_frame;
#else
  _PyInterpreterFrame* f = thread->current_frame;
#endif
  for (; f; f = f->previous) {
#if PY_VERSION_HEX >= 0x030C0000
    if (f->owner == FRAME_OWNED_BY_CSTACK) continue;  // a boundary, not a frame
#endif
    if (is_ours(f->f_globals)) continue;
#if PY_VERSION_HEX < 0x030D0000
    PyCodeObject* code = f->f_code;
    const auto* at = f->prev_instr;
#else
    PyCodeObject* code = reinterpret_cast<PyCodeObject*>(f->f_executable);
    const auto* at = f->instr_ptr;
#endif
    return {code, static_cast<int>((at - _PyCode_CODE(code)) * sizeof(_Py_CODEUNIT))};
  }
  return {};
}
#endif

// The public way: new references on each step.
inline Place place_by_api() {
  PyFrameObject* frame = PyThreadState_GetFrame(PyThreadState_Get());
  Place place;
  while (frame) {
    PyCodeObject* code = PyFrame_GetCode(frame);
#if PY_VERSION_HEX >= 0x030B0000
    PyObject* globals = PyFrame_GetGlobals(frame);
    const int offset = PyFrame_GetLasti(frame);
#else
    PyObject* globals = frame->f_globals;
    Py_INCREF(globals);
    const int offset = 2 * frame->f_lasti;
#endif
    const bool ours = is_ours(globals);
    if (!ours) place = {code, offset};
    Py_DECREF(globals);
    Py_DECREF(code);  // the running frame holds it
    PyFrameObject* back = ours ? PyFrame_GetBack(frame) : nullptr;
    Py_DECREF(frame);
    frame = back;
  }
  return place;
}

// ---- interning -------------------------------------------------------------------------------------------------

struct PlaceHash {
  size_t operator()(const Place& place) const {
    return (reinterpret_cast<size_t>(place.code) >> 4) * 31 + static_cast<size_t>(place.offset);
  }
};
struct SamePlace {
  bool operator()(const Place& a, const Place& b) const {
    return a.code == b.code && a.offset == b.offset;
  }
};

constexpr size_t most_sources = 1 << 20;  // a program that makes code without end gets no more

struct Sources {
  struct Known {
    Place place;
    uint32_t id = 0;
  };
  struct Module {
    PyObject* globals = nullptr;
    bool ours = false;
  };
  Known recent[1024];  // direct-mapped
  Module modules[256];
  std::unordered_map<Place, uint32_t, PlaceHash, SamePlace> ids;
  std::mutex mutex;  // of texts: a failing program asks without the GIL
  std::deque<std::string> texts{""};
  bool by_api = false;
  uint32_t fixed = 0;  // a rule inherits its node's line
};
inline Sources& sources() {
  static Sources* const all = new Sources;
  return *all;
}

__attribute__((noinline)) inline bool named_ours(PyObject* globals) {
  if (!PyDict_Check(globals)) return false;
  PyObject* name = PyDict_GetItemString(globals, "__name__");
  const char* text = name && PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : nullptr;
  if (!text) {
    PyErr_Clear();
    return false;
  }
  return std::strcmp(text, "mlx") == 0 || std::strncmp(text, "mlx.", 4) == 0;
}

inline bool is_ours(PyObject* globals) {
  Sources::Module& known = sources().modules[(reinterpret_cast<size_t>(globals) >> 5) & 255];
  if (known.globals == globals) return known.ours;
  const bool ours = named_ours(globals);
  known = {globals, ours};
  return ours;
}

__attribute__((noinline)) inline uint32_t intern(const Place& place) {
  Sources& all = sources();
  const auto found = all.ids.find(place);
  if (found != all.ids.end()) return found->second;
  if (all.texts.size() >= most_sources) return 0;
  const char* file = PyUnicode_AsUTF8(place.code->co_filename);
  if (!file) PyErr_Clear();
  std::string text = std::string(file ? file : "?") + ":" +
                     std::to_string(PyCode_Addr2Line(place.code, place.offset));
  Py_INCREF(place.code);  // for good: its address is the key
  uint32_t id;
  {
    std::lock_guard<std::mutex> guard(all.mutex);
    id = static_cast<uint32_t>(all.texts.size());
    all.texts.push_back(std::move(text));
  }
  all.ids.emplace(place, id);
  return id;
}

// Gives the nodes made next their source. Never fails: an unknown line is 0.
inline void note_source() {
  Sources& all = sources();
  if (all.fixed) {
    set_source(all.fixed);
    return;
  }
#if MLXK_READS_FRAMES
  const Place place = place_now();
#else
  if (!all.by_api) return;
  const Place place = place_by_api();
#endif
  if (!place.code) {
    set_source(0);
    return;
  }
  Sources::Known& known = all.recent[PlaceHash()(place) & 1023];
  if (!SamePlace()(known.place, place)) {
    try {
      known = {place, intern(place)};
    } catch (const std::bad_alloc&) { known = {}; }
  }
  set_source(known.id);
}

// "train.py:12", or nothing. With or without the GIL.
inline std::string source_text(uint32_t source) {
  Sources& all = sources();
  std::lock_guard<std::mutex> guard(all.mutex);
  return source < all.texts.size() ? all.texts[source] : std::string();
}

inline uint32_t fix_source(uint32_t source) { return std::exchange(sources().fixed, source); }

inline void start_sources() {
  for (const char* variable : {"MLX_DEBUG", "MLX_DEBUG_NANS", "MLX_CHECK_BOUNDS"}) {
    const char* debug = std::getenv(variable);
    sources().by_api |= debug && *debug && std::strcmp(debug, "0") != 0;
  }
}

}  // namespace mlxk::face
