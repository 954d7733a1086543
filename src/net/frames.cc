#include "net/frames.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace assent::net {

namespace {

constexpr size_t kReadPiece = 64u << 10;
constexpr size_t kIdleBuffer = 256u << 10;  // a larger buffer is given back once it is empty
constexpr size_t kSmallBody = 4u << 10;     // copied into the last chunk
constexpr size_t kChunk = 64u << 10;
constexpr size_t kPieces = 64;  // in one sendmsg

uint32_t length_at(const char* p) {
    uint32_t value = 0;
    for (int i = 0; i < 4; ++i) value |= uint32_t(uint8_t(p[i])) << (8 * i);
    return value;
}

}  // namespace

std::string frame_length(size_t size) {
    std::string out(kLengthBytes, '\0');
    for (size_t i = 0; i < kLengthBytes; ++i) out[i] = char(size >> (8 * i));
    return out;
}

char* FrameReader::room(size_t least) {
    if (capacity_ - end_ >= least) return buffer_.get() + end_;
    const size_t held = end_ - begin_;
    if (begin_ > 0 && capacity_ - held >= least && held <= capacity_ / 2) {
        std::memmove(buffer_.get(), buffer_.get() + begin_, held);
    } else {
        capacity_ = std::max(2 * capacity_, held + least);
        auto larger = std::make_unique_for_overwrite<char[]>(capacity_);
        if (held > 0) std::memcpy(larger.get(), buffer_.get() + begin_, held);
        buffer_ = std::move(larger);
    }
    begin_ = 0;
    end_ = held;
    return buffer_.get() + end_;
}

void FrameReader::release_if_idle() {
    if (begin_ != end_) return;
    begin_ = end_ = 0;
    if (capacity_ > kIdleBuffer) {
        buffer_.reset();
        capacity_ = 0;
    }
}

FrameReader::Input FrameReader::read_from(int fd, size_t budget) {
    release_if_idle();
    for (size_t taken = 0; taken < budget;) {
        char* to = room(kReadPiece);
        const size_t space = capacity_ - end_;
        const ssize_t n = ::recv(fd, to, std::min(space, budget - taken), MSG_DONTWAIT);
        if (n == 0) return Input::ended;
        if (n < 0) {
            if (errno == EINTR) continue;
            return errno == EAGAIN || errno == EWOULDBLOCK ? Input::open : Input::failed;
        }
        end_ += size_t(n);
        taken += size_t(n);
        if (size_t(n) < space) break;  // most likely all there was; the loop is level-triggered
    }
    return Input::open;
}

void FrameReader::feed(std::string_view bytes) {
    release_if_idle();
    if (bytes.empty()) return;
    std::memcpy(room(bytes.size()), bytes.data(), bytes.size());
    end_ += bytes.size();
}

bool FrameReader::next(std::string_view& frame) {
    if (broken_ || pending() < kLengthBytes) return false;
    const char* at = buffer_.get() + begin_;
    const size_t length = length_at(at);
    if (length > max_frame_) {
        broken_ = true;
        return false;
    }
    if (pending() - kLengthBytes < length) return false;
    frame = std::string_view(at + kLengthBytes, length);
    begin_ += kLengthBytes + length;
    return true;
}

void OutQueue::append(std::string_view bytes) {
    if (bytes.empty()) return;
    if (chunks_.empty() || chunks_.back().size() + bytes.size() > kChunk) chunks_.emplace_back();
    chunks_.back() += bytes;
}

bool OutQueue::push(std::string_view head, std::string body) {
    const size_t payload = head.size() + body.size();
    const size_t size = kLengthBytes + payload;
    if (payload > UINT32_MAX || size > max_bytes_ || bytes() > max_bytes_ - size) return false;
    append(frame_length(payload));
    append(head);
    if (body.size() <= kSmallBody)
        append(body);
    else
        chunks_.push_back(std::move(body));
    pushed_ += size;
    return true;
}

void OutQueue::consume(size_t bytes) {
    written_ += bytes;
    while (bytes > 0) {
        const size_t left = chunks_.front().size() - offset_;
        if (bytes < left) {
            offset_ += bytes;
            return;
        }
        bytes -= left;
        chunks_.pop_front();
        offset_ = 0;
    }
}

OutQueue::Output OutQueue::write_to(int fd, size_t budget) {
    for (size_t done = 0; !empty();) {
        if (done >= budget) return Output::more;
        iovec pieces[kPieces];
        size_t count = 0;
        size_t size = 0;
        for (auto chunk = chunks_.begin(); chunk != chunks_.end() && count < kPieces && size < budget - done; ++chunk) {
            const size_t skip = count == 0 ? offset_ : 0;
            const size_t length = std::min(chunk->size() - skip, budget - done - size);
            pieces[count++] = {chunk->data() + skip, length};
            size += length;
        }
        msghdr message{};
        message.msg_iov = pieces;
        message.msg_iovlen = count;
        const ssize_t n = ::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0) {
            if (errno == EINTR) continue;
            return errno == EAGAIN || errno == EWOULDBLOCK ? Output::more : Output::failed;
        }
        consume(size_t(n));
        done += size_t(n);
    }
    return Output::drained;
}

}  // namespace assent::net
