#include <libpq-fe.h>
// What Swift's Glibc module leaves out: a thread that waits for a connection is woken through an eventfd.
#include <sys/eventfd.h>
