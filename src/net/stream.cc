#include "net/stream.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace assent::net {

std::shared_ptr<Stream> Stream::open(Loop& loop, Fd socket, Priority priority, const StreamLimits& limits,
                                     FrameFn on_frame, EndedFn on_ended) {
    std::shared_ptr<Stream> stream(
        new Stream(loop, std::move(socket), limits, std::move(on_frame), std::move(on_ended)));
    stream->events_ = EPOLLIN | EPOLLOUT;
    const auto ready = [weak = std::weak_ptr(stream)](uint32_t events) {
        if (const auto alive = weak.lock()) alive->ready(events);
    };
    loop.add_fd(stream->fd(), priority, stream->events_, ready);
    return stream;
}

Stream::Stream(Loop& loop, Fd socket, const StreamLimits& limits, FrameFn on_frame, EndedFn on_ended)
    : loop_(loop), socket_(std::move(socket)), limits_(limits), on_frame_(std::move(on_frame)),
      on_ended_(std::move(on_ended)), in_(limits.frame), out_(limits.queue) {}

Stream::~Stream() { close(); }

bool Stream::push(std::string_view head, std::string body) {
    return !closed() && !finishing_ && out_.push(head, std::move(body));
}

void Stream::flush() {
    if (!closed() && !blocked_) write();
}

void Stream::pause(bool paused) {
    if (closed() || paused == paused_) return;
    paused_ = paused;
    watch();
    if (paused_) return;
    // Whole frames may have been read before the pause.
    loop_.defer([weak = weak_from_this()] {
        if (const auto alive = weak.lock()) alive->deliver();
    });
}

void Stream::finish() {
    if (closed()) return;
    finishing_ = true;
    paused_ = false;
    flush();
    if (!closed()) watch();
}

void Stream::close() {
    if (closed()) return;
    loop_.del_fd(fd());
    socket_.reset();
}

void Stream::end(const std::string& why) {
    if (closed()) return;
    close();
    on_ended_(why);
}

void Stream::ready(uint32_t events) {
    if (closed()) return;
    if (events & EPOLLERR) {
        int error = 0;
        socklen_t size = sizeof error;
        ::getsockopt(fd(), SOL_SOCKET, SO_ERROR, &error, &size);
        return end(std::strerror(error ? error : EIO));
    }
    if (events & EPOLLOUT) {
        blocked_ = false;
        write();
        if (!closed() && on_output_) on_output_();
    }
    if (closed()) return;
    if (!paused_ && (events & (EPOLLIN | EPOLLHUP))) return receive();
    if (events & EPOLLHUP) end("the other side closed the connection");
}

void Stream::receive() {
    const FrameReader::Input input = in_.read_from(fd(), limits_.read_pass);
    const int error = errno;
    deliver();
    if (input == FrameReader::Input::failed) return end(std::strerror(error));
    if (input == FrameReader::Input::ended) end("the other side closed the connection");
}

void Stream::deliver() {
    std::string_view frame;
    while (!closed() && !paused_ && !finishing_ && in_.next(frame)) on_frame_(frame);
    if (finishing_) in_.discard();
    if (closed() || finishing_ || !in_.broken()) return;
    if (on_broken_)
        on_broken_();
    else
        end("a frame is longer than " + std::to_string(limits_.frame) + " bytes");
}

void Stream::write() {
    const OutQueue::Output output = out_.write_to(fd(), limits_.write_pass);
    if (output == OutQueue::Output::failed) return end(std::strerror(errno));
    blocked_ = output == OutQueue::Output::more;
    if (finishing_ && out_.empty() && !said_end_) {
        said_end_ = true;
        ::shutdown(fd(), SHUT_WR);
    }
    watch();
}

void Stream::watch() {
    const uint32_t wanted = (paused_ ? 0u : uint32_t(EPOLLIN)) | (blocked_ ? uint32_t(EPOLLOUT) : 0u);
    if (wanted == events_) return;
    events_ = wanted;
    loop_.mod_fd(fd(), events_);
}

}  // namespace assent::net
