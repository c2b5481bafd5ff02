// SPDX-License-Identifier: BSD-3-Clause
#include "pynq_rtl_runtime.hpp"

#include "verilated_vcd_c.h"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <unistd.h>

#if VM_COVERAGE
#include "verilated_cov.h"

#include <fstream>
#endif

namespace pynq_rtl {

thread_local Bound bound;

namespace {
std::atomic<uint64_t> last_number{0};
}

namespace {

// "FILE:LINE: rest" -> parts; false where `text` is nothing like that. The file's name may hold colons.
bool split_place(std::string_view text, std::string &file, int &line, std::string_view &rest) {
    for (size_t colon = text.find(':'); colon != std::string_view::npos; colon = text.find(':', colon + 1)) {
        size_t end = colon + 1;
        int number = 0;
        while (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end])) && number < 100000000) {
            number = number * 10 + (text[end++] - '0');
        }
        if (end == colon + 1 || text.substr(end, 2) != ": ") continue;
        file = text.substr(0, colon);
        line = number;
        rest = text.substr(end + 2);
        return true;
    }
    return false;
}

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// "top.a.b" or "TOP.top.a.b" -> "a/b".
std::string below_top(std::string_view path) {
    if (path.substr(0, 4) == "TOP.") path.remove_prefix(4);
    while (!path.empty() && path.front() == '.') path.remove_prefix(1);
    const size_t dot = path.find('.');
    if (dot == std::string_view::npos) return "";
    std::string result{path.substr(dot + 1)};
    for (char &c : result) {
        if (c == '.') c = '/';
    }
    return result;
}

bool inside(const std::string &path, const std::string &folder) {
    return path == folder || folder == "/" ||
           (path.size() > folder.size() && path.compare(0, folder.size(), folder) == 0 && path[folder.size()] == '/');
}

// The real path of a file, or of the folder of one that is not there yet; "" where that isn't there either.
std::string real(const std::string &path) {
    char buffer[PATH_MAX];
    if (::realpath(path.c_str(), buffer)) return buffer;
    const size_t slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
    if (!::realpath(folder.c_str(), buffer)) return "";
    return std::string{buffer} + "/" + path.substr(slash == std::string::npos ? 0 : slash + 1);
}

}  // namespace

Session::Session(const pynq_rtl_host *given, const char *const *paths) : number(++last_number) {
    if (given) host = *given;
    for (; paths && *paths; ++paths) {
        given_.push_back(*paths);
        const std::string folder = real(*paths);
        if (!folder.empty()) folders.push_back(folder);
    }
}

std::string Session::file_name(std::string_view name) const {
    if (name.find("Vdut") != std::string_view::npos) return "";
    if (name.size() < 2 || name[0] != 's') return std::string{name};
    size_t number = 0;
    for (char c : name.substr(1)) {
        if (!std::isdigit(static_cast<unsigned char>(c))) return std::string{name};
        number = number * 10 + static_cast<size_t>(c - '0');
    }
    for (size_t i = 0; i <= number; ++i) {
        if (!dut::files[i]) return std::string{name};
    }
    const std::string known = dut::files[number];
    size_t slash = 0, folder = 0;
    for (; std::isdigit(static_cast<unsigned char>(known[slash])); ++slash) {
        folder = folder * 10 + static_cast<size_t>(known[slash] - '0');
    }
    if (slash == 0 || known[slash] != '/') return known;
    return folder < given_.size() ? given_[folder] + known.substr(slash) : known.substr(slash + 1);
}

void Session::print(std::string_view text) {
    pending_ += text;
    size_t start = 0;
    for (size_t end; (end = pending_.find('\n', start)) != std::string::npos; start = end + 1) {
        line(std::string_view{pending_}.substr(start, end - start));
    }
    pending_.erase(0, start);
}

void Session::flush() {
    if (pending_.empty()) return;
    line(pending_);
    pending_.clear();
}

