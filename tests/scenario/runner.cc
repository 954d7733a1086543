// scenario_test [DIR|FILE…] [--rewrite]
// Plays scenarios (those of $ASSENT_SOURCE/tests/scenario if none are named): each line that is no comment and does not begin with "  " is a command; the lines below it,
// two spaces in, are what the cluster says and answers to it. Anything else said is a failure; --rewrite puts down
// what was said, for reading in review. Delays are fixed, so times never show.
//
// Commands:
//   nodes N [KEY=VALUE…]        a cluster; keys: lease_ms heartbeat_ms timeout_ms votes=1,1,0 attached=1 quiet=1
//   boot [NODE…]                power, corosync and daemon (no node: all)
//   ready                       boot all, and a second later all have a master; what was said is left out
//   kill NODE | poweroff NODE   the daemon ends | the host does
//   corosync stop|start NODE
//   hang NODE | go NODE         the daemon stands still | goes on
//   app hang|go NODE            its application
//   app reject|take NODE        it rejects whatever it is asked | takes it again
//   app restart NODE            it alone, from its durable state
//   split N… / N… | heal        networks that do not reach each other
//   view N… ring REP.SEQ        this view at once, whoever else there is
//   quorum NODE yes|no
//   drop cpg A B | restore cpg A B   CPG messages from A to B vanish (0: anybody)
//   repeat on|off               every CPG message comes twice
//   cut A B | mend A B          the side channel between them
//   disk NODE FACTOR            its syncs take that many times as long
//   submit NODE CLIENT SEQUENCE KEY=VALUE | ask NODE CLIENT SEQUENCE | read NODE KEY
//   move NODE [TARGET]
//   run MILLISECONDS            virtual time goes on
//   show [NODE…]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "../sim/world.h"
#include "app/kv/kv_requests.h"

namespace assent::sim {
namespace {

constexpr const char* kAnswers[] = {"confirmed", "cancelled",  "unknown", "not_master",
                                    "busy",      "read_ready", "done",    "refused"};
constexpr const char* kRoles[] = {"follower", "candidate", "master"};

// Everything takes its fixed time, so one scenario always says the same.
Setup fixed_setup(uint32_t nodes) {
    Setup s;
    s.nodes = nodes;
    s.clock_ppm = 0;
    s.cpg = {{1'000, 1'000}, {1'000, 1'000}, {1'000, 1'000}, {2'000, 2'000}, {100'000, 100'000}, {50'000, 50'000}};
    s.side = {{1'000, 1'000}, {2'000, 2'000}, {100'000, 100'000}, {500, 500}};
    s.disk = {2'000, 2'000};
    s.app = {1'000, 1'000};
    s.process = {10, 10};
    s.read = {100, 100};
    return s;
}

NodeId node_of(const std::string& word) {
    char* end = nullptr;
    unsigned long n = std::strtoul(word.c_str(), &end, 10);
    if (word.empty() || *end || n > 7) throw std::runtime_error("no node number: " + word);
    return NodeId(uint32_t(n));
}

class Scenario {
  public:
    // What the cluster says to one command.
    std::vector<std::string> command(const std::string& line) {
        said_.clear();
        std::istringstream in(line);
        std::vector<std::string> words;
        for (std::string w; in >> w;) words.push_back(w);
        std::string verb = words.front();
        words.erase(words.begin());
        if (verb != "nodes" && !world_) throw std::runtime_error("the first command has to be nodes");
        if (!(verb == "nodes" ? nodes(words) : faults(verb, words) || network(verb, words) || clients(verb, words))) {
            throw std::runtime_error("no such command: " + line);
        }
        if (world_->failed()) said_.push_back("BROKEN " + world_->what());
        return said_;
    }

  private:
    std::string word(const std::vector<std::string>& words, size_t i) const {
        if (i >= words.size()) throw std::runtime_error("a word is missing");
        return words[i];
    }

    bool nodes(const std::vector<std::string>& words) {
        Setup s = fixed_setup(uint32_t(node_of(word(words, 0)).value));
        for (size_t i = 1; i < words.size(); ++i) {
            size_t equals = words[i].find('=');
            std::string key = words[i].substr(0, equals);
            std::string value = equals == std::string::npos ? "" : words[i].substr(equals + 1);
            if (key == "lease_ms")
                s.options.lease_us = std::stol(value) * 1000;
            else if (key == "heartbeat_ms")
                s.options.heartbeat_us = std::stol(value) * 1000;
            else if (key == "timeout_ms")
                s.options.master_timeout_us = std::stol(value) * 1000;
            else if (key == "attached")
                s.options.accept_at_once = false;
            else if (key == "quiet")
                quiet_ = true;
            else if (key == "votes") {
                std::istringstream list(value);
                for (std::string vote; std::getline(list, vote, ',');) s.votes.push_back(uint32_t(std::stoul(vote)));
                s.votes.resize(s.nodes, 1);
            } else
                throw std::runtime_error("no such key: " + key);
        }
        world_ = std::make_unique<World>(s);
        world_->decided = [this](const std::string& line) {
            if (!quiet_) said_.push_back(line);
        };
        world_->answered = [this](Node& node, const Answer& answer) { answered(node, answer); };
        return true;
    }

