// SPDX-License-Identifier: BSD-3-Clause
// Device memory: a range of addresses handed out (Pool), a file descriptor mapped (MappedBlock), and both together
// (Arena).
//
// A stale view must neither crash nor reach memory that belongs to somebody else. MappedBlock does it the plain way:
// after release() its mapping is replaced by zero pages. That costs two system calls, more than everything else an
// allocation does, so small blocks of an Arena are put in quarantine instead: zeroed, still mapped, not handed out
// again while someone may still look at them. They go back when the last view dies, for nothing, or when the memory
// is needed, by way of zero pages.

#include "core.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <string>

namespace pynq {
namespace {

using ull = unsigned long long;

PyTypeObject *pool_type, *block_type, *arena_type;

static_assert(sizeof(off_t) == 8, "offsets in a device's memory are its addresses, on 32-bit machines too");

uint64_t page_size() {
    static const uint64_t size = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
    return size;
}

uint64_t round_up(uint64_t n, uint64_t unit) { return (n + unit - 1) / unit * unit; }

// After a fork the memory is the parent's: a child must not zero or release what it inherited.
unsigned process_generation;

void after_fork_in_child() { ++process_generation; }

// ---- Ranges: best fit with coalescing -----------------------------------------------------------------------------

class Ranges {
  public:
    Ranges(uint64_t start, uint64_t length, uint64_t unit) : base(start), size(length), granule(unit) {
        if (size) insert(base, size);
    }

    // The address, or false.
    bool take(uint64_t nbytes, uint64_t alignment, uint64_t *address) {
        const uint64_t need = round_up(nbytes ? nbytes : 1, granule);
        if (need < nbytes) return false;
        for (auto it = by_size.lower_bound({need, 0}); it != by_size.end(); ++it) {
            const uint64_t start = it->second, length = it->first;
            const uint64_t aligned = round_up(start, alignment);
            if (aligned < start || aligned - start > length - need) continue;
            erase(start, length);
            if (aligned > start) insert(start, aligned - start);
            if (aligned + need < start + length) insert(aligned + need, start + length - aligned - need);
            used.emplace(aligned, need);
            in_use += need;
            *address = aligned;
            return true;
        }
        return false;
    }

    bool give(uint64_t address) {
        const auto it = used.find(address);
        if (it == used.end()) return false;
        uint64_t start = it->first, length = it->second;
        in_use -= length;
        used.erase(it);
        const auto next = by_address.lower_bound(start);
        if (next != by_address.begin()) {
            const auto previous = std::prev(next);
            if (previous->first + previous->second == start) {
                start = previous->first;
                length += previous->second;
                erase(previous->first, previous->second);
            }
        }
        const auto after = by_address.find(start + length);
        if (after != by_address.end()) {
            const uint64_t grown = after->second;
            erase(after->first, after->second);
            length += grown;
        }
        insert(start, length);
        return true;
    }

    uint64_t largest() const { return by_size.empty() ? 0 : by_size.rbegin()->first; }

    const uint64_t base, size, granule;
    uint64_t in_use = 0;
    std::map<uint64_t, uint64_t> used;
    std::map<uint64_t, uint64_t> by_address;

