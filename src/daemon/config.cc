#include "daemon/config.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <limits>
#include <numeric>
#include <optional>
#include <set>
#include <string_view>

#include "base/failure.h"

namespace assent {

namespace {

constexpr int kExitConfig = 78;
constexpr size_t kMaxGroups = 16;
constexpr size_t kMaxName = 32;
constexpr size_t kMaxProblems = 8;
constexpr size_t kShown = 64;  // of a key or value in a message
constexpr uint64_t kKiB = 1u << 10, kMiB = 1u << 20, kGiB = 1u << 30;

using Section = std::map<std::string, std::string>;

// Names that would clash with keys of the section or of runtime.assent.
const std::set<std::string, std::less<>> kReservedNames = {"pid", "version", "updated_ms"};

std::string quoted(std::string_view text) {
    std::string out = "\"" + std::string(text.substr(0, kShown));
    return out + (text.size() > kShown ? "...\"" : "\"");
}

std::optional<uint64_t> to_number(std::string_view text) {
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

// Bytes, or with a suffix k, M or G powers of 1024.
std::optional<uint64_t> to_bytes(std::string_view text) {
    uint64_t unit = 1;
    if (text.ends_with('k') || text.ends_with('K')) unit = kKiB;
    if (text.ends_with('M')) unit = kMiB;
    if (text.ends_with('G')) unit = kGiB;
    if (unit > 1) text.remove_suffix(1);
    const auto value = to_number(text);
    if (!value || *value > std::numeric_limits<uint64_t>::max() / unit) return std::nullopt;
    return *value * unit;
}

bool valid_name(std::string_view name) {
    const auto good = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'; };
    return !name.empty() && name.size() <= kMaxName && name[0] >= 'a' && name[0] <= 'z' &&
           std::all_of(name.begin(), name.end(), good);
}

std::vector<std::string> words(const std::string& text) {
    std::vector<std::string> out;
    size_t at = 0;
    while ((at = text.find_first_not_of(" \t", at)) != std::string::npos) {
        const size_t end = std::min(text.find_first_of(" \t", at), text.size());
        out.push_back(text.substr(at, end - at));
        at = end;
    }
    return out;
}

// How many letters to change, add or leave out to get from one to the other.
size_t distance(std::string_view a, std::string_view b) {
    std::vector<size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), size_t(0));
    for (size_t i = 1; i <= a.size(); ++i) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.size(); ++j) {
            const size_t above = row[j];
            row[j] = std::min({row[j - 1] + 1, above + 1, corner + (a[i - 1] == b[j - 1] ? 0 : 1)});
            corner = above;
        }
    }
    return row[b.size()];
}

// One key: how its value gets into the configuration. False: the value is none of those that `expected` describes.
template <typename Target> struct Key {
    std::string expected;
    std::function<bool(Target&, const std::string&)> take;
};
template <typename Target> using Keys = std::map<std::string, Key<Target>, std::less<>>;

template <typename Number> Key<DaemonConfig> number(Number DaemonConfig::*field, uint64_t low, uint64_t high) {
    return {"a number from " + std::to_string(low) + " to " + std::to_string(high),
            [=](DaemonConfig& c, const std::string& text) {
                const auto value = to_number(text);
                if (!value || *value < low || *value > high) return false;
                c.*field = Number(*value);
                return true;
            }};
}

Key<DaemonConfig> bytes(uint64_t DaemonConfig::*field, uint64_t low, uint64_t high) {
    return {"bytes (or with k, M, G) from " + std::to_string(low) + " to " + std::to_string(high),
            [=](DaemonConfig& c, const std::string& text) {
                const auto value = to_bytes(text);
                if (!value || *value < low || *value > high) return false;
                c.*field = *value;
                return true;
            }};
}

bool take_listen(DaemonConfig& c, const std::string& text) {
    unsigned char address[sizeof(in6_addr)];
    c.listen = text;
    return inet_pton(AF_INET, text.c_str(), address) == 1 || inet_pton(AF_INET6, text.c_str(), address) == 1;
}

