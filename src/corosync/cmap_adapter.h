// corosync's configuration and status keys: libcmap. Control thread only: its calls block.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/failure.h"
#include "corosync/cluster.h"

namespace assent {

class Cmap {
  public:
    Cmap() = default;
    ~Cmap() { close(); }
    Cmap(const Cmap&) = delete;
    Cmap& operator=(const Cmap&) = delete;

    // All int returned are numbers of cs_error_t, 1 for success. open() also starts to track reloads.
    int open();
    void close();
    int dispatch();
    int fd() const { return fd_; }  // -1: closed

    // The nodelist; votes are the configuration's.
    int read_cluster(Cluster& cluster);
    // Is a provider of quorum configured? Without one corosync runs no votequorum.
    int read_votequorum(bool& present);
    // Everything below "assent.".
    int read_section(Section& section);

    // True once after a reload was carried out, or the nodelist changed without one.
    bool take_changed();

    int set(const std::string& key, const StatusValue& value);
    // A key that is not there counts as success.
    int remove(const std::string& key);
    int list(const std::string& prefix, std::vector<std::string>& keys);

    // For the C callback.
    void on_reload(bool in_progress);
    void on_nodelist() { nodelist_changed_ = true; }

  private:
    // The value as text, whatever its type; of a binary value nothing.
    int read(const std::string& key, std::string& value);
    int read_all(const std::string& prefix, Section& values);

    uint64_t handle_ = 0;
    int fd_ = -1;
    bool reloading_ = false;
    bool reloaded_ = false;
    bool nodelist_changed_ = false;
};

// The nodelist as the keys below "nodelist." tell it. A node without an id in reach is left out.
Cluster parse_nodelist(const Section& nodelist);

// The section "assent" of a running corosync, asked once; blocks. For start-up and `assentd -t`.
Result<Section> read_running_section();

}  // namespace assent