  private:
    void insert(uint64_t start, uint64_t length) {
        by_address.emplace(start, length);
        by_size.emplace(length, start);
    }
    void erase(uint64_t start, uint64_t length) {
        by_address.erase(start);
        by_size.erase({length, start});
    }
    std::set<std::pair<uint64_t, uint64_t>> by_size;
};

bool valid_alignment(uint64_t alignment) {
    if (alignment && !(alignment & (alignment - 1))) return true;
    PyErr_Format(PyExc_ValueError, "the alignment is %llu; it must be a power of two", static_cast<ull>(alignment));
    return false;
}

// What messages and figures() say, taken at once: making a Python object may collect garbage, and a buffer in that
// garbage gives its memory back here.
struct Figures {
    explicit Figures(const Ranges &ranges, uint64_t idle = 0, size_t idle_blocks = 0)
        : base(ranges.base), size(ranges.size), free(ranges.size - ranges.in_use + idle), largest(ranges.largest()),
          pieces(ranges.by_address.size()), used(ranges.used.size()), blocks(used - idle_blocks) {}
    ull base, size, free, largest;
    size_t pieces, used, blocks;  // used: with those in quarantine
};

PyObject *exhausted(const Figures &now, const char *name, uint64_t nbytes) {
    return raise("AllocationError",
                 "%s: no room for %llu bytes: %llu of %llu bytes are free in %zu pieces, the largest %llu bytes; %zu "
                 "blocks are in use. Free buffers that are no longer needed (freebuffer, or a with statement); "
                 "PYNQ_DEBUG=leaks shows where they came from",
                 name, static_cast<ull>(nbytes), now.free, now.size, now.pieces, now.largest, now.used);
}

PyObject *figures_dict(const Figures &now) {
    return Py_BuildValue("{s:K,s:K,s:K,s:K,s:n,s:n}", "base", now.base, "size", now.size, "free", now.free, "largest",
                         now.largest, "pieces", static_cast<Py_ssize_t>(now.pieces), "blocks",
                         static_cast<Py_ssize_t>(now.blocks));
}

// ---- Pool --------------------------------------------------------------------------------------------------------

struct PoolObject {
    PyObject_HEAD
    Ranges *ranges;
    std::mutex *lock;
    char *name;
};

PyObject *pool_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static const char *names[] = {"base", "size", "granule", "name", nullptr};
    ull base, size, granule = 4096;
    const char *name = "memory pool";
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "KK|Ks:Pool", const_cast<char **>(names), &base, &size, &granule,
                                     &name)) {
        return nullptr;
    }
    if (!valid_alignment(granule)) return nullptr;
    if (base % granule || base + size < base) {
        PyErr_Format(PyExc_ValueError, "a pool of %llu bytes can't start at address %llu: it must be a multiple of %llu "
                                       "and end below 2**64", size, base, granule);
        return nullptr;
    }
    auto *self = reinterpret_cast<PoolObject *>(type->tp_alloc(type, 0));
    if (!self) return nullptr;
    self->ranges = new Ranges(base, size / granule * granule, granule);
    self->lock = new std::mutex;
    self->name = strdup(name);
    return reinterpret_cast<PyObject *>(self);
}

void pool_dealloc(PoolObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    delete self->ranges;
    delete self->lock;
    free(self->name);
    type->tp_free(self);
    Py_DECREF(type);
}

bool to_size(PyObject *value, const char *what, uint64_t *out) {
    PyObject *number = PyNumber_Index(value);
    if (!number) return false;
    *out = PyLong_AsUnsignedLongLong(number);
    if (PyErr_Occurred()) {
        PyErr_Format(PyExc_ValueError, "%s is %S; it must be 0 or more", what, number);
        Py_DECREF(number);
        return false;
    }
    Py_DECREF(number);
    return true;
}

PyObject *pool_allocate(PoolObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const char *const names[] = {"nbytes", "alignment"};
    PyObject *given[2];
    if (!parse_arguments("allocate", args, nargs, kwnames, names, 2, 1, given)) return nullptr;
    uint64_t nbytes, alignment = self->ranges->granule, address = 0;
    if (!to_size(given[0], "nbytes", &nbytes) || (given[1] && !to_size(given[1], "alignment", &alignment)) ||
        !valid_alignment(alignment)) {
        return nullptr;
    }
    std::unique_lock<std::mutex> guard(*self->lock);
    if (self->ranges->take(nbytes, alignment, &address)) return PyLong_FromUnsignedLongLong(address);
    const Figures now(*self->ranges);
    guard.unlock();
    return exhausted(now, self->name, nbytes);
}

PyObject *pool_free(PoolObject *self, PyObject *value) {
    uint64_t address;
    if (!to_size(value, "address", &address)) return nullptr;
    std::unique_lock<std::mutex> guard(*self->lock);
    const bool given = self->ranges->give(address);
    guard.unlock();
    if (!given) {
        PyErr_Format(PyExc_ValueError, "%s: no block starts at address %llu", self->name, static_cast<ull>(address));
        return nullptr;
    }
    Py_RETURN_NONE;
}

PyObject *pool_figures(PoolObject *self, PyObject *) {
    std::unique_lock<std::mutex> guard(*self->lock);
    const Figures now(*self->ranges);
    guard.unlock();
    return figures_dict(now);
}

