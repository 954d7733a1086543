#include "net/client_server.h"

#include <sys/socket.h>

#include <algorithm>

#include "base/clock.h"
#include "base/log.h"

namespace assent::net {

namespace {

constexpr int64_t kTickUs = 500'000;
constexpr int64_t kLeaveUs = 2'000'000;
constexpr size_t kMaxProgram = 64;
constexpr size_t kMaxLeaving = 256;

std::string encoded(pb::Reply reply) {
    pb::ServerFrame frame;
    *frame.mutable_reply() = std::move(reply);
    return frame.SerializeAsString();
}

std::string encoded(pb::AttachReply reply) {
    pb::ServerFrame frame;
    *frame.mutable_attach() = std::move(reply);
    return frame.SerializeAsString();
}

std::string encoded(pb::ToApplication message) {
    pb::ServerFrame frame;
    *frame.mutable_application() = std::move(message);
    return frame.SerializeAsString();
}

std::string encoded(pb::HelloReply reply) {
    pb::ServerFrame frame;
    *frame.mutable_hello() = std::move(reply);
    return frame.SerializeAsString();
}

SessionInfo describe(SessionId id, int fd, const std::optional<Address>& from) {
    SessionInfo info;
    info.id = id;
    if (from) {
        info.from = from->text();
        return info;
    }
    info.local = true;
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0) {
        info.pid = peer.pid;
        info.uid = peer.uid;
        info.gid = peer.gid;
    }
    info.from = "uid " + std::to_string(info.uid) + ", pid " + std::to_string(info.pid);
    return info;
}

// The request that a frame has more for.
std::optional<uint64_t> more_of(const pb::ClientFrame& frame) {
    switch (frame.what_case()) {
        case pb::ClientFrame::kWatchTaken: return frame.watch_taken().id();
        case pb::ClientFrame::kWatchStop: return frame.watch_stop().id();
        case pb::ClientFrame::kSnapshotChunk: return frame.snapshot_chunk().id();
        case pb::ClientFrame::kSnapshotTaken: return frame.snapshot_taken().id();
        default: return std::nullopt;
    }
}

}  // namespace

struct ClientServer::Session {
    SessionInfo info;
    std::shared_ptr<Stream> stream;
    bool greeted = false;
    bool application = false;
    bool dirty = false;                             // stands in dirty_
    std::unordered_map<uint64_t, size_t> requests;  // without reply: bytes by id
    size_t request_bytes = 0;
    int64_t progress_us = 0;  // accepted, or bytes left, or none waited
    uint64_t written = 0;     // of the stream, at progress_us
};

ClientServer::ClientServer(Loop& loop, ClientServerOptions options, Handlers handlers)
    : loop_(loop), options_(std::move(options)),
      handlers_(std::move(handlers)), limits_{.frame = options_.max_frame, .queue = options_.reply_bytes} {
    if (!options_.path.empty())
        unix_ =
            std::make_unique<Listener>(loop_, options_.path, options_.unix_group,
                                       [this](Fd socket, const Address&) { accept(std::move(socket), std::nullopt); });
    if (options_.tcp)
        tcp_ = std::make_unique<Listener>(loop_, *options_.tcp, [this](Fd socket, const Address& from) {
            tune_tcp(socket.get());
            accept(std::move(socket), from);
        });
    tick_ = loop_.timer_once(kTickUs, [this] { tick(); });
}

ClientServer::~ClientServer() {
    loop_.cancel(tick_);
    for (auto& [id, session] : sessions_) session->stream->close();
    for (auto& [id, leaving] : leaving_) leaving.stream->close();
}

void ClientServer::accept(Fd socket, const std::optional<Address>& from) {
    const SessionId id = ++last_;
    auto session = std::make_unique<Session>();
    session->info = describe(id, socket.get(), from);
    session->progress_us = raw_now_us();
    session->stream = Stream::open(
        loop_, std::move(socket), Priority::low, limits_, [this, id](std::string_view frame) { received(id, frame); },
        [this, id](const std::string& why) { gone(id, why); });
    session->stream->on_broken([this, id] {
        close(id, pb::BAD_REQUEST,
              "a frame is longer than " + std::to_string(options_.max_frame) + " bytes, or this is no assent client");
    });
    session->stream->on_output([this, id] {
        if (const auto it = sessions_.find(id); it != sessions_.end()) hold_back(*it->second);
    });
    Session& added = *(sessions_[id] = std::move(session));
    if (sessions_.size() <= options_.max_sessions) return;
    refuse(added, pb::BUSY, "the daemon has " + std::to_string(options_.max_sessions) + " sessions already; try again");
}

