// The command line of assent-bench as a plain structure.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace assent::bench {

enum class Operation { put, get, mix };

struct Options {
    Operation operation = Operation::put;
    std::vector<std::string> daemons;  // unix sockets or HOST:PORT; connections are spread over them in turn
    std::string group = "kv";
    uint32_t outstanding = 64;  // at any time, over all connections
    uint32_t connections = 0;   // 0: one for each outstanding request, at most 8
    double seconds = 5;
    double warm_up = 1;
    uint32_t value_size = 256;
    uint32_t keys = 100'000;
    double ratio = 0.5;  // of puts in a mix
    bool local = false;  // gets from the node's own applied state
    bool load = true;    // write every key before gets
    bool json = false;
    uint64_t seed = 1;
    std::vector<pid_t> pids;
};

struct Parsed {
    bool go_on = false;
    int exit_code = 0;
    std::string text;
    Options options;
};

// `arguments` without the program's name.
Parsed parse_options(std::vector<std::string> arguments);

}  // namespace assent::bench