PyMethodDef pool_methods[] = {
    {"allocate", method(pool_allocate), METH_FASTCALL | METH_KEYWORDS,
     "allocate(nbytes, alignment=granule)\n--\n\nReturn the address of a free range. Raises AllocationError with the "
     "figures when there is none."},
    {"free", method(pool_free), METH_O, "free(address)\n--\n\nGive a range back."},
    {"figures", method(pool_figures), METH_NOARGS,
     "figures()\n--\n\nReturn base, size, free, largest (bytes), pieces and blocks (counts)."},
    {nullptr, nullptr, 0, nullptr},
};

PyType_Slot pool_slots[] = {
    {Py_tp_doc, const_cast<char *>("Pool(base, size, granule=4096, name='memory pool')\n--\n\n"
                                   "Hands out ranges of addresses: best fit, merged again when freed; any thread.")},
    {Py_tp_new, reinterpret_cast<void *>(pool_new)},
    {Py_tp_dealloc, reinterpret_cast<void *>(pool_dealloc)},
    {Py_tp_methods, pool_methods},
    {0, nullptr},
};
PyType_Spec pool_spec = {"pynq._native.Pool", sizeof(PoolObject), 0, Py_TPFLAGS_DEFAULT, pool_slots};

// ---- Arena and MappedBlock ----------------------------------------------------------------------------------------

struct BlockObject;

struct ArenaObject {
    PyObject_HEAD
    Ranges *ranges;          // of physical addresses
    std::map<uint64_t, uint64_t> *lost;  // parts of the mapping that show zero pages: offset -> bytes
    BlockObject *first, *last;  // quarantine, oldest first
    uint64_t idle;           // bytes in quarantine
    size_t idle_blocks;
    uint8_t *mapping;
    uint64_t offset;         // of the mapping in the file
    char *name;
    int fd;
    unsigned generation;
    bool coherent;
};

enum class State : uint8_t { live, quarantined, released };

struct BlockObject {
    PyObject_HEAD
    ArenaObject *arena;  // nullptr: a mapping of its own without a pool
    uint8_t *pointer;
    uint64_t nbytes, mapped;  // mapped: whole pages
    uint64_t physical;
    PyObject *on_release;
    PyObject *weak;
    BlockObject *previous, *next;
    unsigned generation;
    State state;
    bool own_mapping;  // not a part of the arena's
    bool coherent;
};

constexpr uint64_t small_block = 64 << 10;  // larger ones are worth two system calls
constexpr size_t most_idle = 64;

PyObject *os_error(const char *what) {
    const int number = errno;
    PyObject *text = PyUnicode_FromFormat("%s: %s", what, std::strerror(number));
    PyObject *error = text ? PyObject_CallFunction(PyExc_OSError, "iO", number, text) : nullptr;
    Py_XDECREF(text);
    if (error) {
        PyErr_SetObject(reinterpret_cast<PyObject *>(Py_TYPE(error)), error);
        Py_DECREF(error);
    }
    return nullptr;
}

// Whether that many bytes can be mapped at all; false with errno. A device may have more than 32 bits can address.
bool mappable(uint64_t nbytes) {
    errno = ENOMEM;
    return nbytes <= static_cast<uint64_t>(PTRDIFF_MAX);
}

// Whether a file has what is to be mapped; false with an exception set. Memory beyond a file's end raises SIGBUS when it
// is looked at. Devices and dma-bufs are no regular files: they refuse by themselves.
bool has_bytes(int fd, uint64_t offset, uint64_t nbytes) {
    struct stat about;
    if (fstat(fd, &about) != 0) {
        os_error("can't map device memory");
        return false;
    }
    const auto size = static_cast<uint64_t>(about.st_size);
    if (!S_ISREG(about.st_mode) || (offset <= size && nbytes <= size - offset)) return true;
    PyErr_Format(PyExc_ValueError, "can't map %llu bytes from offset %llu on: the file has %llu bytes",
                 static_cast<ull>(nbytes), static_cast<ull>(offset), static_cast<ull>(size));
    return false;
}

