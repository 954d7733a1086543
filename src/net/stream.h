// One connection on the loop: frames in, frames out. What links between nodes and client sessions have in common.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/loop.h"
#include "net/frames.h"

namespace assent::net {

struct StreamLimits {
    size_t frame = 0;               // longest frame taken
    size_t queue = 0;               // bytes that may wait to be written
    size_t read_pass = 256u << 10;  // bytes read in one batch of the loop, so that one peer cannot hold it
    size_t write_pass = 1u << 20;
};

// Loop's thread only.
class Stream : public std::enable_shared_from_this<Stream> {
  public:
    // The view is valid during the call alone.
    using FrameFn = std::function<void(std::string_view frame)>;
    // Called once, when the connection ended by itself: why, as a clause for people. Not called after close().
    using EndedFn = std::function<void(const std::string& why)>;

    // The socket must be non-blocking; it may still be connecting. Both functions may close the stream and drop the
    // last reference to it.
    static std::shared_ptr<Stream> open(Loop& loop, Fd socket, Priority priority, const StreamLimits& limits,
                                        FrameFn on_frame, EndedFn on_ended);
    ~Stream();

    // Queues a frame; written by flush() or when the socket is ready. False: closed, finishing or the queue is full.
    bool push(std::string_view head, std::string body);
    // Writes what the socket takes now. May end the stream.
    void flush();
    // Stops taking frames, or goes on; the kernel's buffers then hold the other side back.
    void pause(bool paused);
    // Called once instead of ending when a frame is announced that is too long; nothing can be read after it.
    void on_broken(std::function<void()> fn) { on_broken_ = std::move(fn); }
    // Called after bytes that had to wait were written.
    void on_output(std::function<void()> fn) { on_output_ = std::move(fn); }
    // Takes no more frames, writes what is queued, says end of stream and ends when the other side does. The owner sets
    // the time limit.
    void finish();
    // At once and silently.
    void close();

    bool closed() const { return !socket_; }
    bool paused() const { return paused_; }
    const OutQueue& out() const { return out_; }
    int fd() const { return socket_.get(); }

  private:
    Stream(Loop& loop, Fd socket, const StreamLimits& limits, FrameFn on_frame, EndedFn on_ended);
    void ready(uint32_t events);
    void receive();
    void deliver();
    void write();
    void watch();
    void end(const std::string& why);

    Loop& loop_;
    Fd socket_;
    StreamLimits limits_;
    FrameFn on_frame_;
    EndedFn on_ended_;
    std::function<void()> on_broken_;
    std::function<void()> on_output_;
    FrameReader in_;
    OutQueue out_;
    uint32_t events_ = 0;  // what the loop watches
    bool blocked_ = true;  // the socket takes no more (or is not connected yet): wait for EPOLLOUT
    bool paused_ = false;
    bool finishing_ = false;
    bool said_end_ = false;
};

}  // namespace assent::net