    bool faults(const std::string& verb, const std::vector<std::string>& words) {
        if (verb == "boot") {
            for (NodeId n : some_or_all(words)) world_->boot(n);
        } else if (verb == "ready") {
            for (NodeId n : some_or_all({})) world_->boot(n);
            world_->run(world_->schedule().now() + 1'000'000);
            said_.clear();
        } else if (verb == "kill") {
            world_->node(node_of(word(words, 0))).stop();
        } else if (verb == "poweroff") {
            world_->power_off(node_of(word(words, 0)));
        } else if (verb == "corosync") {
            NodeId n = node_of(word(words, 1));
            word(words, 0) == "stop" ? world_->crash_corosync(n) : world_->start_corosync(n);
        } else if (verb == "hang") {
            world_->node(node_of(word(words, 0))).pause(int64_t(1) << 50);
        } else if (verb == "go") {
            world_->node(node_of(word(words, 0))).resume();
        } else if (verb == "app") {
            application(word(words, 0), world_->node(node_of(word(words, 1))));
        } else if (verb == "disk") {
            world_->node(node_of(word(words, 0))).disk().slow_down(std::stoul(word(words, 1)));
        } else if (verb == "run") {
            world_->run(world_->schedule().now() + std::stol(word(words, 0)) * 1000);
        } else {
            return false;
        }
        return true;
    }

    void application(const std::string& what, Node& node) {
        if (what == "reject" || what == "take") {
            node.app().stubborn(what == "reject");
        } else if (what == "restart") {
            node.restart_application();
        } else {
            node.app().hang(what == "hang");
            node.give(event::Application{what != "hang"});
        }
    }

    bool network(const std::string& verb, const std::vector<std::string>& words) {
        if (verb == "split") {
            std::vector<uint32_t> component(world_->size() + 1, 99);
            uint32_t part = 0;
            for (const std::string& w : words) {
                if (w == "/")
                    ++part;
                else
                    component.at(node_of(w).value) = part;
            }
            world_->split(component);
        } else if (verb == "heal") {
            world_->heal();
        } else if (verb == "view") {
            auto ring = std::find(words.begin(), words.end(), "ring");
            std::vector<NodeId> members;
            for (auto w = words.begin(); w != ring; ++w) members.push_back(node_of(*w));
            std::string id = ring == words.end() ? "" : *(ring + 1);
            world_->cpg().form(members,
                               RingId{node_of(id.substr(0, id.find('.'))), std::stoul(id.substr(id.find('.') + 1))});
        } else if (verb == "quorum") {
            world_->cpg().tell_quorum(node_of(word(words, 0)), word(words, 1) == "yes");
        } else if (verb == "drop" || verb == "restore") {
            world_->cpg().drop(node_of(word(words, 1)), node_of(word(words, 2)), verb == "drop");
        } else if (verb == "repeat") {
            world_->cpg().set_noise(0, word(words, 0) == "on" ? 1000 : 0);
        } else if (verb == "cut" || verb == "mend") {
            NodeId a = node_of(word(words, 0));
            NodeId b = node_of(word(words, 1));
            world_->side().set_reach(a, b, verb == "mend");
            world_->side().set_reach(b, a, verb == "mend");
        } else {
            return false;
        }
        return true;
    }

    bool clients(const std::string& verb, const std::vector<std::string>& words) {
        if (verb == "show") {
            for (NodeId n : some_or_all(words)) show(n);
            return true;
        }
        bool known = verb == "submit" || verb == "ask" || verb == "read" || verb == "move";
        if (!known) return false;
        Node& node = world_->node(node_of(word(words, 0)));
        if (!node.running()) {
            said_.push_back("node " + words[0] + " is off");
            return true;
        }
        Token token(++tokens_);
        std::string line;
        for (const std::string& w : words) line += " " + w;
        asked_[token.value] = verb + line;
        ClientId client{Index(), verb == "submit" || verb == "ask" ? std::stoul(word(words, 1)) : 0};
        if (verb == "submit") {
            const std::string put = word(words, 3);  // KEY=VALUE
            const size_t equals = std::min(put.find('='), put.size() - 1);
            std::string data = kv::encode_put(put.substr(0, equals), put.substr(equals + 1));
            node.give(event::Submit{token, client, std::stoul(word(words, 2)), 1, std::move(data)});
        } else if (verb == "ask") {
            node.give(event::AskOutcome{token, client, std::stoul(word(words, 2))});
        } else if (verb == "read") {
            keys_[token.value] = word(words, 1);
            node.give(event::Read{token});
        } else {
            node.give(event::MoveMaster{token, words.size() > 1 ? node_of(words[1]) : NodeId()});
        }
        return true;
    }

