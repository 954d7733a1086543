#include "corosync/cmap_adapter.h"

#include <corosync/cmap.h>
#include <corosync/corotypes.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "corosync/status.h"

namespace assent {

namespace {

constexpr size_t kMaxValue = 16'384;  // corosync's bound; a larger buffer would hang the call
constexpr size_t kMaxKeys = 65'536;
constexpr uint32_t kMaxVotes = 255;  // votequorum counts in 8 bits

const char* const kReloadKey = "config.reload_in_progress";

// The nodelist may have names, which corosync resolves at its start, as a rule from /etc/hosts. Blocks. A name that cannot
// be resolved stays as it is.
std::string numeric_address(const std::string& name) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo(name.c_str(), nullptr, &hints, &found) != 0) return name;
    char numeric[NI_MAXHOST];
    const int e = ::getnameinfo(found->ai_addr, found->ai_addrlen, numeric, sizeof numeric, nullptr, 0, NI_NUMERICHOST);
    ::freeaddrinfo(found);
    return e == 0 ? numeric : name;
}

template <typename T> std::string number_text(const char* bytes) {
    T value;
    std::memcpy(&value, bytes, sizeof value);
    return std::to_string(value);
}

std::string text_of(cmap_value_types_t type, const char* bytes, size_t size) {
    switch (type) {
        case CMAP_VALUETYPE_INT8: return number_text<int8_t>(bytes);
        case CMAP_VALUETYPE_UINT8: return number_text<uint8_t>(bytes);
        case CMAP_VALUETYPE_INT16: return number_text<int16_t>(bytes);
        case CMAP_VALUETYPE_UINT16: return number_text<uint16_t>(bytes);
        case CMAP_VALUETYPE_INT32: return number_text<int32_t>(bytes);
        case CMAP_VALUETYPE_UINT32: return number_text<uint32_t>(bytes);
        case CMAP_VALUETYPE_INT64: return number_text<int64_t>(bytes);
        case CMAP_VALUETYPE_UINT64: return number_text<uint64_t>(bytes);
        case CMAP_VALUETYPE_FLOAT: return number_text<float>(bytes);
        case CMAP_VALUETYPE_DOUBLE: return number_text<double>(bytes);
        case CMAP_VALUETYPE_STRING: return std::string(bytes, ::strnlen(bytes, size));
        case CMAP_VALUETYPE_BINARY: return {};
    }
    return {};
}

void on_notify(cmap_handle_t, cmap_track_handle_t, int32_t, const char* key, cmap_notify_value value, cmap_notify_value,
               void* data) {
    auto* cmap = static_cast<Cmap*>(data);
    if (std::strcmp(key, kReloadKey) != 0) return cmap->on_nodelist();
    cmap->on_reload(value.type == CMAP_VALUETYPE_UINT8 && value.len == 1 &&
                    *static_cast<const uint8_t*>(value.data) != 0);
}

std::optional<uint32_t> number(std::string_view text) {
    uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

}  // namespace

int Cmap::open() {
    cmap_handle_t handle = 0;
    cs_error_t e = cmap_initialize_map(&handle, CMAP_MAP_DEFAULT);
    if (e != CS_OK) return e;
    const int32_t changes = CMAP_TRACK_ADD | CMAP_TRACK_DELETE | CMAP_TRACK_MODIFY;
    cmap_track_handle_t track = 0;
    int fd = -1;
    if ((e = cmap_track_add(handle, kReloadKey, changes, on_notify, this, &track)) != CS_OK ||
        (e = cmap_track_add(handle, "nodelist.", changes | CMAP_TRACK_PREFIX, on_notify, this, &track)) != CS_OK ||
        (e = cmap_fd_get(handle, &fd)) != CS_OK) {
        cmap_finalize(handle);
        return e;
    }
    handle_ = handle;
    fd_ = fd;
    reloading_ = reloaded_ = nodelist_changed_ = false;
    return CS_OK;
}

void Cmap::close() {
    if (fd_ < 0) return;
    cmap_finalize(handle_);
    fd_ = -1;
}

int Cmap::dispatch() { return cmap_dispatch(handle_, CS_DISPATCH_ALL); }

void Cmap::on_reload(bool in_progress) {
    if (reloading_ && !in_progress) reloaded_ = true;
    reloading_ = in_progress;
}

bool Cmap::take_changed() {
    if (reloading_ || (!reloaded_ && !nodelist_changed_)) return false;
    nodelist_changed_ = false;
    if (!std::exchange(reloaded_, false)) return true;
    std::string status;
    // corosync took nothing over from a file that it could not read.
    return read("config.reload_status", status) != CS_OK || status == "1";
}

