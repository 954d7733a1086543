// The votes of the nodes: libvotequorum. Control thread only: its calls block.
#pragma once

#include <cstdint>

#include "core/types.h"

namespace assent {

class Votequorum {
  public:
    Votequorum() = default;
    ~Votequorum() { close(); }
    Votequorum(const Votequorum&) = delete;
    Votequorum& operator=(const Votequorum&) = delete;

    // All numbers returned are cs_error_t's, 1 for success.
    int open();
    void close();
    int dispatch();
    int fd() const { return fd_; }  // -1: closed

    // Leaves `votes` alone for a node that corosync has not seen since its start.
    int read_votes(NodeId node, uint32_t& votes);

    // True once after something changed that votes may depend on.
    bool take_changed();
    void set_changed() { changed_ = true; }

  private:
    uint64_t handle_ = 0;
    int fd_ = -1;
    bool changed_ = false;
};

}  // namespace assent
