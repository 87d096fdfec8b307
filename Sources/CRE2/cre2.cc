#include "cre2.h"

#include <re2/re2.h>
#include <re2/set.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <string>

struct cre2_pattern {
    RE2 expression;
    cre2_pattern(const re2::StringPiece &pattern, const RE2::Options &options) : expression(pattern, options) {}
};

static void tell(const char *message, size_t length, char *error, size_t capacity) {
    if (capacity == 0) return;
    size_t count = std::min(length, capacity - 1);
    std::memcpy(error, message, count);
    error[count] = 0;
}

extern "C" cre2_pattern *cre2_compile(const char *pattern, size_t length, int64_t max_memory, char *error,
                                      size_t error_capacity) {
    try {
        RE2::Options options;
        options.set_log_errors(false);
        options.set_max_mem(max_memory);
        // Nobody asks where a group was found, and a program without captures is smaller.
        options.set_never_capture(true);
        auto compiled = std::make_unique<cre2_pattern>(re2::StringPiece(pattern, length), options);
        if (compiled->expression.ok()) return compiled.release();
        const std::string &message = compiled->expression.error();
        tell(message.data(), message.size(), error, error_capacity);
    } catch (...) {
        const char message[] = "there is no memory left to compile it";
        tell(message, sizeof message - 1, error, error_capacity);
    }
    return nullptr;
}

extern "C" int cre2_parses(const char *pattern, size_t length, char *error, size_t error_capacity) {
    try {
        RE2::Options options;
        options.set_log_errors(false);
        options.set_never_capture(true);
        // A set reads its patterns one by one and compiles none of them until it is told to.
        RE2::Set set(options, RE2::UNANCHORED);
        std::string message;
        re2::StringPiece text(pattern == nullptr ? "" : pattern, length);
        if (set.Add(text, &message) >= 0) return 1;
        tell(message.data(), message.size(), error, error_capacity);
    } catch (...) {
        const char message[] = "there is no memory left to read it";
        tell(message, sizeof message - 1, error, error_capacity);
    }
    return 0;
}

extern "C" void cre2_free(cre2_pattern *pattern) { delete pattern; }

extern "C" int cre2_program_size(const cre2_pattern *pattern) { return pattern->expression.ProgramSize(); }

extern "C" int cre2_find(const cre2_pattern *pattern, const char *text, size_t length) {
    try {
        re2::StringPiece piece(text == nullptr ? "" : text, length);
        return pattern->expression.Match(piece, 0, length, RE2::UNANCHORED, nullptr, 0) ? 1 : 0;
    } catch (...) {
        return -1;
    }
}