// A mark is "\1file:line\2": the builder puts one at the beginning of each text that the RTL prints.
void Session::line(std::string_view text) {
    std::string clean;
    Place place;
    clean.reserve(text.size());
    while (!text.empty()) {
        const size_t begin = text.find('\1');
        clean += text.substr(0, begin);
        if (begin == std::string_view::npos) break;
        const size_t end = text.find('\2', begin);
        const size_t colon = text.find(':', begin);
        if (end == std::string_view::npos || colon > end) {
            clean += text.substr(begin);
            break;
        }
        if (place.line == 0) {
            place.file = file_name("s" + std::string{text.substr(begin + 1, colon - begin - 1)});
            place.line = static_cast<int>(std::strtoul(text.data() + colon + 1, nullptr, 10));
        }
        text.remove_prefix(end + 1);
    }
    // $error and its like, as Verilator writes them: "[time] %Error: file:line: Assertion failed in scope: text".
    static const struct {
        const char *word, *name;
    } severities[] = {
        {"] %Error: ", "error"}, {"] %Fatal: ", "fatal"}, {"] %Warning: ", "warning"}, {"] -Info: ", "info"}};
    for (const auto &severity : severities) {
        const size_t at = clean.find(severity.word);
        const size_t bracket = clean.rfind('[', at);
        std::string_view rest;
        Ended found{severity.name[0] == 'f' ? PYNQ_RTL_FATAL : PYNQ_RTL_STOP, "", 0, "", ""};
        if (at == std::string::npos || bracket == std::string::npos ||
            !split_place(std::string_view{clean}.substr(at + std::strlen(severity.word)), found.file, found.line, rest)) {
            continue;
        }
        static constexpr std::string_view lead = "Assertion failed in ";
        if (rest.substr(0, lead.size()) == lead) rest.remove_prefix(lead.size());
        const size_t colon = std::min(rest.find(": "), rest.size());
        if (rest.substr(0, colon).find(' ') == std::string_view::npos) {
            found.scope = below_top(rest.substr(0, colon));
            rest.remove_prefix(std::min(colon + 2, rest.size()));
        }
        found.text = rest.empty() ? std::string{"$"} + severity.name : std::string{rest};
        if (bracket > 0) tell(place, clean.substr(0, bracket));  // what a $write left open
        place.file = file_name(found.file);
        place.line = found.line;
        clean = severity.name + (": " + found.text);
        if (!found.scope.empty()) clean += " (in " + found.scope + ")";
        last_ = found;
        break;
    }
    tell(place, clean);
}

void Session::tell(const Place &place, const std::string &text) {
    ++prints;
    if (host.print) host.print(host.context, place.file.c_str(), place.line, text.c_str(), text.size());
}

void Session::end(int status, const char *file, int line, const std::string &text) {
    flush();
    // What is printed has the file's name without folders.
    const bool same = last_.line == line && line != 0 && base_name(last_.file) == base_name(file);
    Ended result{status, file_name(file), line, same ? last_.scope : "", same ? last_.text : text};
    if (result.file.empty()) result.line = 0;
    if (text.find("did not converge") != std::string::npos) result.text = unsettled();
    if (same && last_.status == PYNQ_RTL_FATAL) result.status = PYNQ_RTL_FATAL;
    if (status == PYNQ_RTL_STOP && same) {  // 5.006 calls a $fatal "Error"
        const std::string place = std::string{file} + ":" + std::to_string(line);
        for (const char *const *fatal = dut::fatals; *fatal; ++fatal) {
            if (place == *fatal) result.status = PYNQ_RTL_FATAL;
        }
    }
    throw result;
}

std::string Session::unsettled() const {
    std::string text = "its signals do not settle (Verilator: did not converge): a combinational loop";
    const char *lead = "; Verilator found one through ";
    for (const char *const *loop = dut::loops; *loop; ++loop, lead = ", ") {
        const std::string_view known{*loop};  // "s3:15 fir.a"
        const size_t colon = known.find(':'), space = known.find(' ');
        const std::string file = file_name(known.substr(0, colon));
        text += lead;
        text += known.substr(space + 1);
        text += " (" + std::string{base_name(file)};
        text += known.substr(colon, space - colon);
        text += ")";
    }
    return text;
}

