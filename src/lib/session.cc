#include "lib/session.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace assent::lib {

namespace {

using std::chrono::milliseconds;

constexpr uint32_t kProtocol = 1;
constexpr size_t kMaxFrame = 128u << 20;
constexpr size_t kMaxQueued = size_t(1) << 40;  // the owners bound what they push
constexpr size_t kPass = 4u << 20;
constexpr milliseconds kFirstBackOff{20};
constexpr milliseconds kLongestBackOff{1'000};
constexpr milliseconds kGreetingTime{5'000};
constexpr milliseconds kLookupTick{20};

bool is_path(const std::string& where) { return where.find('/') != std::string::npos; }

}  // namespace

Session::Session(Reactor& reactor, std::string where, std::string group, std::string program, Hooks hooks)
    : reactor_(reactor), where_(std::move(where)), group_(std::move(group)), program_(std::move(program)),
      hooks_(std::move(hooks)), in_(kMaxFrame), out_(kMaxQueued), back_off_(kFirstBackOff) {}

Session::~Session() { stop(); }

void Session::start(Time now) {
    if (wanted_) return;
    wanted_ = true;
    back_off_ = kFirstBackOff;
    dial(now);
}

void Session::stop() {
    wanted_ = false;
    if (socket_) reactor_.remove(socket_.get());
    socket_.reset();
    state_ = State::idle;
    failed_ = false;
    next_ = kNever;
}

// ---- getting there

void Session::dial(Time now) {
    since_ = now;
    next_ = now + kGreetingTime;
    if (is_path(where_)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        where_.copy(address.sun_path, sizeof address.sun_path - 1);
        state_ = State::connecting;
        if (open_socket(reinterpret_cast<const sockaddr*>(&address), sizeof address)) connected();
        return;
    }
    if (!addresses_.empty()) return connect(now);
    state_ = State::resolving;
    resolver_ = std::make_unique<Resolver>();
    if (const std::string wrong = resolver_->start(where_); !wrong.empty()) return fail(pb::USAGE, wrong);
    next_ = now + kLookupTick;
}

void Session::connect(Time now) {
    since_ = now;
    next_ = now + kGreetingTime;
    state_ = State::connecting;
    const SocketAddress address = addresses_.front();
    addresses_.erase(addresses_.begin());
    if (open_socket(reinterpret_cast<const sockaddr*>(&address.bytes), address.size)) connected();
}

// True: connected at once. Else it is under way, or has failed.
bool Session::open_socket(const sockaddr* address, socklen_t size) {
    socket_ = Fd(::socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    in_ = net::FrameReader(kMaxFrame);
    out_ = net::OutQueue(kMaxQueued);
    paused_ = false;
    watched_ = EPOLLIN | EPOLLOUT;
    if (!socket_ || !reactor_.add(socket_.get(), watched_, *this)) {
        fail(pb::NOT_REACHABLE, std::string("no connection can be opened: ") + std::strerror(errno));
        return false;
    }
    if (::connect(socket_.get(), address, size) == 0) return true;
    if (errno == EINPROGRESS) return false;
    if (errno == EACCES || errno == EPERM)
        fail(pb::NOT_PERMITTED, "no permission to connect to " + where_ + ": be root or in the group assent");
    else
        fail(pb::NOT_REACHABLE,
             "cannot reach the daemon at " + where_ + ": " + std::strerror(errno) + "; does assentd run there?");
    return false;
}

void Session::connected() {
    if (!is_path(where_)) {
        const int on = 1;
        ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    state_ = State::greeting;
    pb::ClientFrame frame;
    frame.mutable_hello()->set_protocol(kProtocol);
    frame.mutable_hello()->set_program(program_);
    frame.mutable_hello()->set_group(group_);
    out_.push("", frame.SerializeAsString());
    flush();
}

// ---- talking

void Session::push(const pb::ClientFrame& frame) {
    if (up() && !failed_) out_.push("", frame.SerializeAsString());
}

void Session::flush() {
    if (!socket_ || failed_ || state_ < State::greeting) return;
    if (!out_.empty() && out_.write_to(socket_.get(), kPass) == net::OutQueue::Output::failed) {
        const std::string why = std::strerror(errno);
        // The daemon may have said why it closed: that comes first, with the socket's next event.
        if (errno != EPIPE && errno != ECONNRESET)
            fail(pb::NOT_REACHABLE, "the connection to the daemon is lost: " + why);
    }
    watch();
}

void Session::watch() {
    const uint32_t wanted = (paused_ ? 0u : uint32_t(EPOLLIN)) | (out_.empty() ? 0u : uint32_t(EPOLLOUT));
    if (wanted == watched_) return;
    watched_ = wanted;
    reactor_.modify(socket_.get(), watched_, *this);
}

void Session::pause(bool paused) {
    if (paused == paused_ || !up() || failed_) return;
    paused_ = paused;
    watch();
}

void Session::fail(pb::Code code, const std::string& reason, milliseconds pause) {
    if (failed_ || state_ == State::idle) return;
    failed_ = true;
    code_ = code;
    reason_ = reason;
    pause_ = pause;
    next_ = Time::min();
    reactor_.wake_at(Clock::now());
}

void Session::ready(uint32_t events) {
    if (!socket_ || failed_) return;
    if (state_ == State::connecting) {
        int error = 0;
        socklen_t size = sizeof error;
        ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
        if (error != 0)
            return fail(pb::NOT_REACHABLE, "cannot reach the daemon at " + where_ + ": " + std::strerror(error) +
                                               "; does assentd run there?");
        if (!(events & EPOLLOUT)) return;
        connected();
    }
    if (events & EPOLLOUT) flush();
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive();
}

void Session::receive() {
    const net::FrameReader::Input input = in_.read_from(socket_.get(), kPass);
    const std::string why =
        input == net::FrameReader::Input::failed ? std::strerror(errno) : "it closed the connection";
    std::string_view bytes;
    while (!failed_ && state_ != State::idle && in_.next(bytes)) {
        pb::ServerFrame frame;
        if (!frame.ParseFromArray(bytes.data(), int(bytes.size())))
            fail(pb::NOT_REACHABLE, "what answers at " + where_ + " is no assent daemon");
        else
            handle(std::move(frame), bytes.size());
    }
    if (in_.broken()) fail(pb::NOT_REACHABLE, "what answers at " + where_ + " is no assent daemon");
    if (input != net::FrameReader::Input::open) fail(pb::NOT_REACHABLE, "the connection to the daemon is lost: " + why);
}

void Session::handle(pb::ServerFrame&& frame, size_t bytes) {
    if (frame.has_hello() && state_ == State::greeting) {
        if (frame.hello().code() != pb::DONE) {
            return fail(frame.hello().code(), frame.hello().reason().empty()
                                                  ? "the daemon refused the session and did not say why"
                                                  : frame.hello().reason());
        }
        state_ = State::up;
        since_ = Clock::now();
        next_ = kNever;
        hooks_.up(frame.hello());
    } else if (frame.has_reply() && frame.reply().id() == 0) {
        fail(frame.reply().code() == pb::DONE ? pb::OTHER_ERROR : frame.reply().code(),
             "the daemon closed the session: " + frame.reply().reason());
    } else if (state_ == State::up && frame.what_case() != pb::ServerFrame::WHAT_NOT_SET && !frame.has_hello()) {
        hooks_.frame(std::move(frame), bytes);
    } else {
        fail(pb::NOT_REACHABLE, "the daemon at " + where_ + " sent what this library does not understand");
    }
}

// ---- time

Time Session::next_tick() const { return next_; }

void Session::tick(Time now) {
    if (!wanted_ || (now < next_ && !failed_)) return;
    switch (failed_ ? State::idle : state_) {
        case State::waiting: dial(now); break;
        case State::resolving:
            if (resolver_->busy() && now - since_ < kGreetingTime) {
                next_ = now + kLookupTick;
                break;
            }
            if (resolver_->busy())
                fail(pb::TIMED_OUT, "looking " + where_ + " up takes too long");
            else if (const std::string error = resolver_->error(); !error.empty())
                fail(pb::NOT_REACHABLE, "cannot look " + where_ + " up: " + error);
            else if ((addresses_ = resolver_->addresses()).empty())
                fail(pb::NOT_REACHABLE, where_ + " has no address");
            else
                connect(now);
            break;
        case State::connecting:
        case State::greeting:
            fail(pb::TIMED_OUT, "the daemon at " + where_ + " did not answer in time; it may be starting, or hang");
            break;
        case State::idle:
        case State::up: break;
    }
    if (failed_) end(now);
}

void Session::end(Time now) {
    const bool was_up = state_ == State::up;
    if (was_up && now - since_ > kLongestBackOff) back_off_ = kFirstBackOff;
    if (socket_) reactor_.remove(socket_.get());
    socket_.reset();
    resolver_.reset();
    failed_ = false;
    state_ = State::waiting;
    next_ = now + std::max(addresses_.empty() ? back_off_ : milliseconds(0), pause_);
    back_off_ = std::min(2 * back_off_, kLongestBackOff);
    pause_ = milliseconds(0);
    hooks_.down(was_up, code_, reason_);
}

}  // namespace assent::lib
