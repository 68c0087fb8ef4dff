// The graph lock is the GIL; and Ctrl-C while a program runs.
#pragma once

#include <Python.h>
#include <cxxabi.h>
#include <signal.h>
#include <unistd.h>

#include "mlxk/node.h"
#include "mlxk/program.h"
#include "mlxk/runtime.h"

namespace mlxk::face {

// Python's own handler only notes the signal until the next bytecode, so a long eval would never
// see it. Ours asks the executor to stop and calls the handler that was there; raise_python then
// lets Python raise.
static struct sigaction former_interrupt;
static unsigned long main_thread = 0;

static void interrupt_handler(int number, siginfo_t* info, void* context) {
  request_interrupt();
  if (former_interrupt.sa_flags & SA_SIGINFO) {
    former_interrupt.sa_sigaction(number, info, context);
  } else {
    former_interrupt.sa_handler(number);
  }
}

// Before each run on the main thread: Python code may have set another handler since. Where none is
// set, the process means to end or to ignore the signal, and so be it.
inline void watch_interrupt() {
  struct sigaction now;
  if (sigaction(SIGINT, nullptr, &now) != 0) return;
  const bool plain = !(now.sa_flags & SA_SIGINFO);
  if (plain && (now.sa_handler == SIG_DFL || now.sa_handler == SIG_IGN)) return;
  if (!plain && now.sa_sigaction == interrupt_handler) return;
  former_interrupt = now;
  struct sigaction ours = now;
  ours.sa_sigaction = interrupt_handler;
  ours.sa_flags |= SA_SIGINFO;
  sigaction(SIGINT, &ours, nullptr);
}

static bool is_main_thread() { return PyThread_get_thread_ident() == main_thread; }

static void* unlock_graph() {
  if (is_main_thread()) {
    clear_interrupt();  // one that came while Python ran is Python's matter
    watch_interrupt();
  }
  outside_graph_lock(true);
  return PyEval_SaveThread();
}

// When Python ends, it ends each daemon thread that asks for the GIL. It does so by unwinding its
// stack, which C++ turns into the end of the process where a destructor asked; so the thread waits
// instead until the process is gone, as from Python 3.14 on.
static void lock_graph(void* state) {
#if defined(__GLIBCXX__)
  try {
    PyEval_RestoreThread(static_cast<PyThreadState*>(state));
  } catch (abi::__forced_unwind&) {
    for (;;) pause();
  }
#else
  PyEval_RestoreThread(static_cast<PyThreadState*>(state));
#endif
  outside_graph_lock(false);
}

inline void install_lock(unsigned long main_thread_ident) {
  main_thread = main_thread_ident;
  set_graph_lock({unlock_graph, lock_graph, is_main_thread});
}

}  // namespace mlxk::face
