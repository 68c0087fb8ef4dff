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
#include <cstring>
#include <deque>
#include <mutex>
#include <string>
#include <unordered_map>

#include "mlxk/node.h"

#if PY_VERSION_HEX >= 0x030B0000 && PY_VERSION_HEX < 0x030F0000
#define MLXK_READS_FRAMES 1
#ifndef Py_BUILD_CORE
#define Py_BUILD_CORE 1
#define MLXK_UNDEFINE_BUILD_CORE 1
#endif
#if PY_VERSION_HEX < 0x030E0000
#include "internal/pycore_frame.h"
#else
#include "internal/pycore_interpframe_structs.h"
#endif
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
  bool operator==(const Place&) const = default;
};

inline bool is_ours(PyObject* globals);

#if PY_VERSION_HEX < 0x030B0000
using Frame = PyFrameObject;
inline Frame* frame_now() { return PyThreadState_Get()->frame; }
inline Frame* former(Frame* frame) { return frame->f_back; }
inline Place place_in(Frame* frame) { return {frame->f_code, 2 * frame->f_lasti}; }
#elif MLXK_READS_FRAMES
using Frame = _PyInterpreterFrame;
inline Frame* skip_boundaries(Frame* frame) {
#if PY_VERSION_HEX >= 0x030E0000
  while (frame && frame->owner >= FRAME_OWNED_BY_INTERPRETER) frame = frame->previous;
#elif PY_VERSION_HEX >= 0x030C0000
  while (frame && frame->owner == FRAME_OWNED_BY_CSTACK) frame = frame->previous;
#endif
  return frame;
}
inline Frame* frame_now() {
#if PY_VERSION_HEX < 0x030D0000
  return skip_boundaries(PyThreadState_Get()->cframe->current_frame);
#else
  return skip_boundaries(PyThreadState_Get()->current_frame);
#endif
}
inline Frame* former(Frame* frame) { return skip_boundaries(frame->previous); }
inline Place place_in(Frame* frame) {
#if PY_VERSION_HEX < 0x030D0000
  PyCodeObject* code = frame->f_code;
  const auto* at = frame->prev_instr;
#elif PY_VERSION_HEX < 0x030E0000
  PyCodeObject* code = reinterpret_cast<PyCodeObject*>(frame->f_executable);
  const auto* at = frame->instr_ptr;
#else
  // The low bits say who counts the reference.
  PyCodeObject* code = reinterpret_cast<PyCodeObject*>(frame->f_executable.bits & ~uintptr_t{3});
  const auto* at = frame->instr_ptr;
#endif
  const char* const begin = code->co_code_adaptive;
  return {code, static_cast<int>(reinterpret_cast<const char*>(at) - begin)};
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

constexpr size_t most_sources = 1 << 20;  // a program that makes code without end gets no more

struct Sources {
  struct Known {
    Place place;
    PyObject* globals = nullptr;  // of the frame: a module's that is not ours
    uint32_t id = 0;
  };
  struct Module {
    PyObject* globals = nullptr;
    bool ours = false;
  };
  Known recent[1024];  // direct-mapped
  Module modules[256];
  std::unordered_map<Place, uint32_t, PlaceHash> ids;
  std::mutex mutex;  // of texts: a failing program asks without the GIL
  std::deque<std::string> texts{""};
  bool by_api = false;
  uint32_t fixed = 0;  // a rule inherits its node's line
};
static Sources* const all_sources = new Sources;  // outlives every thread
inline Sources& sources() { return *all_sources; }

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

inline Sources::Known& known_at(const Place& place) {
  return sources().recent[PlaceHash()(place) & 1023];
}

// The id of a place in a frame that is not ours.
__attribute__((noinline)) inline uint32_t source_at(const Place& place, PyObject* globals) {
  Sources::Known& known = known_at(place);
  if (known.place != place || known.globals != globals) {
    try {
      known = {place, globals, intern(place)};
    } catch (const std::bad_alloc&) { known = {}; }
  }
  return known.id;
}

#if MLXK_READS_FRAMES
__attribute__((noinline)) inline uint32_t find_source(Frame* frame) {
  while (frame && is_ours(frame->f_globals)) frame = former(frame);
  return frame ? source_at(place_in(frame), frame->f_globals) : 0;
}
#endif

// Gives the nodes made next their source. Never fails: an unknown line is 0.
inline void note_source() {
  const Sources& all = sources();
  if (all.fixed) {
    set_source(all.fixed);
    return;
  }
#if MLXK_READS_FRAMES
  Frame* frame = frame_now();
  if (frame) {  // nearly always a place that was noted before
    const Place place = place_in(frame);
    const Sources::Known& known = known_at(place);
    if (known.place == place && known.globals == frame->f_globals) [[likely]] {
      set_source(known.id);
      return;
    }
  }
  set_source(find_source(frame));
#else
  if (!all.by_api) return;
  const Place place = place_by_api();
  set_source(place.code ? source_at(place, nullptr) : 0);
#endif
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