void endless() {
    char text[200];
    std::snprintf(text, sizeof text,
                  "a loop (while, for, forever, repeat) made more than %llu turns at one time; delays are left out, so "
                  "one that only waits never ends",
                  static_cast<unsigned long long>(max_turns));
    bound.session->end(PYNQ_RTL_FATAL, "", 0, text);
}

void Session::warn(const char *file, int line, const std::string &text) {
    flush();
    tell({file_name(file), line}, "warning: " + text);
}

std::string Session::locate(const std::string &name, bool write) const {
    const bool absolute = !name.empty() && name.front() == '/';
    if (!absolute && !write) {
        for (const std::string &folder : folders) {
            const std::string path = folder + "/" + name;
            if (::access(path.c_str(), F_OK) == 0) {
                const std::string found = real(path);
                for (const std::string &root : folders) {
                    if (inside(found, root)) return found;
                }
                throw Ended{PYNQ_RTL_REFUSED, "", 0, "", "file outside of the folders of the sources: " + found};
            }
        }
    }
    const std::string found = real(name);
    if (found.empty()) return name;  // not there: opening it fails as it should
    const std::string here = real(".");
    if (inside(found, here)) return found;
    for (const std::string &root : folders) {
        if (inside(found, root)) return found;
    }
    throw Ended{PYNQ_RTL_REFUSED, "", 0, "",
                "file outside of the folders of the sources and of the current folder: " + found};
}

namespace {

struct Model final : Session {
    Model(const pynq_rtl_host *host, const char *const *folders) : Session(host, folders) {}
    ~Model() {
        // Parts of the design may look at the context while they go.
        enter(*this);
        unmake();
        bound = {};
    }
    void unmake() {
        if (dut) dut::unmake(dut);
        dut = nullptr;
    }
    std::unique_ptr<VerilatedVcdC> tracer;
    void *dut = nullptr;
};

// Call `body`, and turn whatever it throws into a status.
template <class Body> int guarded(Model &model, Body &&body) {
    enter(model);
    try {
        body();
        return PYNQ_RTL_OK;
    } catch (const Ended &ended) {
        model.ended = ended;
    } catch (const std::exception &error) {
        model.ended = Ended{PYNQ_RTL_FATAL, "", 0, "", error.what()};
    } catch (...) {
        model.ended = Ended{PYNQ_RTL_FATAL, "", 0, "", "unknown C++ exception"};
    }
    model.dead = true;
    return model.ended.status;
}

Model &model_of(void *model) { return *static_cast<Model *>(model); }

VerilatedVcd &trace_of(Model &model) {
    if (!model.tracer) {
        model.tracer = std::make_unique<VerilatedVcdC>();
        dut::trace(model.dut, *model.tracer);
        VerilatedVcd &trace = *model.tracer->spTrace();
        for (const auto &init : trace.init) init.call(init.user, &trace, 0);
        for (const VerilatedVcd::Signal &signal : trace.signals) {
            model.table.push_back({signal.scope.c_str(), signal.name.c_str(), signal.code, signal.bits, signal.msb,
                                   signal.lsb, static_cast<uint8_t>(signal.kind)});
        }
    }
    return *model.tracer->spTrace();
}

}  // namespace

void *create(const pynq_rtl_host *host, const char *const *folders, uint64_t seed, char *error,
                    size_t error_size) {
    std::unique_ptr<Model> model;
    std::string reason;
    try {
        model = std::make_unique<Model>(host, folders);
        if (guarded(*model, [&] {
                // 0 would ask Verilator for a seed from the system.
                const int bits = static_cast<int>(seed & 0x7fffffff);
                model->context.randSeed(bits ? bits : 1);
                model->context.traceEverOn(true);  // before the model: it keeps what only waves need
                model->dut = dut::make(model->context);
            }) == PYNQ_RTL_OK) {
            return model.release();
        }
        reason = model->ended.text;
    } catch (const std::exception &failure) {
        reason = failure.what();
    }
    if (error && error_size) std::snprintf(error, error_size, "%s", reason.c_str());
    return nullptr;
}

