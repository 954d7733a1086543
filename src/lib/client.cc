#include "lib/client.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "lib/dial.h"

namespace assent {

namespace {

constexpr uint32_t kProtocol = 1;
constexpr size_t kMaxReply = 128u << 20;
constexpr size_t kMaxQueued = size_t(1) << 40;  // the caller decides how much it submits
constexpr size_t kPass = 4u << 20;

}  // namespace

Client::Client(Fd socket) : socket_(std::move(socket)), in_(kMaxReply), out_(kMaxQueued) {}

Connected Client::connect(const std::string& where, const std::string& group, const std::string& program,
                          Deadline deadline) {
    Dialled d = dial(where, deadline);
    if (d.code != pb::DONE) return {nullptr, d.code, std::move(d.reason)};
    std::unique_ptr<Client> client(new Client(std::move(d.socket)));
    Connected c = client->greet(group, program, deadline);
    if (c.code == pb::DONE)
        c.client = std::move(client);
    else if (c.reason.empty())
        c.reason = "the daemon at " + where + " refused the session and did not say why";
    return c;
}

Connected Client::greet(const std::string& group, const std::string& program, Deadline deadline) {
    group_ = group;
    pb::ClientFrame frame;
    frame.mutable_hello()->set_protocol(kProtocol);
    frame.mutable_hello()->set_program(program);
    frame.mutable_hello()->set_group(group);
    out_.push("", frame.SerializeAsString());
    while (!greeted_) {
        if (const Result<bool> pumped = pump(); !pumped && !greeted_)
            return {nullptr, pb::NOT_REACHABLE, pumped.error()};
        if (!greeted_ && !poll_until(deadline))
            return {nullptr, pb::TIMED_OUT, "the daemon did not answer in time; it may be starting, or hang"};
    }
    return {nullptr, hello_.code(), hello_.reason()};
}

pb::Request Client::write(std::string data) {
    pb::Request request;
    request.set_group(group_);
    *request.mutable_client() = hello_.client();
    request.set_sequence(++last_sequence_);
    unanswered_.insert(last_sequence_);
    request.set_first_unanswered(*unanswered_.begin());
    request.mutable_write()->set_data(std::move(data));
    return request;
}

pb::Request Client::read(std::string query, pb::ReadLevel level, uint64_t applied_after) {
    pb::Request request;
    request.set_group(group_);
    request.mutable_read()->set_query(std::move(query));
    request.mutable_read()->set_level(level);
    request.mutable_read()->set_index(applied_after);
    return request;
}

uint64_t Client::submit(pb::Request request) {
    request.set_id(++last_id_);
    if (request.group().empty()) request.set_group(group_);
    Waiting& waiting = waiting_[last_id_];
    waiting = {0, request.has_write(), request.sequence()};
    if (!lost_.empty()) {
        arrived(given_up(last_id_, waiting, pb::NOT_REACHABLE, lost_));
        return last_id_;
    }
    pb::ClientFrame frame;
    *frame.mutable_request() = std::move(request);
    out_.push("", frame.SerializeAsString());
    waiting.leaves_at = out_.pushed();
    return last_id_;
}

Result<bool> Client::pump() {
    if (!lost_.empty()) return Error{lost_};
    if (!out_.empty() && out_.write_to(fd(), kPass) == net::OutQueue::Output::failed) {
        const std::string why = std::strerror(errno);
        (void)read_frames();  // the daemon may have said why it closed
        if (lost_.empty()) lost("the connection to the daemon is lost: " + why);
        return Error{lost_};
    }
    return read_frames();
}

Result<bool> Client::read_frames() {
    const net::FrameReader::Input input = in_.read_from(fd(), kPass);
    const std::string why =
        input == net::FrameReader::Input::failed ? std::strerror(errno) : "it closed the connection";
    std::string_view bytes;
    while (lost_.empty() && in_.next(bytes)) {
        pb::ServerFrame frame;
        if (!frame.ParseFromArray(bytes.data(), int(bytes.size()))) {
            lost("what answers there is no assent daemon");
        } else if (frame.has_hello() && !greeted_) {
            greeted_ = true;
            hello_ = std::move(*frame.mutable_hello());
        } else if (frame.has_reply() && greeted_) {
            if (frame.reply().id() == 0)
                lost("the daemon closed the session: " + frame.reply().reason());
            else
                arrived(std::move(*frame.mutable_reply()));
        } else if (on_frame_ && greeted_) {
            on_frame_(frame);
        } else {
            lost("the daemon sent what this client does not understand");
        }
    }
    if (lost_.empty() && in_.broken()) lost("what answers there is no assent daemon");
    if (lost_.empty() && input != net::FrameReader::Input::open) lost("the connection to the daemon is lost: " + why);
    if (!lost_.empty()) return Error{lost_};
    return true;
}

void Client::arrived(pb::Reply&& reply) {
    const auto it = waiting_.find(reply.id());
    if (it == waiting_.end()) return;  // nobody waits for it any more
    if (it->second.write && reply.code() != pb::UNKNOWN) unanswered_.erase(it->second.sequence);
    waiting_.erase(it);
    arrived_.push_back(std::move(reply));
}

pb::Reply Client::given_up(uint64_t id, const Waiting& waiting, pb::Code unsent, const std::string& why) const {
    const bool left = waiting.leaves_at > 0 && out_.written() >= waiting.leaves_at;
    pb::Reply reply;
    reply.set_id(id);
    reply.set_code(left && waiting.write ? pb::UNKNOWN : unsent);
    reply.set_reason(why);
    if (waiting.write) {
        *reply.mutable_client() = hello_.client();
        reply.set_sequence(waiting.sequence);
    }
    return reply;
}

void Client::lost(const std::string& why) {
    lost_ = why;
    ::shutdown(fd(), SHUT_RDWR);  // what has not left must not leave later
    std::vector<pb::Reply> replies;
    for (const auto& [id, waiting] : waiting_) replies.push_back(given_up(id, waiting, pb::NOT_REACHABLE, why));
    std::sort(replies.begin(), replies.end(), [](const auto& a, const auto& b) { return a.id() < b.id(); });
    for (pb::Reply& reply : replies) arrived(std::move(reply));
}

bool Client::poll_until(Deadline deadline) {
    pollfd p{fd(), short(POLLIN | (out_.empty() ? 0 : POLLOUT)), 0};
    for (;;) {
        const int n = ::poll(&p, 1, milliseconds_until(deadline));
        if (n > 0) return true;
        if (n == 0 || errno != EINTR) return false;
    }
}

bool Client::wait(Deadline deadline) {
    for (;;) {
        (void)pump();
        if (!arrived_.empty()) return true;
        if (waiting_.empty() || !poll_until(deadline)) return false;
    }
}

bool Client::step(Deadline deadline) {
    if (!pump()) return false;
    return arrived_.empty() ? poll_until(deadline) && pump() : true;
}

bool Client::take(pb::Reply& reply) {
    if (arrived_.empty()) return false;
    reply = std::move(arrived_.front());
    arrived_.pop_front();
    return true;
}

pb::Reply Client::call(pb::Request request, Deadline deadline) {
    if (request.deadline_ms() == 0) request.set_deadline_ms(uint64_t(std::max(1, milliseconds_until(deadline))));
    const uint64_t id = submit(std::move(request));
    for (;;) {
        (void)pump();
        const auto it = std::find_if(arrived_.begin(), arrived_.end(), [&](const auto& r) { return r.id() == id; });
        if (it != arrived_.end()) {
            pb::Reply reply = std::move(*it);
            arrived_.erase(it);
            return reply;
        }
        if (poll_until(deadline)) continue;
        const Waiting waiting = waiting_.at(id);
        waiting_.erase(id);
        // TIMED_OUT says that it was not sent: so it must not be sent later either.
        if (out_.written() < waiting.leaves_at) lost("the daemon took no requests in time");
        pb::Reply reply = given_up(id, waiting, pb::TIMED_OUT, "the daemon did not answer in time");
        if (waiting.write && reply.code() != pb::UNKNOWN) unanswered_.erase(waiting.sequence);
        return reply;
    }
}

}  // namespace assent
