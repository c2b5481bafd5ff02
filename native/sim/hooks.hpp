// SPDX-License-Identifier: BSD-3-Clause
// Python functions that the engine calls. All of an engine's hooks hang in one list, so that Python's garbage collector
// sees the references (a model that holds its engine is a cycle) and closing can drop them.
#pragma once

#include <nanobind/nanobind.h>

#include <utility>

namespace pynq::sim {

namespace nb = nanobind;

class HookList;

// An owned reference to a callable, or nothing. Everything here needs the interpreter's lock.
class Hook {
  public:
    Hook() = default;
    Hook(HookList &list, PyObject *callable);
    Hook(Hook &&other) noexcept;
    Hook &operator=(Hook &&other) noexcept;
    ~Hook() { clear(); }

    explicit operator bool() const { return callable_ != nullptr; }
    PyObject *get() const { return callable_; }
    void clear();

  private:
    friend class HookList;
    void link(HookList *list);
    void unlink();

    HookList *list_ = nullptr;
    Hook *previous_ = nullptr, *next_ = nullptr;
    PyObject *callable_ = nullptr;
};

class HookList {
  public:
    ~HookList() { clear(); }
    int traverse(visitproc visit, void *arg) const;
    void clear();

  private:
    friend class Hook;
    Hook *first_ = nullptr;
};

}  // namespace pynq::sim
