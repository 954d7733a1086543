#include "base/log.h"

#include <qb/qbdefs.h>
#include <qb/qblog.h>

#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <mutex>

namespace assent {

namespace {

constexpr size_t kMaxLine = 480;  // libqb 2.0.6 keeps 512 bytes a line, its own prefix included

std::atomic<int> g_level{-1};  // -1: not open
std::mutex g_mutex;            // libqb's look-up of call sites is not made for several threads

const char* const kNames[] = {"emerg", "alert", "crit", "error", "warning", "notice", "info", "debug"};

// Set once: the level is tested before a line gets here, and a filter changed later would also throw away lines that
// wait.
void set_filters() {
    for (int target : {int(QB_LOG_SYSLOG), int(QB_LOG_STDERR)}) {
        qb_log_filter_ctl(target, QB_LOG_FILTER_CLEAR_ALL, QB_LOG_FILTER_FILE, "*", LOG_TRACE);
        for (const char* ours : {"src/", "tests/"})
            qb_log_filter_ctl(target, QB_LOG_FILTER_ADD, QB_LOG_FILTER_FILE_REGEX, ours, LOG_DEBUG);
        // libqb's own lines: its debug ones drown ours.
        qb_log_filter_ctl(target, QB_LOG_FILTER_ADD, QB_LOG_FILTER_FILE, "*", LOG_WARNING);
    }
}

}  // namespace

void log_open(const LogOptions& options) {
    std::lock_guard lock(g_mutex);
    if (g_level >= 0) return;
    qb_log_init(options.name.c_str(), LOG_DAEMON, uint8_t(options.level));
    set_filters();
    qb_log_format_set(QB_LOG_SYSLOG, "%b");
    qb_log_format_set(QB_LOG_STDERR, "%t %7p %b");
    qb_log_ctl(QB_LOG_SYSLOG, QB_LOG_CONF_ENABLED, QB_TRUE);
    if (options.foreground) qb_log_ctl(QB_LOG_STDERR, QB_LOG_CONF_ENABLED, QB_TRUE);
    // Last: between "threaded" and the thread's start libqb crashes on any other change to the target.
    qb_log_ctl(QB_LOG_SYSLOG, QB_LOG_CONF_THREADED, QB_TRUE);
    if (options.foreground) qb_log_ctl(QB_LOG_STDERR, QB_LOG_CONF_THREADED, QB_TRUE);
    qb_log_thread_start();
    g_level = options.level;
}

void log_close() {
    std::lock_guard lock(g_mutex);
    if (g_level < 0) return;
    g_level = -1;
    qb_log_fini();
}

void log_set_level(int level) {
    std::lock_guard lock(g_mutex);
    if (g_level < 0) return;
    g_level = level;
}

int log_level() { return g_level; }

int log_level_by_name(const std::string& name) {
    for (int i = 0; i < int(std::size(kNames)); ++i)
        if (name == kNames[i]) return i;
    return -1;
}

bool log_wanted(int level) { return level <= g_level.load(std::memory_order_relaxed); }

void log_line(int level, const char* file, const char* function, unsigned line, const char* format, ...) {
    char text[kMaxLine];
    va_list arguments;
    va_start(arguments, format);
    const int n = std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (n < 0) return;
    if (size_t(n) >= sizeof text) std::memcpy(text + sizeof text - 4, "...", 4);
    for (char* c = text; *c; ++c)
        if ((static_cast<unsigned char>(*c) < 0x20 && *c != '\t') || *c == 0x7f) *c = '?';
    std::lock_guard lock(g_mutex);
    if (g_level < 0) return;
    qb_log_from_external_source(function, file, "%s", uint8_t(level), line, 0, text);
}

}  // namespace assent
