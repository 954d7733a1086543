// The syntax of corosync.conf, as corosync's own coroparse.c has it: "name {" opens a section, "}" closes it, "key:
// value" is the rest; comments take a whole line.
#include <algorithm>
#include <cctype>
#include <string_view>

#include "base/failure.h"
#include "daemon/config.h"

namespace assent {

namespace {

constexpr int kExitConfig = 78;
constexpr size_t kMaxFile = 4u << 20;
constexpr size_t kMaxLine = 510;  // corosync's buffer
constexpr size_t kMaxPath = 255;  // of a key, sections included
constexpr size_t kMaxDepth = 64;
constexpr std::string_view kSection = "assent.";

[[noreturn]] void fail(size_t line, const std::string& what) {
    throw Failure("corosync.conf, line " + std::to_string(line) + ": " + what, kExitConfig);
}

std::string_view trimmed(std::string_view text) {
    const size_t first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

// What cmap takes in the name of a key.
bool key_letter(unsigned char c) {
    return c < 0x80 && (std::isalnum(c) || std::string_view("._-/:").find(char(c)) != std::string_view::npos);
}

class ConfFile {
  public:
    std::map<std::string, std::string> parse(std::string_view text) {
        while (!text.empty()) {
            const size_t end = text.find('\n');
            ++line_;
            take(text.substr(0, end));
            text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        }
        if (!open_.empty()) fail(line_, "the section \"" + path_ + "\" is not closed: add a \"}\"");
        return std::move(section_);
    }

  private:
    void take(std::string_view raw) {
        if (raw.size() > kMaxLine) fail(line_, "longer than 510 characters");
        const std::string_view line = trimmed(raw);
        if (line.empty() || line[0] == '#') return;
        // In this order, as corosync does: a "{" anywhere opens a section, whatever else is in the line.
        if (const size_t brace = line.find('{'); brace != std::string_view::npos) return open(line, brace);
        if (const size_t colon = line.find(':'); colon != std::string_view::npos) return set(line, colon);
        if (line.find('}') == std::string_view::npos) fail(line_, "neither \"key: value\" nor a section");
        if (line != "}") fail(line_, "nothing else may stand beside \"}\"");
        close();
    }

    void open(std::string_view line, size_t brace) {
        std::string_view name = trimmed(line.substr(0, brace));
        if (name.ends_with(':')) name = trimmed(name.substr(0, name.size() - 1));  // "name: {" is as good
        if (name.empty()) fail(line_, "a section without a name");
        if (brace + 1 != line.size()) fail(line_, "nothing may follow \"{\" in its line");
        if (open_.size() >= kMaxDepth) fail(line_, "too many sections in each other");
        open_.push_back(path_.size());
        path_ += path_.empty() ? std::string(name) : "." + std::string(name);
        if (path_.size() > kMaxPath) fail(line_, "the names of the sections are too long");
    }

    void close() {
        if (open_.empty()) fail(line_, "\"}\" without a section");
        path_.resize(open_.back());
        open_.pop_back();
    }

    void set(std::string_view line, size_t colon) {
        std::string key(trimmed(line.substr(0, colon)));
        if (key.empty()) fail(line_, "a value without a key");
        if (!path_.empty()) key = path_ + "." + key;
        if (key.size() > kMaxPath) fail(line_, "the key is too long");
        if (!std::all_of(key.begin(), key.end(), key_letter)) fail(line_, "a key has letters, digits and ._-/: only");
        if (key.starts_with(kSection)) section_[key.substr(kSection.size())] = trimmed(line.substr(colon + 1));
    }

    size_t line_ = 0;
    std::string path_;          // of the section at hand, with dots
    std::vector<size_t> open_;  // how long the path was outside each open section
    std::map<std::string, std::string> section_;
};

}  // namespace

std::map<std::string, std::string> parse_corosync_conf(const std::string& text) {
    if (text.size() > kMaxFile) fail(1, "the file is larger than 4 MiB");
    return ConfFile().parse(text);
}

}  // namespace assent
