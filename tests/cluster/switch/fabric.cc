#include "fabric.h"

#include <algorithm>
#include <sstream>

namespace assent::fabric {
namespace {

constexpr size_t kEthernet = 14;
constexpr unsigned kCorosyncPort = 5405;
constexpr unsigned kSidePort = 5407;

unsigned byte(std::string_view frame, size_t at) { return static_cast<unsigned char>(frame[at]); }
unsigned word(std::string_view frame, size_t at) { return byte(frame, at) << 8 | byte(frame, at + 1); }

bool covers(const Rule& rule, int from, int to, Filter kind) {
    return (rule.from == 0 || rule.from == from) && (rule.to == 0 || rule.to == to) &&
           (rule.filter == Filter::all || rule.filter == kind);
}

int64_t microseconds(double ms) { return int64_t(ms * 1000); }

// False: no such word, or no such value.
bool set_word(Rule& rule, const std::string& name, const std::string& value) {
    if (name == "filter") {
        if (value != "all" && value != "corosync" && value != "side") return false;
        rule.filter = value == "all" ? Filter::all : value == "side" ? Filter::side : Filter::corosync;
        return true;
    }
    size_t used = 0;
    double number = -1;
    try {
        number = std::stod(value, &used);
    } catch (const std::exception&) {
        return false;
    }
    if (used != value.size() || number < 0 || number > 60'000) return false;
    const bool probability = number <= 1;
    if (name == "from") return rule.from = int(number), true;
    if (name == "to") return rule.to = int(number), true;
    if (name == "delay") return rule.delay_us = microseconds(number), true;
    if (name == "jitter") return rule.jitter_us = microseconds(number), true;
    if (name == "drop") return rule.drop = number, probability;
    if (name == "duplicate") return rule.duplicate = number, probability;
    if (name == "corrupt") return rule.corrupt = number, probability;
    return false;
}

}  // namespace

Filter kind_of(std::string_view frame) {
    if (frame.size() < kEthernet + 20 || word(frame, 12) != 0x0800) return Filter::all;
    const size_t ports = kEthernet + (byte(frame, kEthernet) & 15) * 4;
    const unsigned protocol = byte(frame, kEthernet + 9);
    const bool later_fragment = (word(frame, kEthernet + 6) & 0x1fff) != 0;
    // Only corosync sends datagrams that are fragmented; the ports are in the first fragment alone.
    if (later_fragment) return protocol == 17 ? Filter::corosync : Filter::all;
    if (frame.size() < ports + 4) return Filter::all;
    const auto is = [&](unsigned port) { return word(frame, ports) == port || word(frame, ports + 2) == port; };
    if (protocol == 17 && is(kCorosyncPort)) return Filter::corosync;
    if (protocol == 6 && is(kSidePort)) return Filter::side;
    return Filter::all;
}

void Fabric::arrive(int64_t now_us, int port, std::string_view frame) {
    ++counts_.in;
    if (frame.size() < kEthernet) return;
    const Filter kind = kind_of(frame);
    const bool group = (byte(frame, 0) & 1) != 0;
    const int to = int(byte(frame, 5));
    for (const auto& [other, _] : queued_)
        if (other != port && (group || other == to)) pass(now_us, port, other, kind, frame);
}

// All rules that cover a frame act on it, one after the other.
void Fabric::pass(int64_t now_us, int from, int to, Filter kind, std::string_view frame) {
    std::vector<int64_t> copies{now_us};
    std::string bytes(frame);
    for (const auto& [_, rule] : rules_) {
        if (!covers(rule, from, to, kind)) continue;
        if (happens(rule.drop)) {
            ++counts_.dropped;
            return;
        }
        if (happens(rule.corrupt)) {
            ++counts_.corrupted;
            bytes = damage(bytes);
        }
        if (happens(rule.duplicate)) {
            ++counts_.duplicated;
            copies.push_back(copies.back());
        }
        if (rule.delay_us == 0 && rule.jitter_us == 0) continue;
        ++counts_.delayed;
        for (int64_t& due : copies)
            due += rule.delay_us + std::uniform_int_distribution<int64_t>(0, rule.jitter_us)(random_);
    }
    for (const int64_t due : copies) enqueue(due, to, bytes);
}

void Fabric::enqueue(int64_t due_us, int to, std::string frame) {
    Queued& queued = queued_[to];
    if (queued.frames >= kMostFrames || queued.bytes + frame.size() > kMostBytes) {
        ++counts_.overflowed;
        return;
    }
    ++queued.frames;
    queued.bytes += frame.size();
    waiting_.push({due_us, ++order_, to, std::move(frame)});
}

bool Fabric::next(int64_t now_us, Delivery& delivery) {
    if (waiting_.empty() || waiting_.top().due_us > now_us) return false;
    delivery = {waiting_.top().port, waiting_.top().frame};
    waiting_.pop();
    Queued& queued = queued_[delivery.port];
    --queued.frames;
    queued.bytes -= delivery.frame.size();
    ++counts_.out;
    return true;
}

// A few bits behind the addresses. Checksums are left as they are: the receiver should notice.
std::string Fabric::damage(std::string_view frame) {
    std::string bytes(frame);
    std::uniform_int_distribution<size_t> place(kEthernet - 2, bytes.size() - 1);
    for (int bits = std::uniform_int_distribution<int>(1, 8)(random_); bits > 0; --bits)
        bytes[place(random_)] ^= char(1 << std::uniform_int_distribution<int>(0, 7)(random_));
    return bytes;
}

bool Fabric::happens(double probability) {
    return probability > 0 && std::uniform_real_distribution<double>(0, 1)(random_) < probability;
}

std::string Fabric::command(const std::string& line) {
    std::istringstream words(line);
    std::string verb, name;
    words >> verb;
    if (verb == "rule") return set_rule(words);
    if (verb == "clear") {
        if (!(words >> name))
            rules_.clear();
        else if (rules_.erase(name) == 0)
            return "error no rule " + name;
        return "ok";
    }
    if (verb == "stats") {
        std::ostringstream out;
        out << "ok in=" << counts_.in << " out=" << counts_.out << " dropped=" << counts_.dropped
            << " duplicated=" << counts_.duplicated << " corrupted=" << counts_.corrupted
            << " delayed=" << counts_.delayed << " overflowed=" << counts_.overflowed;
        return out.str();
    }
    return "error no command '" + verb + "'";
}

std::string Fabric::set_rule(std::istream& words) {
    std::string name, setting;
    if (!(words >> name)) return "error a rule needs a name";
    Rule rule;
    while (words >> setting) {
        const size_t equals = setting.find('=');
        if (equals == std::string::npos || !set_word(rule, setting.substr(0, equals), setting.substr(equals + 1)))
            return "error '" + setting + "' is no setting of a rule";
    }
    rules_[name] = rule;
    return "ok";
}

}  // namespace assent::fabric
