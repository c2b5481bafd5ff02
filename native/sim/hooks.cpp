// SPDX-License-Identifier: BSD-3-Clause
#include "hooks.hpp"

namespace pynq::sim {

Hook::Hook(HookList &list, PyObject *callable) {
    if (!callable || callable == Py_None) return;
    Py_INCREF(callable);
    callable_ = callable;
    link(&list);
}

Hook::Hook(Hook &&other) noexcept { *this = std::move(other); }

Hook &Hook::operator=(Hook &&other) noexcept {
    if (this == &other) return *this;
    clear();
    if (other.callable_) {
        HookList *list = other.list_;
        callable_ = std::exchange(other.callable_, nullptr);
        other.unlink();
        link(list);
    }
    return *this;
}

void Hook::link(HookList *list) {
    list_ = list;
    previous_ = nullptr;
    next_ = list->first_;
    if (next_) next_->previous_ = this;
    list->first_ = this;
}

void Hook::unlink() {
    if (!list_) return;
    (previous_ ? previous_->next_ : list_->first_) = next_;
    if (next_) next_->previous_ = previous_;
    list_ = nullptr;
}

void Hook::clear() {
    if (!callable_) return;
    unlink();
    PyObject *callable = std::exchange(callable_, nullptr);
    Py_DECREF(callable);  // may run Python code: last
}

int HookList::traverse(visitproc visit, void *arg) const {
    for (const Hook *hook = first_; hook; hook = hook->next_) Py_VISIT(hook->callable_);
    return 0;
}

void HookList::clear() {
    while (first_) first_->clear();
}

}  // namespace pynq::sim
