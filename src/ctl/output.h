// What assentctl prints, as a function of what it learned. Text answers the question first; what went wrong goes to
// standard error, with what to do next. JSON goes to standard output.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ctl/options.h"
#include "ctl/session.h"

namespace assent::ctl {

struct Printed {
    Exit code = Exit::done;
    std::string out;
    std::string err;
};

// A command that failed. `is_write`: say that nothing was written.
Printed print_failure(Exit code, const std::string& reason, const Options& options, bool is_write = false);

// Of put, del, cas, write and outcome.
Printed print_write(const WriteResult& result, const Options& options);

// {"schema":1,"outcome":…}. Numbers that there are none of are null.
Json write_json(const WriteResult& result);

Printed print_get(const std::string& value, uint64_t index, const Options& options);

struct Scanned {
    uint64_t index = 0;
    std::vector<std::pair<std::string, std::string>> entries;
};
Printed print_scan(const Scanned& scanned, const Options& options);

// Of the daemon's own JSON.
Printed print_status(const std::string& json, const Options& options, bool colors);
Printed print_members(const std::string& json, const Options& options);
Printed print_master(const std::string& status_json, const Options& options);

}  // namespace assent::ctl
