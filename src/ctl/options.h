// The command line of assentctl as a plain structure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace assent::ctl {

enum class Verb {
    status,
    put,
    get,
    del,
    scan,
    cas,
    write,
    read,
    outcome,
    master,
    move_master,
    members,
    watch,
    snapshot_save,
    snapshot_restore,
    snapshot_inspect
};
enum class Form { text, json };
enum class Color { automatic, always, never };

struct Options {
    std::string socket = "/run/assent/assentd.sock";  // or HOST:PORT
    std::string group = "kv";
    Form form = Form::text;
    double seconds = 5;  // for the whole command
    bool seconds_given = false;
    Color color = Color::automatic;

    Verb verb = Verb::status;
    std::string key;        // prefix of a scan or watch
    std::string value;      // of put; the new one of cas
    std::string old_value;  // of cas
    bool create = false;    // cas: the key must not exist yet
    bool remove = false;    // cas: delete the key
    bool raw = false;
    bool keys_only = false;
    uint64_t limit = 0;  // of scan and watch; 0: everything
    uint64_t from = 0;   // of watch; 0: from now on
    bool local = false;  // --level local
    std::string file;    // of a snapshot
    std::string client;  // of outcome, as text
    uint64_t sequence = 0;
    uint32_t node = 0;  // to move the master to; 0: whoever is best
};

// What parsing came to: go on, or print `text` (to standard output if `exit_code` is 0) and end.
struct Parsed {
    bool go_on = false;
    int exit_code = 0;
    std::string text;
    Options options;
};

// `arguments` without the program's name.
Parsed parse_options(std::vector<std::string> arguments);

}  // namespace assent::ctl