// Zero pages in the place of the device's memory. False with errno: the mapping is unchanged.
bool detach(uint8_t *pointer, uint64_t nbytes) {
    return mmap(pointer, static_cast<size_t>(nbytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
}

void leave_quarantine(BlockObject *block) {
    ArenaObject *arena = block->arena;
    (block->previous ? block->previous->next : arena->first) = block->next;
    (block->next ? block->next->previous : arena->last) = block->previous;
    block->previous = block->next = nullptr;
    arena->idle -= block->mapped;
    --arena->idle_blocks;
}

void enter_quarantine(BlockObject *block) {
    ArenaObject *arena = block->arena;
    block->state = State::quarantined;
    block->previous = arena->last;
    (arena->last ? arena->last->next : arena->first) = block;
    arena->last = block;
    arena->idle += block->mapped;
    ++arena->idle_blocks;
}

// Take the memory away from a block that may still have views.
bool take_away(BlockObject *block) {
    if (!detach(block->pointer, block->mapped)) return false;
    ArenaObject *arena = block->arena;
    if (block->state == State::quarantined) leave_quarantine(block);
    block->state = State::released;
    if (arena) {
        if (!block->own_mapping) arena->lost->emplace(static_cast<uint64_t>(block->pointer - arena->mapping), block->mapped);
        arena->ranges->give(block->physical);
    }
    return true;
}

bool reclaim(ArenaObject *arena) {
    const bool any = arena->first;
    while (arena->first) {
        if (!take_away(arena->first)) return false;
    }
    return any;
}

bool overlaps_lost(const ArenaObject *arena, uint64_t offset, uint64_t nbytes) {
    auto it = arena->lost->lower_bound(offset);
    if (it != arena->lost->end() && it->first < offset + nbytes) return true;
    if (it == arena->lost->begin()) return false;
    --it;
    return it->first + it->second > offset;
}

// New memory is zero. Punching a hole costs no page and works on memfd; other files are overwritten.
void zero(int fd, uint64_t file_offset, uint8_t *pointer, uint64_t nbytes) {
#ifdef FALLOC_FL_PUNCH_HOLE
    if (nbytes >= small_block &&
        fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(file_offset),
                  static_cast<off_t>(nbytes)) == 0) {
        return;
    }
#endif
    std::memset(pointer, 0, static_cast<size_t>(nbytes));
}

// release() of a block; also harmless twice.
bool release_block(BlockObject *block) {
    if (block->state != State::live) return true;
    if (block->generation != process_generation) {
        block->state = State::released;
        return true;
    }
    if (block->arena && !block->own_mapping && block->mapped <= small_block) {
        std::memset(block->pointer, 0, static_cast<size_t>(block->mapped));
        enter_quarantine(block);
        if (block->arena->idle_blocks > most_idle && !take_away(block->arena->first)) PyErr_Clear();
        return true;
    }
    if (!take_away(block)) {
        os_error("can't replace the mapping of a freed buffer");
        return false;
    }
    if (block->on_release) {
        PyObject *done = PyObject_CallNoArgs(block->on_release);
        Py_CLEAR(block->on_release);
        if (!done) return false;
        Py_DECREF(done);
    }
    return true;
}

int block_traverse(BlockObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->on_release);
    Py_VISIT(self->arena);
    return 0;
}

// The garbage collector found it unreachable together with others. on_release may be one of them: it has to be called
// now, while all of them are whole.
void block_finalize(BlockObject *self) {
    if (self->arena || self->state != State::live || !self->on_release) return;
    PyObject *earlier = take_exception();
    if (!release_block(self)) PyErr_WriteUnraisable(reinterpret_cast<PyObject *>(self));
    put_exception(earlier);
}

void block_dealloc(BlockObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->weak) PyObject_ClearWeakRefs(reinterpret_cast<PyObject *>(self));
    ArenaObject *arena = self->arena;
    const bool ours = self->generation == process_generation;
    if (self->pointer) {
        if (!arena) {
            munmap(self->pointer, static_cast<size_t>(self->mapped));
            if (self->state == State::live && ours && self->on_release) {
                PyObject *earlier = take_exception();
                PyObject *done = PyObject_CallNoArgs(self->on_release);
                if (done) Py_DECREF(done);
                else PyErr_WriteUnraisable(self->on_release);
                put_exception(earlier);
            }
        } else if (self->state != State::released) {
            // no view is left: the memory goes back as it is
            if (self->state == State::quarantined) leave_quarantine(self);
            if (self->own_mapping) munmap(self->pointer, static_cast<size_t>(self->mapped));
            if (ours) arena->ranges->give(self->physical);
        } else if (self->own_mapping) {
            munmap(self->pointer, static_cast<size_t>(self->mapped));
        } else if (ours) {
            const uint64_t at = static_cast<uint64_t>(self->pointer - arena->mapping);
            if (mmap(self->pointer, static_cast<size_t>(self->mapped), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                     arena->fd, static_cast<off_t>(arena->offset + at)) != MAP_FAILED) {
                arena->lost->erase(at);
            }
        }
    }
    Py_CLEAR(self->on_release);
    self->arena = nullptr;
    type->tp_free(self);
    Py_XDECREF(arena);
    Py_DECREF(type);
}