    void answered(Node& node, const Answer& answer) {
        std::string line = asked_[answer.token.value] + " -> " + kAnswers[int(answer.kind)];
        if (answer.index) line += " at " + std::to_string(answer.index.value);
        if (answer.epoch) line += " in epoch " + std::to_string(answer.epoch.value);
        if (answer.kind == AnswerKind::read_ready) {
            AppValue value = node.app().get(keys_[answer.token.value]);
            line += value.found ? ": " + keys_[answer.token.value] + "=" + value.value : ": nothing";
        }
        said_.push_back(line);
    }

    void show(NodeId n) {
        std::string line = "node " + std::to_string(n.value) + ": ";
        if (!world_->node(n).running()) {
            said_.push_back(line + "off");
            return;
        }
        ReplicaView v = world_->node(n).view();
        auto num = [](auto i) { return std::to_string(i.value); };
        line += std::string(kRoles[int(v.role)]) + ", ballot " + num(v.state.ballot) + ", master " + num(v.master) +
                ", last " + text(v.last) + ", durable " + num(v.durable) + ", accepted " + num(v.mark) + ", stored " +
                num(v.stored) + ", confirmed " + num(v.confirmed) + ", applied " + num(v.applied) + ", view of " +
                std::to_string(v.members.size()) + (v.quorate ? ", quorate" : ", not quorate");
        said_.push_back(line + (v.reason.empty() ? "" : ": " + v.reason));
    }

    std::vector<NodeId> some_or_all(const std::vector<std::string>& words) const {
        std::vector<NodeId> list;
        for (const std::string& w : words) list.push_back(node_of(w));
        for (uint32_t n = 1; words.empty() && n <= world_->size(); ++n) list.push_back(NodeId(n));
        return list;
    }

    std::unique_ptr<World> world_;
    std::vector<std::string> said_;
    bool quiet_ = false;
    uint64_t tokens_ = 0;
    std::map<uint64_t, std::string> asked_;
    std::map<uint64_t, std::string> keys_;
};

// The file as it should be, from the file as it is.
std::string play(std::istream& in) {
    Scenario scenario;
    std::string out;
    for (std::string line; std::getline(in, line);) {
        if (line.rfind("  ", 0) == 0) continue;
        out += line + "\n";
        if (line.empty() || line[0] == '#') continue;
        for (const std::string& said : scenario.command(line)) out += "  " + said + "\n";
    }
    return out;
}

void show_difference(const std::string& path, const std::string& want, const std::string& got) {
    std::istringstream a(want);
    std::istringstream b(got);
    std::string left;
    std::string right;
    for (int number = 1;; ++number) {
        bool more_a = bool(std::getline(a, left));
        bool more_b = bool(std::getline(b, right));
        if (more_a && more_b && left == right) continue;
        std::printf("%s:%d:\n    written: %s\n    happens: %s\n", path.c_str(), number, more_a ? left.c_str() : "(end)",
                    more_b ? right.c_str() : "(end)");
        return;
    }
}

bool check(const std::filesystem::path& path, bool rewrite) {
    std::ifstream in(path);
    std::stringstream all;
    all << in.rdbuf();
    std::string want = all.str();
    std::string got;
    try {
        std::istringstream lines(want);
        got = play(lines);
    } catch (const std::exception& e) {
        std::printf("%s: %s\n", path.c_str(), e.what());
        return false;
    }
    bool broken = got.find("\n  BROKEN ") != std::string::npos;
    if (broken) std::printf("%s: something that must never be: look for BROKEN\n", path.c_str());
    if (got == want) return !broken;
    if (rewrite) {
        std::ofstream(path) << got;
        std::printf("%s: rewritten\n", path.c_str());
        return !broken;
    }
    show_difference(path.string(), want, got);
    return false;
}

void add_folder(std::vector<std::filesystem::path>& files, const std::filesystem::path& folder) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.path().extension() == ".txt") files.push_back(entry.path());
    }
}

}  // namespace
}  // namespace assent::sim

int main(int argc, char** argv) {
    using assent::sim::add_folder;
    bool rewrite = false;
    std::vector<std::filesystem::path> files;
    for (int i = 1; i < argc; ++i) {
        std::filesystem::path path = argv[i];
        if (path == "--rewrite") {
            rewrite = true;
        } else if (std::filesystem::is_directory(path)) {
            add_folder(files, path);
        } else {
            files.push_back(path);
        }
    }
    const char* source = std::getenv("ASSENT_SOURCE");
    if (files.empty() && source) add_folder(files, std::string(source) + "/tests/scenario");
    if (files.empty()) {
        std::fprintf(stderr,
                     "usage: scenario_test [DIR|FILE...] [--rewrite], with ASSENT_SOURCE set if none is named\n");
        return 64;
    }
    std::sort(files.begin(), files.end());
    int failed = 0;
    for (const auto& path : files) failed += assent::sim::check(path, rewrite) ? 0 : 1;
    std::printf("%zu scenarios, %d failed\n", files.size(), failed);
    return failed ? 1 : 0;
}
