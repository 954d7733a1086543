// Logging over libqb: syslog (facility daemon) and, in the foreground, standard error.
//
// Any thread, never blocks: lines are formatted where they are written and handed to libqb's log thread (which drops
// lines, and says so, when 500 kB of them wait). Lines are cut at 480 bytes and control characters become '?', so that
// nothing a client sends can forge a line.
#pragma once

#include <syslog.h>

#include <string>

namespace assent {

struct LogOptions {
    std::string name = "assentd";
    bool foreground = false;  // to standard error as well
    int level = LOG_INFO;     // LOG_ERR … LOG_DEBUG; syslog's numbers, lower is graver
};

// Starts a thread: after the fork of a daemon, not before it. Before it, lines go nowhere. Once a process.
void log_open(const LogOptions& options);
// Writes out what waits.
void log_close();

// From now on; any thread. A level by its name ("info"), or -1.
void log_set_level(int level);
int log_level();
int log_level_by_name(const std::string& name);

bool log_wanted(int level);
void log_line(int level, const char* file, const char* function, unsigned line, const char* format, ...)
    __attribute__((format(printf, 5, 6)));

}  // namespace assent

#define ASSENT_LOG(level, ...)                                                                                 \
    do {                                                                                                       \
        if (::assent::log_wanted(level)) ::assent::log_line(level, __FILE__, __func__, __LINE__, __VA_ARGS__); \
    } while (0)

#define ASSENT_ERROR(...) ASSENT_LOG(LOG_ERR, __VA_ARGS__)
#define ASSENT_WARNING(...) ASSENT_LOG(LOG_WARNING, __VA_ARGS__)
#define ASSENT_NOTICE(...) ASSENT_LOG(LOG_NOTICE, __VA_ARGS__)
#define ASSENT_INFO(...) ASSENT_LOG(LOG_INFO, __VA_ARGS__)
#define ASSENT_DEBUG(...) ASSENT_LOG(LOG_DEBUG, __VA_ARGS__)