PyObject *block_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static const char *names[] = {"fd", "offset", "nbytes", "physical_address", "on_release", "coherent", nullptr};
    int fd, coherent = 1;
    ull offset, nbytes, physical;
    PyObject *on_release = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "iKKK|Op:MappedBlock", const_cast<char **>(names), &fd, &offset,
                                     &nbytes, &physical, &on_release, &coherent)) {
        return nullptr;
    }
    if (!nbytes || offset % page_size()) {
        PyErr_Format(PyExc_ValueError, "can't map %llu bytes from offset %llu on: the offset must be a multiple of %llu, "
                                       "the size at least 1", nbytes, offset, static_cast<ull>(page_size()));
        return nullptr;
    }
    const uint64_t mapped = round_up(nbytes, page_size());
    if (!mappable(mapped) || mapped < nbytes) return os_error("can't map device memory");
    if (!has_bytes(fd, offset, nbytes)) return nullptr;
    void *pointer = mmap(nullptr, static_cast<size_t>(mapped), PROT_READ | PROT_WRITE, MAP_SHARED, fd, static_cast<off_t>(offset));
    if (pointer == MAP_FAILED) return os_error("can't map device memory");
    auto *self = reinterpret_cast<BlockObject *>(type->tp_alloc(type, 0));
    if (!self) {
        munmap(pointer, static_cast<size_t>(mapped));
        return nullptr;
    }
    self->pointer = static_cast<uint8_t *>(pointer);
    self->nbytes = nbytes;
    self->mapped = mapped;
    self->physical = physical;
    self->coherent = coherent;
    self->own_mapping = true;
    self->generation = process_generation;
    if (on_release != Py_None) self->on_release = Py_NewRef(on_release);
    return reinterpret_cast<PyObject *>(self);
}

int block_getbuffer(PyObject *object, Py_buffer *view, int flags) {
    auto *self = reinterpret_cast<BlockObject *>(object);
    return PyBuffer_FillInfo(view, object, self->pointer, static_cast<Py_ssize_t>(self->nbytes), 0, flags);
}

PyObject *block_release(BlockObject *self, PyObject *) {
    if (!release_block(self)) return nullptr;
    Py_RETURN_NONE;
}

PyObject *block_get_released(BlockObject *self, void *) { return PyBool_FromLong(self->state != State::live); }

PyObject *block_get_virtual(BlockObject *self, void *) {
    return PyLong_FromUnsignedLongLong(reinterpret_cast<uintptr_t>(self->pointer));
}

PyObject *block_repr(BlockObject *self) {
    char text[128];
    std::snprintf(text, sizeof text, "<MappedBlock: %llu bytes at 0x%08llX%s>", static_cast<ull>(self->nbytes),
                  static_cast<ull>(self->physical), self->state == State::live ? "" : ", released");
    return PyUnicode_FromString(text);
}

PyMethodDef block_methods[] = {
    {"release", method(block_release), METH_NOARGS,
     "release()\n--\n\nGive the memory back now; what still maps it sees zeros. A second call does nothing."},
    {nullptr, nullptr, 0, nullptr},
};

