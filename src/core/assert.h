// Assertions that stay on: a node that finds itself wrong ends before it says anything more.
#pragma once

#include <cstdio>
#include <cstdlib>

#define ASSENT_ASSERT(condition)                                                                   \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            std::fprintf(stderr, "%s:%d: assertion failed: %s\n", __FILE__, __LINE__, #condition); \
            std::abort();                                                                          \
        }                                                                                          \
    } while (0)
