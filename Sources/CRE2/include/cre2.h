// A C face of RE2 (https://github.com/google/re2): no exception and no C++ type crosses it.
#ifndef SAGA_CRE2_H
#define SAGA_CRE2_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A compiled pattern. It never changes, and any number of threads may use it at once.
typedef struct cre2_pattern cre2_pattern;

/// Compiles a pattern of UTF-8 text in RE2's syntax.
///
/// Returns null when that fails; then `error` holds what is wrong, ended by a zero byte and cut off where it is full.
/// The pattern may use about `max_memory` bytes, its automata included; one that needs more is an error.
cre2_pattern *_Nullable cre2_compile(const char *_Nonnull pattern, size_t length, int64_t max_memory,
                                     char *_Nonnull error, size_t error_capacity);

/// Whether a pattern's syntax is right, 1 or 0; then `error` is as above. Nothing is compiled.
int cre2_parses(const char *_Nullable pattern, size_t length, char *_Nonnull error, size_t error_capacity);

/// Frees a compiled pattern.
void cre2_free(cre2_pattern *_Nonnull pattern);

/// The number of instructions of the compiled program.
///
/// A search takes time in proportion to the length of the text; at worst, once the automaton has outgrown its memory,
/// in proportion to that length times this number.
int cre2_program_size(const cre2_pattern *_Nonnull pattern);

/// Whether the pattern is found anywhere in the text: 1 or 0, and -1 when there was no memory left to tell.
int cre2_find(const cre2_pattern *_Nonnull pattern, const char *_Nullable text, size_t length);

#ifdef __cplusplus
}
#endif

#endif