const SessionInfo* ClientServer::find(SessionId id) const {
    const auto it = sessions_.find(id);
    return it == sessions_.end() ? nullptr : &it->second->info;
}

void ClientServer::received(SessionId id, std::string_view bytes) {
    const auto it = sessions_.find(id);
    if (it == sessions_.end()) return;
    Session& session = *it->second;
    pb::ClientFrame frame;
    if (!frame.ParseFromArray(bytes.data(), int(bytes.size())))
        return refuse(session, pb::BAD_REQUEST, "a frame is malformed");
    if (!session.greeted) {
        if (frame.has_hello()) return greeted(session, frame.hello());
        return refuse(session, pb::BAD_REQUEST, "the first frame of a session must be Hello");
    }
    if (!session.application) return from_client(session, frame, bytes.size());
    if (!frame.has_application())
        return refuse(session, pb::BAD_REQUEST, "a frame holds nothing that an application has to say");
    handlers_.on_application(id, frame.application());
}

void ClientServer::from_client(Session& session, pb::ClientFrame& frame, size_t bytes) {
    if (frame.has_attach()) return attach(session, frame.attach());
    if (const std::optional<uint64_t> request = more_of(frame); request && handlers_.on_more) {
        if (session.requests.contains(*request)) handlers_.on_more(session.info.id, frame);
        return;
    }
    if (!frame.has_request())
        return refuse(session, pb::BAD_REQUEST, "a frame holds no request that this daemon knows");
    requested(session, std::move(*frame.mutable_request()), bytes);
}

void ClientServer::attach(Session& session, const pb::Attach& attach) {
    pb::AttachReply reply;
    if (!session.info.local || !handlers_.on_attach) {
        reply.set_code(pb::NOT_PERMITTED);
        reply.set_reason("an application attaches over the unix socket alone");
    } else if (!session.requests.empty()) {
        reply.set_code(pb::BAD_REQUEST);
        reply.set_reason("this session has requests without an answer: an application needs a session of its own");
    } else {
        handlers_.on_attach(session.info, attach, reply);
    }
    const bool refused = reply.code() != pb::DONE;
    const SessionId id = session.info.id;
    session.stream->push("", encoded(std::move(reply)));
    if (refused) return leave(session);
    session.application = true;
    mark(session);
    handlers_.on_attached(id);
}

void ClientServer::greeted(Session& session, const pb::Hello& hello) {
    if (hello.protocol() != kClientProtocol)
        return refuse(session, pb::BAD_REQUEST,
                      "this daemon speaks client protocol " + std::to_string(kClientProtocol) + ", not " +
                          std::to_string(hello.protocol()));
    session.info.program = hello.program().substr(0, kMaxProgram);
    pb::HelloReply reply;
    reply.set_protocol(kClientProtocol);
    handlers_.on_hello(session.info, hello, reply);
    if (reply.code() != pb::DONE) return refuse(session, reply.code(), reply.reason());
    session.greeted = true;
    session.stream->push("", encoded(std::move(reply)));
    mark(session);
}

void ClientServer::requested(Session& session, pb::Request&& request, size_t bytes) {
    if (request.what_case() == pb::Request::WHAT_NOT_SET) {
        pb::Reply reply;
        reply.set_id(request.id());
        reply.set_code(pb::BAD_REQUEST);
        reply.set_reason("the request is of a kind that this daemon does not know");
        session.stream->push("", encoded(std::move(reply)));
        mark(session);
        return hold_back(session);
    }
    if (!session.requests.emplace(request.id(), bytes).second)
        return refuse(session, pb::BAD_REQUEST,
                      "the request id " + std::to_string(request.id()) + " is in use already");
    session.request_bytes += bytes;
    hold_back(session);
    handlers_.on_request(session.info, std::move(request));  // may close the session
}

bool ClientServer::reply(SessionId id, pb::Reply reply) {
    const auto it = sessions_.find(id);
    if (it == sessions_.end()) return false;
    Session& session = *it->second;
    const auto request = session.requests.find(reply.id());
    if (request == session.requests.end()) return false;
    session.request_bytes -= request->second;
    session.requests.erase(request);
    if (!session.stream->push("", encoded(std::move(reply)))) {
        gone(id, "it does not take its replies");
        return false;
    }
    mark(session);
    return true;
}

bool ClientServer::send(SessionId id, pb::ToApplication&& message) {
    const auto it = sessions_.find(id);
    if (it == sessions_.end() || !it->second->application) return false;
    return queue(*it->second, encoded(std::move(message)));
}