void destroy(void *handle) {
    std::unique_ptr<Model> model{&model_of(handle)};
    // Final blocks tell the results of a run that ended with $finish; after a failure nothing of it can be trusted.
    if (!model->dead || model->ended.status == PYNQ_RTL_FINISH) guarded(*model, [&] { dut::finish(model->dut); });
    model->flush();
    guarded(*model, [&] { model->unmake(); });
}

void *port(void *model, uint32_t index) { return dut::port(model_of(model).dut, index); }

int eval(void *handle) {
    Model &model = model_of(handle);
    if (model.dead) return model.ended.status;
    return guarded(model, [&] { dut::eval(model.dut); });
}

void event(void *handle, pynq_rtl_event *event) {
    const Ended &ended = model_of(handle).ended;
    event->file = ended.file.c_str();
    event->line = ended.line;
    event->scope = ended.scope.c_str();
    event->text = ended.text.c_str();
}

void set_time(void *model, uint64_t picoseconds) { model_of(model).context.time(picoseconds); }
uint64_t prints(void *model) { return model_of(model).prints; }

void *state(void *model, size_t *size) {
    return dut::state(model_of(model).dut, size);
}

const pynq_rtl_signal *signals(void *handle, uint32_t *count, uint32_t *words) {
    Model &model = model_of(handle);
    *count = *words = 0;
    if (guarded(model, [&] { trace_of(model); }) != PYNQ_RTL_OK) return nullptr;
    *count = static_cast<uint32_t>(model.table.size());
    *words = trace_of(model).words;
    return model.table.data();
}

void sample(void *handle, uint32_t *values) {
    Model &model = model_of(handle);
    enter(model);
    VerilatedVcd &trace = trace_of(model);
    PynqTraceBuffer buffer;
    buffer.values = values;
    buffer.changed = &model.changed;
    for (const auto &dump : trace.constant) dump.call(dump.user, &buffer);
    for (const auto &dump : trace.full) dump.call(dump.user, &buffer);
    for (const auto &cleanup : trace.cleanup) cleanup.call(cleanup.user, &trace);
}

uint32_t changes(void *handle, uint32_t *values, uint32_t *codes) {
    Model &model = model_of(handle);
    enter(model);
    VerilatedVcd &trace = trace_of(model);
    model.changed.clear();
    PynqTraceBuffer buffer;
    buffer.values = values;
    buffer.changed = &model.changed;
    for (const auto &dump : trace.change) dump.call(dump.user, &buffer);
    for (const auto &cleanup : trace.cleanup) cleanup.call(cleanup.user, &trace);
    if (!model.changed.empty()) std::memcpy(codes, model.changed.data(), model.changed.size() * sizeof *codes);
    return static_cast<uint32_t>(model.changed.size());
}

int write_coverage(void *handle, const char *path) {
#if VM_COVERAGE
    Model &model = model_of(handle);
    const std::string part = std::string{path} + ".part";
    errno = 0;
    try {
        enter(model);
        std::ofstream{part}.close();  // Verilator's writer does not tell whether it could open the file
        if (errno) return errno;
        model.context.coveragep()->write(part.c_str());
        std::ifstream in{part};
        std::ofstream out{path};
        if (!in || !out) return errno ? errno : EIO;
        for (std::string line; std::getline(in, line);) {
            // A point is C '\1key\2value\1key\2value...' count; the key f has the name of the file.
            static const std::string key{"\1f\2"};
            const size_t begin = line.find(key);
            const size_t end = begin == std::string::npos ? begin : line.find_first_of("\1'", begin + key.size());
            if (end != std::string::npos) {
                const size_t name = begin + key.size();
                line.replace(name, end - name, model.file_name(line.substr(name, end - name)));
            }
            out << line << '\n';
        }
        out.close();
        std::remove(part.c_str());
        return out ? 0 : errno ? errno : EIO;
    } catch (...) {
        return EIO;
    }
#else
    (void)handle, (void)path;
    return ENOSYS;
#endif
}

}  // namespace pynq_rtl

using pynq_rtl::Ended;

namespace {
pynq_rtl::Session *current() { return pynq_rtl::bound.session; }
}

