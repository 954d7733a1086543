#include "ctl/status_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace assent::ctl {
namespace {

// A field by its path; null if any part of it is not there.
const Json& at(const Json& json, std::initializer_list<const char*> path) {
    static const Json none;
    const Json* here = &json;
    for (const char* name : path) {
        if (!here->is_object()) return none;
        auto found = here->find(name);
        if (found == here->end()) return none;
        here = &*found;
    }
    return *here;
}

std::string cell(const Json& value) {
    if (value.is_string()) {
        std::string text = one_line(value.get_ref<const std::string&>());
        return text.empty() ? "-" : text;
    }
    if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
    if (value.is_number()) return value.dump();
    return "-";
}

std::string cell(const Json& json, std::initializer_list<const char*> path) { return cell(at(json, path)); }

bool flag(const Json& json, const char* name) {
    const Json& value = at(json, {name});
    return value.is_boolean() && value.get<bool>();
}

std::string text_field(const Json& json, const char* name) {
    const Json& value = at(json, {name});
    return value.is_string() ? one_line(value.get_ref<const std::string&>()) : std::string();
}

using Row = std::vector<std::string>;

// Columns as wide as their widest cell, two blanks between, numbers to the right.
std::string table(const std::vector<Row>& rows) {
    auto is_number = [](const std::string& s) { return s.find_first_not_of("0123456789") == std::string::npos; };
    std::vector<size_t> width(rows.front().size(), 0);
    std::vector<bool> right(rows.front().size(), true);
    for (size_t r = 0; r < rows.size(); r++) {
        for (size_t c = 0; c < width.size(); c++) {
            width[c] = std::max(width[c], rows[r][c].size());
            if (r > 0 && rows[r][c] != "-" && !is_number(rows[r][c])) right[c] = false;
        }
    }
    std::string text;
    for (const Row& row : rows) {
        std::string line;
        for (size_t c = 0; c < width.size(); c++) {
            line += right[c] ? fmt::format("  {:>{}}", row[c], width[c]) : fmt::format("  {:<{}}", row[c], width[c]);
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
    return text;
}

std::string nodes_table(const Json& nodes, uint32_t master, const Json& self) {
    static constexpr const char* kFields[] = {"node",     "name", "votes",       "present",  "durable",
                                              "accepted", "lag",  "application", "ledger_id"};
    Row head;
    for (const char* field : kFields) head.push_back(std::string(field) == "ledger_id" ? "ledger id" : field);
    head.push_back("");
    std::vector<Row> rows{head};
    for (const Json& node : nodes) {
        Row row;
        for (const char* field : kFields) row.push_back(cell(node, {field}));
        const Json& id = at(node, {"node"});
        std::string remark = master != 0 && id == master ? "master" : "";
        if (id.is_number() && id == self) remark += remark.empty() ? "this node" : ", this node";
        row.push_back(remark);
        rows.push_back(row);
    }
    return table(rows);
}

std::string nodes_section(const Json& json, const char* name, const char* title) {
    const Json& nodes = at(json, {name});
    if (!nodes.is_array() || nodes.empty()) return "";
    return fmt::format("\n{}:\n", title) + nodes_table(nodes, master_of(json), at(json, {"node"}));
}

std::string yes_or_no(bool yes, const std::string& reason, bool colors) {
    std::string word = yes ? "yes" : "no";
    if (colors) word = fmt::format("\x1b[1;{}m{}\x1b[0m", yes ? 32 : 31, word);
    if (yes || reason.empty()) return word + "\n";
    return fmt::format("{} ({})\n", word, reason);
}

std::string members_list(const Json& members) {
    if (!members.is_array() || members.empty()) return "no nodes";
    std::string text = "nodes";
    for (const Json& member : members) text += " " + cell(member);
    return text;
}

std::string master_cell(const Json& status) {
    uint32_t master = master_of(status);
    if (master == 0) return "none";
    return fmt::format("node {}{}", master, at(status, {"node"}) == master ? " (this node)" : "");
}

}  // namespace

uint32_t master_of(const Json& status) {
    const Json& master = at(status, {"master"});
    return master.is_number_unsigned() ? master.get<uint32_t>() : 0;
}

std::string status_text(const Json& s, bool colors) {
    std::string reason = text_field(s, "reason");
    std::string text;
    text += "can write:   " + yes_or_no(flag(s, "can_write"), reason, colors);
    text += "can read:    " + yes_or_no(flag(s, "can_read"), reason, colors);
    text += fmt::format("master:      {}, epoch {}\n", master_cell(s), cell(s, {"epoch"}));
    text += fmt::format("this node:   {}, {}, {}, group {}\n", cell(s, {"node"}), cell(s, {"state"}),
                        flag(s, "quorate") ? "quorate" : "not quorate", cell(s, {"group"}));
    text +=
        fmt::format("view:        {}, ring {}\n", members_list(at(s, {"view", "members"})), cell(s, {"view", "ring"}));
    const Json& index = at(s, {"index"});
    text += fmt::format("indexes:     confirmed {}, applied {}, stored {}, durable {}, last {}, first {}\n",
                        cell(index, {"confirmed"}), cell(index, {"applied"}), cell(index, {"stored"}),
                        cell(index, {"durable"}), cell(index, {"last"}), cell(index, {"first"}));
    const Json& application = at(s, {"application"});
    text += fmt::format("application: {}, {}, applied {}\n", cell(application, {"kind"}), cell(application, {"state"}),
                        cell(application, {"applied"}));
    if (!text_field(application, "reason").empty())
        text += fmt::format("             {}\n", cell(application, {"reason"}));
    const Json& writes = at(s, {"writes"});
    text += fmt::format("writes:      {} confirmed, {} cancelled, {} unknown\n", cell(writes, {"confirmed"}),
                        cell(writes, {"cancelled"}), cell(writes, {"unknown"}));
    const Json& reads = at(s, {"reads"});
    text += fmt::format("reads:       {} as master, {} forwarded, {} local\n", cell(reads, {"master"}),
                        cell(reads, {"forwarded"}), cell(reads, {"local"}));
    text += fmt::format("cluster:     {}\n", cell(s, {"cluster_id"}));
    text += nodes_section(s, "voters", "voters");
    text += nodes_section(s, "observers", "observers");
    return text;
}

Exit status_exit(const Json& status) {
    if (flag(status, "can_write")) return Exit::done;
    if (text_field(status, "state") == "failed") return Exit::error;
    return flag(status, "quorate") && master_of(status) == 0 ? Exit::no_master : Exit::no_majority;
}

std::string members_text(const Json& members) {
    std::string text = nodes_section(members, "voters", "voters") + nodes_section(members, "observers", "observers");
    if (text.empty()) return "no voters yet: the first CONFIG has not been written (assentctl status says why)\n";
    return text.substr(1);
}

}  // namespace assent::ctl