bool ClientServer::send(SessionId id, uint64_t request, const pb::ServerFrame& frame) {
    const auto it = sessions_.find(id);
    if (it == sessions_.end() || !it->second->requests.contains(request)) return false;
    return queue(*it->second, frame.SerializeAsString());
}

bool ClientServer::queue(Session& session, std::string frame) {
    if (!session.stream->push("", std::move(frame))) {
        // Not at once: whoever sends has not counted on its end.
        loop_.defer([this, id = session.info.id] { close(id, pb::BUSY, "it does not take what it is sent"); });
        return false;
    }
    mark(session);
    return true;
}

size_t ClientServer::waiting_bytes(SessionId id) const {
    const auto it = sessions_.find(id);
    return it == sessions_.end() ? 0 : it->second->stream->out().bytes();
}

void ClientServer::mark(Session& session) {
    if (session.dirty) return;
    session.dirty = true;
    dirty_.push_back(session.info.id);
}

// Reads on only while the session owes and is owed little enough.
// An application's answers are what it owes: they are always read.
void ClientServer::hold_back(Session& session) {
    if (session.application) return;
    session.stream->pause(session.requests.size() >= options_.max_requests ||
                          session.request_bytes >= options_.max_request_bytes ||
                          session.stream->out().bytes() >= options_.reply_bytes_pause);
}

void ClientServer::flush() {
    std::vector<SessionId> dirty;
    dirty.swap(dirty_);
    for (SessionId id : dirty) {
        auto it = sessions_.find(id);
        if (it == sessions_.end()) continue;
        it->second->dirty = false;
        const std::shared_ptr<Stream> stream = it->second->stream;
        stream->flush();  // may end the session
        it = sessions_.find(id);
        if (it != sessions_.end()) hold_back(*it->second);
    }
}

void ClientServer::close(SessionId id, pb::Code code, const std::string& reason) {
    const auto it = sessions_.find(id);
    if (it != sessions_.end()) refuse(*it->second, code, reason);
}

void ClientServer::refuse(Session& session, pb::Code code, const std::string& reason) {
    ASSENT_INFO("session with %s (%s) is closed: %s", session.info.program.c_str(), session.info.from.c_str(),
                reason.c_str());
    if (session.application) {
        pb::ToApplication message;
        message.mutable_detach()->set_code(code);
        message.mutable_detach()->set_reason(reason);
        session.stream->push("", encoded(std::move(message)));
    } else if (session.greeted) {
        pb::Reply reply;
        reply.set_code(code);
        reply.set_reason(reason);
        session.stream->push("", encoded(std::move(reply)));
    } else {
        pb::HelloReply reply;
        reply.set_code(code);
        reply.set_reason(reason);
        session.stream->push("", encoded(std::move(reply)));
    }
    leave(session);
}

// The session is over for everybody but its last words.
void ClientServer::leave(Session& session) {
    const SessionId id = session.info.id;
    const bool greeted = session.greeted;
    const std::shared_ptr<Stream> stream = session.stream;
    sessions_.erase(id);
    if (leaving_.size() < kMaxLeaving) {
        leaving_[id] = {stream, raw_now_us()};
        stream->finish();
    } else {
        stream->flush();
        stream->close();
    }
    if (greeted) handlers_.on_closed(id);
}

void ClientServer::gone(SessionId id, const std::string& why) {
    leaving_.erase(id);
    const auto it = sessions_.find(id);
    if (it == sessions_.end()) return;
    ASSENT_DEBUG("session with %s (%s) is over: %s", it->second->info.program.c_str(), it->second->info.from.c_str(),
                 why.c_str());
    const bool greeted = it->second->greeted;
    it->second->stream->close();
    sessions_.erase(it);
    if (greeted) handlers_.on_closed(id);
}

void ClientServer::tick() {
    const int64_t now = raw_now_us();
    std::vector<std::pair<SessionId, const char*>> over;
    for (auto& [id, session] : sessions_) {
        const OutQueue& out = session->stream->out();
        if (!session->greeted) {
            if (now - session->progress_us > options_.hello_timeout_us) over.emplace_back(id, "no Hello came in time");
        } else if (session->application || out.empty() || out.written() != session->written) {
            session->written = out.written();
            session->progress_us = now;
        } else if (now - session->progress_us > options_.stall_us) {
            over.emplace_back(id, "it does not take its replies");
        }
    }
    for (const auto& [id, why] : over) close(id, pb::TIMED_OUT, why);
    std::erase_if(leaving_, [&](auto& item) {
        if (now - item.second.since_us <= kLeaveUs) return false;
        item.second.stream->close();
        return true;
    });
    tick_ = loop_.timer_once(kTickUs, [this] { tick(); });
}

}  // namespace assent::net
