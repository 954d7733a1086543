// Frames on a byte stream: a little-endian u32 length and as many bytes. No loop and no thread in here.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

namespace assent::net {

constexpr size_t kLengthBytes = 4;

// The four bytes before a frame of `size`.
std::string frame_length(size_t size);

// Takes a stream apart. Memory grows with what has come, never with what a length promises.
class FrameReader {
  public:
    // Frames longer than `max_frame` break the stream.
    explicit FrameReader(size_t max_frame) : max_frame_(max_frame) {}

    enum class Input { open, ended, failed };  // failed: errno tells
    // Reads from a non-blocking socket until it has nothing more, or about `budget` bytes have come.
    Input read_from(int fd, size_t budget);
    void feed(std::string_view bytes);

    // The next whole frame, without its length; it stays valid until the next read_from or feed. False: none yet, or broken.
    bool next(std::string_view& frame);
    // Forgets what has been read.
    void discard() { begin_ = end_ = 0; }
    // A length above the limit has come: nothing after it can be told apart any more.
    bool broken() const { return broken_; }
    // Bytes of frames not yet handed out.
    size_t pending() const { return end_ - begin_; }

  private:
    char* room(size_t least);
    void release_if_idle();

    size_t max_frame_;
    std::unique_ptr<char[]> buffer_;
    size_t capacity_ = 0;
    size_t begin_ = 0;
    size_t end_ = 0;
    bool broken_ = false;
};

// What waits to be written. Small frames share a chunk; large bodies are moved in, not copied.
class OutQueue {
  public:
    explicit OutQueue(size_t max_bytes) : max_bytes_(max_bytes) {}

    // Queues one frame made of `head` and `body`, its length before it. False: full, and nothing was taken.
    bool push(std::string_view head, std::string body);

    enum class Output { drained, more, failed };  // failed: errno tells
    // Writes to a non-blocking socket until it takes no more, or about `budget` bytes are gone.
    Output write_to(int fd, size_t budget);

    bool empty() const { return pushed_ == written_; }
    size_t bytes() const { return size_t(pushed_ - written_); }
    // Bytes ever queued and ever handed to the kernel: a frame is out once `written` has reached the `pushed` after it.
    uint64_t pushed() const { return pushed_; }
    uint64_t written() const { return written_; }

  private:
    void append(std::string_view bytes);
    void consume(size_t bytes);

    size_t max_bytes_;
    std::deque<std::string> chunks_;
    size_t offset_ = 0;  // into the first chunk
    uint64_t pushed_ = 0;
    uint64_t written_ = 0;
};

}  // namespace assent::net