bool take_ack_path(DaemonConfig& c, const std::string& text) {
    c.ack_path = text == "cpg" ? AckPath::cpg : AckPath::automatic;
    return text == "cpg" || text == "auto";
}

bool take_groups(DaemonConfig& c, const std::string& text) {
    const std::vector<std::string> names = words(text);
    std::set<std::string> seen;
    for (const std::string& name : names) {
        if (!valid_name(name) || kReservedNames.contains(name) || !seen.insert(name).second) return false;
        c.groups.emplace_back().name = name;
    }
    return !names.empty() && names.size() <= kMaxGroups;
}

const Keys<DaemonConfig>& keys() {
    static const Keys<DaemonConfig> all = {
        {"groups",
         {"1 to 16 different names of up to 32 letters a-z, digits, _ and -, a letter first, none of them a key of its "
          "own",
          take_groups}},
        {"port", number(&DaemonConfig::port, 1, 65535)},
        {"listen", {"an IP address of this host", take_listen}},
        {"client_port", number(&DaemonConfig::client_port, 0, 65535)},
        {"lease_ms", number(&DaemonConfig::lease_ms, 0, 60'000)},
        {"heartbeat_ms", number(&DaemonConfig::heartbeat_ms, 10, 10'000)},
        {"master_timeout_ms", number(&DaemonConfig::master_timeout_ms, 100, 120'000)},
        {"request_timeout_ms", number(&DaemonConfig::request_timeout_ms, 100, 600'000)},
        {"max_write_bytes", bytes(&DaemonConfig::max_write_bytes, kKiB, 2 * kMiB)},
        {"ledger_segment_bytes", bytes(&DaemonConfig::ledger_segment_bytes, kMiB, kGiB)},
        {"ledger_retain_bytes", bytes(&DaemonConfig::ledger_retain_bytes, kMiB, 1024 * kGiB)},
        {"ledger_quota_bytes", bytes(&DaemonConfig::ledger_quota_bytes, 16 * kMiB, 16384 * kGiB)},
        {"tls",
         {"\"off\": this build has no TLS yet, so the side channel must run on a trusted network",
          [](DaemonConfig&, const std::string& text) { return text == "off" || text == "no"; }}},
        {"ack_path", {"auto or cpg", take_ack_path}},
    };
    return all;
}

bool take_user(GroupConfig& g, const std::string& text) {
    g.user = text;
    return !text.empty() && text.size() <= kMaxName && text.find_first_of(" \t/:") == std::string::npos;
}

bool take_priority(GroupConfig& g, const std::string& text) {
    const auto value = to_number(text);
    g.priority = uint32_t(value.value_or(0));
    return value && *value <= 1000;
}

bool take_digest_every(GroupConfig& g, const std::string& text) {
    const auto value = to_number(text);
    g.digest_every = uint32_t(value.value_or(0));
    return value && *value <= 1'000'000'000;
}

const Keys<GroupConfig>& group_keys() {
    static const Keys<GroupConfig> all = {
        {"application",
         {"kv, or attached (a process of its own)",
          [](GroupConfig& g, const std::string& text) {
              g.application = text == "attached" ? ApplicationKind::attached : ApplicationKind::kv;
              return text == "kv" || text == "attached";
          }}},
        {"user", {"the name of a user", take_user}},
        {"priority", {"a number from 0 to 1000", take_priority}},
        {"digest_every", {"a number from 0 to 1000000000", take_digest_every}},
    };
    return all;
}

class Parser {
  public:
    explicit Parser(const Section& section) : section_(section) {}

    DaemonConfig parse() {
        // The names first: they say which subsections are groups.
        if (section_.contains("groups"))
            take("groups", keys(), "groups", section_.at("groups"), config_);
        else
            config_.groups.emplace_back().name = "kv";
        for (const GroupConfig& g : config_.groups)
            if (keys().contains(g.name))
                problem("assent.groups: " + quoted(g.name) + " is a key of its own: name it otherwise");
        for (const auto& [key, value] : section_) {
            if (key != "groups") take_key(key, value);
        }
        if (problems_.empty()) check_together();
        if (!problems_.empty()) fail();
        return std::move(config_);
    }

  private:
    void take_key(const std::string& key, const std::string& value) {
        const size_t dot = key.find('.');
        if (dot == std::string::npos) return take(key, keys(), key, value, config_);
        const std::string name = key.substr(0, dot);
        const auto group = std::find_if(config_.groups.begin(), config_.groups.end(),
                                        [&](const GroupConfig& g) { return g.name == name; });
        const std::string rest = key.substr(dot + 1);
        if (group != config_.groups.end()) return take(key, group_keys(), rest, value, *group);
        GroupConfig unused;
        // Corosync keeps a removed section until it restarts, so this may be no mistake.
        if (group_keys().contains(rest) && valid_name(name))
            unlisted(name);
        else
            take(key, group_keys(), rest, value, unused);
    }

    template <typename Target>
    void take(const std::string& path, const Keys<Target>& known, const std::string& key, const std::string& value,
              Target& target) {
        const auto it = known.find(key);
        if (it == known.end()) return unknown(path, known, key);
        if (it->second.take(target, value)) return;
        std::string text = "assent." + path + ": " + quoted(value) + " is not " + it->second.expected;
        if (value.find('#') != std::string::npos) text += " (a comment needs a line of its own)";
        problem(text);
    }

    template <typename Target>
    void unknown(const std::string& path, const Keys<Target>& known, const std::string& key) {
        std::string nearest;
        size_t best = 4;  // farther is no slip of the finger
        for (const auto& [name, rule] : known) {
            const size_t d = key.size() > 2 * kMaxName ? best : distance(key, name);
            if (d < best) {
                best = d;
                nearest = name;
            }
        }
        problem("there is no key " + quoted("assent." + path) +
                (nearest.empty() ? "" : "; did you mean " + nearest + "?"));
    }

    void unlisted(const std::string& name) {
        const std::string text = "assent." + name + " { } has no effect: " + name + " is not in assent.groups";
        std::vector<std::string>& all = config_.warnings;
        if (all.size() < kMaxProblems && std::find(all.begin(), all.end(), text) == all.end()) all.push_back(text);
    }

    void check_together() {
        const DaemonConfig& c = config_;
        const auto ms = [](int64_t v) { return " (" + std::to_string(v) + ")"; };
        if (c.client_port == c.port)
            problem("assent.client_port and assent.port are the same: give them different ports");
        if (c.master_timeout_ms <= c.lease_ms)
            problem("assent.master_timeout_ms" + ms(c.master_timeout_ms) + " must be above assent.lease_ms" +
                    ms(c.lease_ms));
        if (c.master_timeout_ms < 2 * c.heartbeat_ms)
            problem("assent.master_timeout_ms" + ms(c.master_timeout_ms) +
                    " must be at least twice assent.heartbeat_ms" + ms(c.heartbeat_ms));
        if (c.lease_ms != 0 && c.lease_ms < 2 * c.heartbeat_ms)
            problem("assent.lease_ms" + ms(c.lease_ms) + " must be 0 or at least twice assent.heartbeat_ms" +
                    ms(c.heartbeat_ms) + ", which renews it");
        if (c.ledger_segment_bytes < 2 * c.max_write_bytes)
            problem("assent.ledger_segment_bytes must be at least twice assent.max_write_bytes");
        if (c.ledger_quota_bytes < c.ledger_retain_bytes + 2 * c.ledger_segment_bytes)
            problem("assent.ledger_quota_bytes must be at least ledger_retain_bytes and two segments (" +
                    std::to_string(c.ledger_retain_bytes + 2 * c.ledger_segment_bytes) + ")");
    }

    void problem(std::string text) {
        if (problems_.size() < kMaxProblems) problems_.push_back(std::move(text));
    }

    [[noreturn]] void fail() const {
        std::string all;
        for (const std::string& p : problems_) all += (all.empty() ? "" : "; ") + p;
        throw Failure("bad configuration in corosync.conf: " + all, kExitConfig);
    }

    const Section& section_;
    DaemonConfig config_;
    std::vector<std::string> problems_;
};

}  // namespace

DaemonConfig parse_config(const Section& section) { return Parser(section).parse(); }

}  // namespace assent