PyMemberDef block_members[] = {
    {const_cast<char *>("nbytes"), T_ULONGLONG, offsetof(BlockObject, nbytes), READONLY,
     const_cast<char *>("Size in bytes, as asked for.")},
    {const_cast<char *>("physical_address"), T_ULONGLONG, offsetof(BlockObject, physical), READONLY,
     const_cast<char *>("Address of the first byte as the PL sees it.")},
    {const_cast<char *>("coherent"), T_BOOL, offsetof(BlockObject, coherent), READONLY,
     const_cast<char *>("True where caches need no care.")},
    {const_cast<char *>("__weaklistoffset__"), T_PYSSIZET, offsetof(BlockObject, weak), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyGetSetDef block_getset[] = {
    {"released", reinterpret_cast<getter>(block_get_released), nullptr, "True after release().", nullptr},
    {"virtual_address", reinterpret_cast<getter>(block_get_virtual), nullptr, "Address in this process.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot block_slots[] = {
    {Py_tp_doc,
     const_cast<char *>("MappedBlock(fd, offset, nbytes, physical_address, on_release=None, coherent=True)\n--\n\n"
                        "Memory of a file descriptor (memfd, dma-buf, /dev/udmabuf0), mapped: a writable buffer.")},
    {Py_tp_new, reinterpret_cast<void *>(block_new)},
    {Py_tp_traverse, reinterpret_cast<void *>(block_traverse)},
    {Py_tp_finalize, reinterpret_cast<void *>(block_finalize)},
    {Py_tp_dealloc, reinterpret_cast<void *>(block_dealloc)},
    {Py_tp_repr, reinterpret_cast<void *>(block_repr)},
    {Py_tp_methods, block_methods},
    {Py_tp_members, block_members},
    {Py_tp_getset, block_getset},
    {Py_bf_getbuffer, reinterpret_cast<void *>(block_getbuffer)},
    {0, nullptr},
};
PyType_Spec block_spec = {"pynq._native.MappedBlock", sizeof(BlockObject), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
                          block_slots};

PyObject *arena_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static const char *names[] = {"fd", "offset", "size", "physical_address", "coherent", "name", nullptr};
    int fd, coherent = 1;
    ull offset, size, physical;
    const char *name = "device memory";
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "iKKK|ps:Arena", const_cast<char **>(names), &fd, &offset, &size,
                                     &physical, &coherent, &name)) {
        return nullptr;
    }
    const uint64_t page = page_size();
    if (!size || offset % page || physical % page || size % page || physical + size < physical) {
        PyErr_Format(PyExc_ValueError, "can't map %llu bytes from offset %llu on for address %llu: all three must be "
                                       "multiples of %llu", size, offset, physical, static_cast<ull>(page));
        return nullptr;
    }
    if (!mappable(size)) return os_error("can't map the device's memory");
    if (!has_bytes(fd, offset, size)) return nullptr;
    const int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own < 0) return os_error("can't duplicate the file descriptor of the device's memory");
    void *mapping = mmap(nullptr, static_cast<size_t>(size), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, own, static_cast<off_t>(offset));
    if (mapping == MAP_FAILED) {
        os_error("can't map the device's memory");
        close(own);
        return nullptr;
    }
    auto *self = reinterpret_cast<ArenaObject *>(type->tp_alloc(type, 0));
    if (!self) {
        munmap(mapping, static_cast<size_t>(size));
        close(own);
        return nullptr;
    }
    self->ranges = new Ranges(physical, size, page);
    self->lost = new std::map<uint64_t, uint64_t>;
    self->mapping = static_cast<uint8_t *>(mapping);
    self->offset = offset;
    self->fd = own;
    self->generation = process_generation;
    self->coherent = coherent;
    self->name = strdup(name);
    return reinterpret_cast<PyObject *>(self);
}

void arena_dealloc(ArenaObject *self) {  // blocks hold the arena, so there are none left
    PyTypeObject *type = Py_TYPE(self);
    if (self->mapping) munmap(self->mapping, static_cast<size_t>(self->ranges->size));
    if (self->ranges) close(self->fd);
    delete self->ranges;
    delete self->lost;
    free(self->name);
    type->tp_free(self);
    Py_DECREF(type);
}

