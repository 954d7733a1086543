#include "ctl/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <map>

#include "ctl/exit_code.h"
#include "version.h"

namespace assent::ctl {
namespace {

constexpr double kMaxSeconds = 86400;

constexpr const char* kFooter = R"(
KEY, VALUE and PREFIX are bytes; "-" as a value reads it from standard input; "--" ends the options.

Exit codes:
    0  done: confirmed, found                 105  no such key
    1  another error                          106  no quorum, or no majority of applications
   64  usage                                  107  needs --force
   65  bad data, or too large                 108  exists, or compare failed
   69  assentd is not reachable               109  cancelled: it will never take effect
   75  busy, try again                        112  outcome unknown: it may still take effect
   77  not permitted                          114  no master
   78  bad configuration                      124  timed out before it was sent

Examples:
  assentctl status
  assentctl put color green
  assentctl get color
  assentctl -o json scan app/ | jq .
  assentctl -t 2 put big - < file)";

// Validators with sentences for people, and nothing in the help (the type names say it there).
CLI::Validator quiet(std::function<std::string(std::string&)> check) { return CLI::Validator(std::move(check), ""); }

CLI::Validator one_of(std::vector<std::string> words) {
    return quiet([words](std::string& word) {
        if (std::find(words.begin(), words.end(), word) != words.end()) return std::string();
        std::string text = "\"" + word + "\" is none of:";
        for (const std::string& w : words) text += " " + w;
        return text;
    });
}

CLI::Validator positive() {
    return quiet([](std::string& word) {
        bool digits = !word.empty() && word.find_first_not_of("0123456789") == std::string::npos;
        bool zero = word.find_first_not_of('0') == std::string::npos;
        return digits && !zero ? std::string() : "\"" + word + "\" is not a number from 1 on";
    });
}

CLI::Validator seconds() {
    return quiet([](std::string& word) {
        double value = 0;
        bool good = CLI::detail::lexical_cast(word, value) && value >= 0.001 && value <= kMaxSeconds;
        return good ? std::string() : "\"" + word + "\" is not a number of seconds between 0.001 and 86400";
    });
}

struct Tree {
    CLI::App app{"Writes, reads and looks at a cluster of assentd."};
    Options options;
    std::string form = "text";
    std::string color = "auto";
    std::string level = "master";
    std::string cas_first;
    CLI::Option* cas_second = nullptr;
    CLI::Option* seconds_option = nullptr;
    std::map<CLI::App*, Verb> verbs;

    CLI::App* verb(Verb which, const char* name, const char* help) {
        CLI::App* sub = app.add_subcommand(name, help)->fallthrough();
        verbs[sub] = which;
        return sub;
    }
    void add_level(CLI::App* sub) {
        sub->add_option("--level", level, "master: the newest state; local: what this node has applied, however old")
            ->check(one_of({"master", "local"}))
            ->capture_default_str()
            ->type_name("master|local");
    }