void pynq_rtl_printf(const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    const int size = std::vsnprintf(nullptr, 0, format, arguments);
    va_end(arguments);
    std::string text(size > 0 ? static_cast<size_t>(size) : 0, '\0');
    std::vsnprintf(text.data(), text.size() + 1, format, again);
    va_end(again);
    if (current()) current()->print(text);
    else std::fputs(text.c_str(), stderr);
}

// Verilator's runtime calls these; built with VL_USER_FINISH, VL_USER_STOP, VL_USER_FATAL and VL_USER_WARN.
void vl_finish(const char *file, int line, const char *) {
    if (current()) current()->end(PYNQ_RTL_FINISH, file, line, "$finish");
    throw Ended{PYNQ_RTL_FINISH, file, line, "", "$finish"};
}
void vl_stop(const char *file, int line, const char *) {
    if (current()) current()->end(PYNQ_RTL_STOP, file, line, "$stop");
    throw Ended{PYNQ_RTL_STOP, file, line, "", "$stop"};
}
void vl_fatal(const char *file, int line, const char *, const char *text) {
    if (current()) current()->end(PYNQ_RTL_FATAL, file, line, text);
    throw Ended{PYNQ_RTL_FATAL, file, line, "", text};
}
void vl_warn(const char *file, int line, const char *, const char *text) {
    if (current()) current()->warn(file, line, text);
}

// The linker sends the calls of these functions in a design's library here (--wrap).
extern "C" {
std::FILE *__real_fopen(const char *, const char *);
std::FILE *__wrap_fopen(const char *, const char *);
int __wrap_system(const char *);
size_t __real_fwrite(const void *, size_t, size_t, std::FILE *);
size_t __wrap_fwrite(const void *, size_t, size_t, std::FILE *);
int __real_fputs(const char *, std::FILE *);
int __wrap_fputs(const char *, std::FILE *);

// $fdisplay(1, ...) and its like.
size_t __wrap_fwrite(const void *data, size_t size, size_t count, std::FILE *file) {
    if (!current() || (file != stdout && file != stderr)) return __real_fwrite(data, size, count, file);
    current()->print(std::string_view{static_cast<const char *>(data), size * count});
    return count;
}
int __wrap_fputs(const char *text, std::FILE *file) {
    if (!current() || (file != stdout && file != stderr)) return __real_fputs(text, file);
    current()->print(text);
    return 1;
}

std::FILE *__wrap_fopen(const char *name, const char *mode) {
    if (!current()) return __real_fopen(name, mode);
    const bool write = std::strpbrk(mode, "wa+") != nullptr;
    return __real_fopen(current()->locate(name, write).c_str(), mode);
}
int __wrap_system(const char *command) {
    throw Ended{PYNQ_RTL_REFUSED, "", 0, "", std::string{"$system is not allowed: "} + (command ? command : "")};
}
}

// Signals.
void VerilatedVcd::declare(char kind, uint32_t code, const char *name, int index, uint32_t bits, int msb, int lsb) {
    std::string path = prefixes_.back() + name;
    if (index >= 0) path += "[" + std::to_string(index) + "]";
    words = std::max(words, code + (bits + 31) / 32);
    // Levels end with a blank; one that is a structure has 0x80 + a number before that.
    std::vector<std::string> levels;
    std::string member;
    size_t start = 0;
    for (size_t end; (end = path.find(' ', start)) != std::string::npos; start = end + 1) {
        std::string level = path.substr(start, end - start);
        const unsigned mark = level.empty() ? 0 : static_cast<unsigned char>(level.back());
        if (mark >= 0x80) level.pop_back();
        if (mark == 0x86 || mark == 0x87) member += level + ".";
        else levels.push_back(member + level);
    }
    // levels[0] is the model, whose name is empty; levels[1] the top module, or what is no module (the pins).
    if (levels.size() < 2 || levels[1] == "$rootio") return;
    std::string scope;
    for (size_t i = 2; i < levels.size(); ++i) scope += (i > 2 ? "/" : "") + levels[i];
    signals.push_back({scope, member + path.substr(start), code, bits, msb, lsb, kind});
}