PyObject *arena_allocate(ArenaObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const char *const names[] = {"nbytes", "alignment"};
    PyObject *given[2];
    if (!parse_arguments("allocate", args, nargs, kwnames, names, 2, 1, given)) return nullptr;
    const uint64_t page = page_size();
    uint64_t nbytes, alignment = page, physical = 0;
    if (!to_size(given[0], "nbytes", &nbytes) || (given[1] && !to_size(given[1], "alignment", &alignment)) ||
        !valid_alignment(alignment)) {
        return nullptr;
    }
    if (self->generation != process_generation) {
        return raise("AllocationError",
                     "%s: this process is a fork of the one that opened the device, and would be given memory that the "
                     "other one uses; open the device after the fork (multiprocessing: start method \"spawn\")",
                     self->name);
    }
    auto *block = reinterpret_cast<BlockObject *>(block_type->tp_alloc(block_type, 0));
    if (!block) return nullptr;
    block->state = State::released;
    if (!self->ranges->take(nbytes, alignment, &physical)) {
        if (!reclaim(self) || !self->ranges->take(nbytes, alignment, &physical)) {
            Py_DECREF(block);
            return exhausted(Figures(*self->ranges, self->idle), self->name, nbytes);
        }
    }
    const uint64_t mapped = round_up(nbytes ? nbytes : 1, page);
    const uint64_t at = physical - self->ranges->base;
    if (self->lost->empty() || !overlaps_lost(self, at, mapped)) {
        block->pointer = self->mapping + at;
    } else {  // someone still looks at zero pages there
        void *pointer = mmap(nullptr, static_cast<size_t>(mapped), PROT_READ | PROT_WRITE, MAP_SHARED, self->fd,
                             static_cast<off_t>(self->offset + at));
        if (pointer == MAP_FAILED) {
            os_error("can't map device memory");
            self->ranges->give(physical);
            Py_DECREF(block);
            return nullptr;
        }
        block->pointer = static_cast<uint8_t *>(pointer);
        block->own_mapping = true;
    }
    zero(self->fd, self->offset + at, block->pointer, mapped);
    Py_INCREF(self);
    block->arena = self;
    block->nbytes = nbytes;
    block->mapped = mapped;
    block->physical = physical;
    block->coherent = self->coherent;
    block->generation = process_generation;
    block->state = State::live;
    return reinterpret_cast<PyObject *>(block);
}

PyObject *arena_figures(ArenaObject *self, PyObject *) {
    return figures_dict(Figures(*self->ranges, self->idle, self->idle_blocks));
}

PyMethodDef arena_methods[] = {
    {"allocate", method(arena_allocate), METH_FASTCALL | METH_KEYWORDS,
     "allocate(nbytes, alignment=4096)\n--\n\nReturn a MappedBlock of zeroed memory. Raises AllocationError with the "
     "figures when there is no room."},
    {"figures", method(arena_figures), METH_NOARGS,
     "figures()\n--\n\nReturn base, size, free, largest (bytes), pieces and blocks (counts)."},
    {nullptr, nullptr, 0, nullptr},
};

PyType_Slot arena_slots[] = {
    {Py_tp_doc, const_cast<char *>("Arena(fd, offset, size, physical_address, coherent=True, name='device memory')\n--\n\n"
                                   "Memory of a file descriptor that is mapped once and handed out in blocks of whole "
                                   "pages; `name` begins its error messages.")},
    {Py_tp_new, reinterpret_cast<void *>(arena_new)},
    {Py_tp_dealloc, reinterpret_cast<void *>(arena_dealloc)},
    {Py_tp_methods, arena_methods},
    {0, nullptr},
};
PyType_Spec arena_spec = {"pynq._native.Arena", sizeof(ArenaObject), 0, Py_TPFLAGS_DEFAULT, arena_slots};

// ---- where an array lies ------------------------------------------------------------------------------------------

// The members of numpy's array object that are read here; they are part of numpy's ABI and have not moved since 1.0.
struct ArrayHead {
    PyObject_HEAD
    void *data;
};

PyTypeObject *ndarray_type;

// True when arrays look as expected, which is checked once against what numpy says.
bool arrays_known() {
    static int known = -1;
    if (known >= 0) return known;
    PyObject *type = numpy_attribute("ndarray");
    PyObject *array = type ? PyObject_CallFunction(type, "(i)", 1) : nullptr;
    PyObject *interface = array ? PyObject_GetAttrString(array, "__array_interface__") : nullptr;
    PyObject *data = interface ? PyMapping_GetItemString(interface, "data") : nullptr;
    PyObject *address = data ? PySequence_GetItem(data, 0) : nullptr;
    if (address) {
        known = reinterpret_cast<ArrayHead *>(array)->data == PyLong_AsVoidPtr(address);
        ndarray_type = reinterpret_cast<PyTypeObject *>(Py_NewRef(type));
    }
    Py_XDECREF(address);
    Py_XDECREF(data);
    Py_XDECREF(interface);
    Py_XDECREF(array);
    return known > 0;
}

bool find_address(PyObject *array, uint64_t *address) {
    if (arrays_known() && PyObject_TypeCheck(array, ndarray_type)) {
        *address = reinterpret_cast<uintptr_t>(reinterpret_cast<ArrayHead *>(array)->data);
        return true;
    }
    if (PyErr_Occurred()) return false;
    Py_buffer view;
    if (PyObject_GetBuffer(array, &view, PyBUF_STRIDES) < 0) return false;
    *address = reinterpret_cast<uintptr_t>(view.buf);
    PyBuffer_Release(&view);
    return true;
}