    Tree();
    void add_global();
    void add_kv();
    void add_cluster();
    void finish();
};

Tree::Tree() {
    app.name("assentctl");
    app.footer("\nOptions that every verb has, exit codes and examples: assentctl --help");
    app.require_subcommand(1);
    app.set_version_flag("--version", std::string("assentctl " ASSENT_VERSION), "print the version");
    app.get_formatter()->column_width(34);
    app.get_formatter()->label("SUBCOMMAND", "VERB");
    app.get_formatter()->label("Subcommands", "Verbs");
    add_global();
    add_cluster();
    add_kv();
    app.footer(kFooter);  // last: verbs would inherit it
}

void Tree::add_global() {
    app.add_option("-s,--socket", options.socket, "the daemon's unix socket, or HOST:PORT")
        ->capture_default_str()
        ->type_name("SOCKET");
    app.add_option("-g,--group", options.group, "the replicated application")
        ->capture_default_str()
        ->type_name("GROUP");
    app.add_option("-o,--output", form, "form of the output")
        ->check(one_of({"text", "json"}))
        ->capture_default_str()
        ->type_name("text|json");
    seconds_option =
        app.add_option("-t,--timeout", options.seconds, "time limit for the whole command, in seconds; fractions too");
    seconds_option->check(seconds())->default_str("5")->type_name("SECONDS");
    app.add_option("--color", color, "colors in text")
        ->check(one_of({"auto", "always", "never"}))
        ->capture_default_str()
        ->type_name("auto|always|never");
}

void Tree::add_cluster() {
    verb(Verb::status, "status", "can this node write and read, and why not; master, voters, indexes");

    CLI::App* master = verb(Verb::master, "master", "who is the master; move it");
    CLI::App* move =
        master->add_subcommand("move", "hand mastership over to NODE, or to whoever is best")->fallthrough();
    verbs[move] = Verb::move_master;
    move->add_option("NODE", options.node, "node id")->check(positive())->type_name("");

    verb(Verb::members, "members", "voters and observers");

    CLI::App* outcome = verb(Verb::outcome, "outcome", "what became of a write");
    outcome->add_option("CLIENT", options.client, "as printed with exit code 112")->required()->type_name("");
    outcome->add_option("SEQUENCE", options.sequence, "as printed with exit code 112")
        ->required()
        ->check(positive())
        ->type_name("");

    CLI::App* snapshot =
        app.add_subcommand("snapshot", "the state of an attached application, in a file")->fallthrough();
    snapshot->require_subcommand(1);
    const auto of_snapshot = [&](Verb which, const char* name, const char* help) {
        CLI::App* sub = snapshot->add_subcommand(name, help)->fallthrough();
        verbs[sub] = which;
        sub->add_option("FILE", options.file)->required()->type_name("");
    };
    of_snapshot(Verb::snapshot_save, "save", "save the state of this node's application into FILE");
    of_snapshot(Verb::snapshot_restore, "restore", "replace the state of this node's application by FILE's");
    of_snapshot(Verb::snapshot_inspect, "inspect", "what is in FILE, and is it whole");

    verb(Verb::write, "write",
         "write standard input, as it is, to any application; its result goes to standard output");
    add_level(verb(Verb::read, "read", "send standard input, as it is, as a query to any application"));
}

void Tree::add_kv() {
    CLI::App* put = verb(Verb::put, "put", "set a key");
    put->add_option("KEY", options.key)->required()->type_name("");
    put->add_option("VALUE", options.value, "\"-\": standard input")->required()->type_name("");

    CLI::App* get = verb(Verb::get, "get", "print a key's value and a newline");
    get->add_option("KEY", options.key)->required()->type_name("");
    get->add_flag("--raw", options.raw, "the bytes alone, without a newline");
    add_level(get);

    CLI::App* del = verb(Verb::del, "del", "delete a key; done also if there is no such key");
    del->add_option("KEY", options.key)->required()->type_name("");

    CLI::App* scan = verb(Verb::scan, "scan", "print the keys that begin with PREFIX, each with a tab and its value");
    scan->add_option("PREFIX", options.key)->type_name("");
    scan->add_option("--limit", options.limit, "at most so many")->type_name("N");
    scan->add_flag("--keys-only", options.keys_only, "without the values");
    add_level(scan);

    CLI::App* watch =
        verb(Verb::watch, "watch", "print confirmed writes to keys that begin with PREFIX, as they come; -t ends it");
    watch->add_option("PREFIX", options.key)->type_name("");
    watch->add_option("--from", options.from, "from this index on; without it, from now on")
        ->check(positive())
        ->type_name("INDEX");
    watch->add_option("--limit", options.limit, "end after so many")->check(positive())->type_name("N");
    watch->add_flag("--raw", options.raw, "any application: each write as it is, not as one of the kv application");

    CLI::App* cas = verb(Verb::cas, "cas", "set a key to NEW if it is OLD now");
    cas->add_option("KEY", options.key)->required()->type_name("");
    cas->add_option("OLD", cas_first, "with --create this is NEW; \"-\": standard input")->required()->type_name("");
    cas_second = cas->add_option("NEW", options.value, "not with --create or --delete")->type_name("");
    auto* create = cas->add_flag("--create", options.create, "only if there is no such key");
    cas->add_flag("--delete", options.remove, "delete the key if it is OLD")->excludes(create);
}

void Tree::finish() {
    for (const auto& [sub, which] : verbs) {
        if (sub->parsed() && sub->get_subcommands().empty()) options.verb = which;
    }
    options.seconds_given = seconds_option->count() > 0;
    options.local = level == "local";
    options.form = form == "json" ? Form::json : Form::text;
    options.color = color == "always" ? Color::always : color == "never" ? Color::never : Color::automatic;
    if (options.verb != Verb::cas) return;
    bool both = cas_second->count() > 0;
    if (both == (options.create || options.remove)) {
        throw CLI::ValidationError("cas", both ? "needs KEY and one value" : "needs KEY OLD NEW");
    }
    (options.create ? options.value : options.old_value) = cas_first;
    if (both && options.old_value == "-" && options.value == "-") {
        throw CLI::ValidationError("cas", "only one of OLD and NEW can come from standard input");
    }
}

// What was wrong, and where the right way is to be read.
std::string complaint(const CLI::App& app, const CLI::ParseError& error) {
    auto verbs = app.get_subcommands();
    if (!verbs.empty()) {
        return std::string(error.what()) + "\n  How it is used: assentctl " + verbs.front()->get_name() + " --help";
    }
    std::string what = error.what();
    if (error.get_name() == "RequiredError") {
        auto words = app.remaining();
        what = words.empty() ? "no verb given" : "there is no verb \"" + words.front() + "\"";
    }
    return what + "\n  All verbs and options: assentctl --help";
}

}  // namespace

Parsed parse_options(std::vector<std::string> arguments) {
    Tree tree;
    Parsed parsed;
    std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
    try {
        tree.app.parse(arguments);
        tree.finish();
        parsed.go_on = true;
        parsed.options = std::move(tree.options);
    } catch (const CLI::CallForHelp&) {
        CLI::App* asked = &tree.app;
        std::string path;
        while (!asked->get_subcommands().empty()) {
            path += (path.empty() ? "" : " ") + asked->get_name();
            asked = asked->get_subcommands().front();
        }
        parsed.text = asked->help(path);
    } catch (const CLI::CallForVersion& version) {
        parsed.text = std::string(version.what()) + "\n";
    } catch (const CLI::ParseError& error) {
        parsed.exit_code = static_cast<int>(Exit::usage);
        parsed.text = "assentctl: " + complaint(tree.app, error) + "\n";
    }
    return parsed;
}

}  // namespace assent::ctl
