// corosync's polite shutdown (corosync-cfgtool -H, systemctl stop corosync): libcfg. Control thread only: its calls
// block.
#pragma once

#include <cstdint>

namespace assent {

class Cfg {
  public:
    Cfg() = default;
    ~Cfg() { close(); }
    Cfg(const Cfg&) = delete;
    Cfg& operator=(const Cfg&) = delete;

    // All numbers returned are cs_error_t's, 1 for success.
    int open();
    void close();
    int dispatch();
    int fd() const { return fd_; }  // -1: closed

    // True once after corosync asked whether it may stop; it waits up to cfg.shutdown_timeout (5 s) for
    // allow_shutdown().
    bool take_asked();
    void set_asked() { asked_ = true; }
    int allow_shutdown();

  private:
    uint64_t handle_ = 0;
    int fd_ = -1;
    bool asked_ = false;
};

}  // namespace assent
