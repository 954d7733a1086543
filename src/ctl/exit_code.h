// Exit codes of assentctl: the numbers of Code in proto/client.proto, which are Pacemaker's where it has one.
#pragma once

namespace assent::ctl {

enum class Exit : int {
    done = 0,
    error = 1,
    usage = 64,
    bad_data = 65,
    unreachable = 69,
    busy = 75,
    not_permitted = 77,
    bad_configuration = 78,
    no_such_key = 105,
    no_majority = 106,
    needs_force = 107,
    compare_failed = 108,
    cancelled = 109,
    unknown = 112,
    no_master = 114,
    timed_out = 124,
};

// A number off the wire; one that is not in the list is an `error`.
constexpr Exit exit_of(int number) {
    switch (static_cast<Exit>(number)) {
        case Exit::done:
        case Exit::error:
        case Exit::usage:
        case Exit::bad_data:
        case Exit::unreachable:
        case Exit::busy:
        case Exit::not_permitted:
        case Exit::bad_configuration:
        case Exit::no_such_key:
        case Exit::no_majority:
        case Exit::needs_force:
        case Exit::compare_failed:
        case Exit::cancelled:
        case Exit::unknown:
        case Exit::no_master:
        case Exit::timed_out: return static_cast<Exit>(number);
    }
    return Exit::error;
}

// A few words: "no master".
constexpr const char* words(Exit code) {
    switch (code) {
        case Exit::done: return "done";
        case Exit::error: return "failed";
        case Exit::usage: return "wrong usage";
        case Exit::bad_data: return "bad data";
        case Exit::unreachable: return "assentd is not reachable";
        case Exit::busy: return "busy";
        case Exit::not_permitted: return "not permitted";
        case Exit::bad_configuration: return "bad configuration";
        case Exit::no_such_key: return "no such key";
        case Exit::no_majority: return "no majority";
        case Exit::needs_force: return "needs --force";
        case Exit::compare_failed: return "compare failed";
        case Exit::cancelled: return "cancelled";
        case Exit::unknown: return "outcome unknown";
        case Exit::no_master: return "no master";
        case Exit::timed_out: return "timed out";
    }
    return "failed";
}

}  // namespace assent::ctl