int Cmap::read(const std::string& key, std::string& value) {
    char bytes[kMaxValue];
    size_t size = sizeof bytes;
    cmap_value_types_t type{};
    const cs_error_t e = cmap_get(handle_, key.c_str(), bytes, &size, &type);
    if (e == CS_OK) value = text_of(type, bytes, std::min(size, sizeof bytes));
    return e;
}

int Cmap::list(const std::string& prefix, std::vector<std::string>& keys) {
    cmap_iter_handle_t iter = 0;
    cs_error_t e = cmap_iter_init(handle_, prefix.c_str(), &iter);
    if (e != CS_OK) return e;
    char key[CMAP_KEYNAME_MAXLEN + 1];
    size_t size = 0;
    cmap_value_types_t type{};
    while (keys.size() < kMaxKeys && (e = cmap_iter_next(handle_, iter, key, &size, &type)) == CS_OK)
        keys.emplace_back(key);
    cmap_iter_finalize(handle_, iter);
    return e == CS_ERR_NO_SECTIONS ? CS_OK : e;
}

int Cmap::read_all(const std::string& prefix, Section& values) {
    std::vector<std::string> keys;
    int e = list(prefix, keys);
    if (e != CS_OK) return e;
    for (const std::string& key : keys) {
        std::string value;
        e = read(key, value);
        if (e == CS_ERR_NOT_EXIST) continue;  // removed meanwhile
        if (e != CS_OK) return e;
        values[key.substr(prefix.size())] = std::move(value);
    }
    return CS_OK;
}

int Cmap::read_cluster(Cluster& cluster) {
    Section nodelist;
    int e = read_all("nodelist.", nodelist);
    if (e != CS_OK) return e;
    cluster = parse_nodelist(nodelist);
    for (Node& node : cluster.nodes) {
        for (std::string& address : node.addresses) address = numeric_address(address);
    }
    e = read("totem.cluster_name", cluster.name);
    return e == CS_ERR_NOT_EXIST ? int(CS_OK) : e;
}

int Cmap::read_votequorum(bool& present) {
    std::string provider;
    const int e = read("quorum.provider", provider);
    present = provider == "corosync_votequorum";
    return e == CS_ERR_NOT_EXIST ? int(CS_OK) : e;
}

int Cmap::read_section(Section& section) { return read_all("assent.", section); }

int Cmap::set(const std::string& key, const StatusValue& value) {
    const char* k = key.c_str();
    if (auto* u8 = std::get_if<uint8_t>(&value)) return cmap_set_uint8(handle_, k, *u8);
    if (auto* u32 = std::get_if<uint32_t>(&value)) return cmap_set_uint32(handle_, k, *u32);
    if (auto* u64 = std::get_if<uint64_t>(&value)) return cmap_set_uint64(handle_, k, *u64);
    return cmap_set_string(handle_, k, std::get<std::string>(value).c_str());
}

int Cmap::remove(const std::string& key) {
    const cs_error_t e = cmap_delete(handle_, key.c_str());
    return e == CS_ERR_NOT_EXIST ? CS_OK : e;
}

Cluster parse_nodelist(const Section& nodelist) {
    std::map<uint32_t, Node> by_position;
    std::map<uint32_t, std::map<uint32_t, std::string>> addresses;
    std::optional<uint32_t> local;
    for (const auto& [key, value] : nodelist) {
        if (key == "local_node_pos") local = number(value);
        if (!key.starts_with("node.")) continue;
        const size_t dot = key.find('.', 5);
        const auto position =
            dot == std::string::npos ? std::nullopt : number(std::string_view(key).substr(5, dot - 5));
        if (!position) continue;
        Node& node = by_position[*position];
        const std::string_view field = std::string_view(key).substr(dot + 1);
        if (field == "nodeid")
            node.id = NodeId(number(value).value_or(0));
        else if (field == "name")
            node.name = value;
        else if (field == "quorum_votes")
            node.votes = std::min(number(value).value_or(1), kMaxVotes);
        else if (field.starts_with("ring") && field.ends_with("_addr") && field.size() == 10)
            addresses[*position][uint32_t(field[4] - '0')] = value;
    }
    Cluster cluster;
    for (auto& [position, node] : by_position) {
        if (!node.id) continue;
        for (auto& [ring, address] : addresses[position]) node.addresses.push_back(address);
        if (local == position) cluster.local = node.id;
        cluster.nodes.push_back(std::move(node));
    }
    std::sort(cluster.nodes.begin(), cluster.nodes.end(), [](const Node& a, const Node& b) { return a.id < b.id; });
    return cluster;
}

Result<Section> read_running_section() {
    Cmap cmap;
    Section section;
    int e = cmap.open();
    if (e == CS_OK) e = cmap.read_section(section);
    if (e != CS_OK) return Error{"cannot read the configuration from corosync: " + cs_text(e)};
    return section;
}

}  // namespace assent