// Address of the first element of an array. numpy's own ways take longer than a whole DMA register access.
PyObject *address_of(PyObject *, PyObject *array) {
    uint64_t address;
    return find_address(array, &address) ? PyLong_FromUnsignedLongLong(address) : nullptr;
}

// physical_address of PynqBuffer, for a buffer in an unreleased MappedBlock and a view of such a one. Everything else
// is left to the method _find_address, which also knows the errors.
PyObject *physical_address_of(PyObject *, PyObject *array) {
    static PyObject *base_name, *block_name;
    if (!base_name) base_name = PyUnicode_InternFromString("base");
    if (!block_name) block_name = PyUnicode_InternFromString("_block");
    PyObject *base = PyObject_GetAttr(array, base_name);
    if (!base) return nullptr;
    PyObject *owner = Py_TYPE(base) == Py_TYPE(array) ? base : array;
    PyObject *block = PyObject_GetAttr(owner, block_name);
    PyObject *result = nullptr;
    if (block && Py_TYPE(block) == block_type) {
        const auto *memory = reinterpret_cast<BlockObject *>(block);
        uint64_t here;
        if (memory->state == State::live && find_address(array, &here)) {
            result = PyLong_FromUnsignedLongLong(memory->physical + here - reinterpret_cast<uintptr_t>(memory->pointer));
        }
    }
    Py_XDECREF(block);
    Py_DECREF(base);
    if (result) return result;
    PyErr_Clear();
    return PyObject_CallMethod(array, "_find_address", nullptr);
}

// __array_wrap__ of PynqBuffer: numpy's own leaves 0-d arrays of a subclass as they are, so that buffer.sum() is no
// number and f"{buffer.mean():.2f}" fails.
PyObject *array_wrap(PyObject *, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const char *const names[] = {"self", "array", "context", "return_scalar"};
    PyObject *given[4];
    if (!parse_arguments("__array_wrap__", args, nargs, kwnames, names, 4, 2, given)) return nullptr;
    PyObject *self = given[0], *array = given[1];
    if (Py_TYPE(array) == Py_TYPE(self)) return Py_NewRef(array);  // `out=` of an operation
    PyObject *ndim = PyObject_GetAttrString(array, "ndim");
    if (!ndim) return nullptr;
    const long dimensions = PyLong_AsLong(ndim);
    Py_DECREF(ndim);
    if (dimensions < 0) return nullptr;
    if (dimensions == 0) {
        PyObject *nothing = PyTuple_New(0);
        PyObject *scalar = nothing ? PyObject_GetItem(array, nothing) : nullptr;
        Py_XDECREF(nothing);
        return scalar;
    }
    return PyObject_CallMethod(array, "view", "O", reinterpret_cast<PyObject *>(Py_TYPE(self)));
}

PyMethodDef array_wrap_definition = {"array_wrap", method(array_wrap), METH_FASTCALL | METH_KEYWORDS,
                                     "array_wrap(self, array, context=None, return_scalar=False)"};

PyMethodDef functions[] = {
    {"address_of", method(address_of), METH_O,
     "address_of(array)\n--\n\nReturn the address of an array's first element in this process."},
    {"physical_address_of", method(physical_address_of), METH_O,
     "physical_address_of(buffer)\n--\n\nReturn the physical address of a PynqBuffer's first element."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

bool add_memory_types(PyObject *module) {
    static bool registered;
    if (!registered) {
        pthread_atfork(nullptr, nullptr, after_fork_in_child);
        registered = true;
    }
    pool_type = add_type(module, &pool_spec);
    block_type = add_type(module, &block_spec);
    arena_type = add_type(module, &arena_spec);
    if (!pool_type || !block_type || !arena_type || PyModule_AddFunctions(module, functions) < 0) return false;
    PyObject *function = PyCFunction_New(&array_wrap_definition, nullptr);
    PyObject *bindable = function ? PyInstanceMethod_New(function) : nullptr;  // builtins alone don't bind to `self`
    Py_XDECREF(function);
    if (!bindable || PyModule_AddObject(module, "array_wrap", bindable) < 0) {
        Py_XDECREF(bindable);
        return false;
    }
    return true;
}

}  // namespace pynq
