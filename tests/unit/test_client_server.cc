// The daemon's side of client sessions, spoken to through bare sockets.
#include <gtest/gtest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cstdlib>
#include <random>

#include "net/client_server.h"
#include "net_support.h"

namespace assent::net {
namespace {

using test::closed_by_peer;
using test::connect_to;
using test::run_until;

struct Folder {
    std::string path = "/tmp/assent-test-XXXXXX";
    Folder() { EXPECT_NE(::mkdtemp(path.data()), nullptr); }
    ~Folder() {
        ::unlink(socket().c_str());
        ::rmdir(path.c_str());
    }
    std::string socket() const { return path + "/sock"; }
};

Fd connect_unix(const std::string& path) {
    sockaddr_un a{};
    a.sun_family = AF_UNIX;
    path.copy(a.sun_path, sizeof a.sun_path - 1);
    Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&a), sizeof a) != 0) return Fd();
    return fd;
}

std::string framed(const google::protobuf::MessageLite& message) {
    const std::string payload = message.SerializeAsString();
    return frame_length(payload.size()) + payload;
}

std::string hello_frame(uint32_t protocol = 1) {
    pb::ClientFrame frame;
    frame.mutable_hello()->set_protocol(protocol);
    frame.mutable_hello()->set_program("test");
    return framed(frame);
}

std::string write_frame(uint64_t id, const std::string& data = "data") {
    pb::ClientFrame frame;
    frame.mutable_request()->set_id(id);
    frame.mutable_request()->mutable_write()->set_data(data);
    return framed(frame);
}

class ClientServerTest : public testing::Test {
  protected:
    Folder folder_;
    Loop loop_;
    std::unique_ptr<ClientServer> server_;
    std::vector<std::pair<SessionId, pb::Request>> requests_;
    std::vector<SessionId> closed_;
    SessionInfo last_info_;
    bool refuse_ = false;
    bool refuse_attach_ = false;
    std::vector<SessionId> attached_;
    std::vector<pb::FromApplication> said_;
    std::vector<pb::ClientFrame> more_;

    ClientServerOptions options() const {
        ClientServerOptions o;
        o.path = folder_.socket();
        return o;
    }
    void serve(const ClientServerOptions& options) {
        ClientServer::Handlers handlers;
        handlers.on_hello = [this](const SessionInfo& info, const pb::Hello&, pb::HelloReply& reply) {
            last_info_ = info;
            reply.set_node(3);
            if (!refuse_) return;
            reply.set_code(pb::NOT_PERMITTED);
            reply.set_reason("not you");
        };
        handlers.on_request = [this](const SessionInfo& info, pb::Request&& request) {
            requests_.emplace_back(info.id, std::move(request));
        };
        handlers.on_closed = [this](SessionId id) { closed_.push_back(id); };
        handlers.on_attach = [this](const SessionInfo&, const pb::Attach&, pb::AttachReply& reply) {
            reply.set_next(8);
            if (!refuse_attach_) return;
            reply.set_code(pb::BUSY);
            reply.set_reason("not now");
        };
        handlers.on_attached = [this](SessionId id) { attached_.push_back(id); };
        handlers.on_application = [this](SessionId, const pb::FromApplication& m) { said_.push_back(m); };
        handlers.on_more = [this](SessionId, const pb::ClientFrame& frame) { more_.push_back(frame); };
        server_ = std::make_unique<ClientServer>(loop_, options, handlers);
    }
    bool until(const std::function<bool()>& done) {
        return run_until(loop_, done, [this] { server_->flush(); });
    }
    void send(const Fd& fd, const std::string& bytes) {
        for (size_t at = 0; at < bytes.size();) {
            const ssize_t n = ::send(fd.get(), bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (n > 0)
                at += size_t(n);
            else
                ASSERT_TRUE(until([&] { return true; }));
        }
    }
    // The next frame from the server.
    pb::ServerFrame receive(const Fd& fd, FrameReader& reader) {
        std::string_view bytes;
        EXPECT_TRUE(
            until([&] { return reader.next(bytes) || (reader.read_from(fd.get(), 1u << 20), reader.next(bytes)); }));
        pb::ServerFrame frame;
        EXPECT_TRUE(frame.ParseFromArray(bytes.data(), int(bytes.size())));
        return frame;
    }
    pb::ServerFrame receive(const Fd& fd) {
        FrameReader reader(64u << 20);
        return receive(fd, reader);
    }
    Fd session() {
        Fd fd = connect_unix(folder_.socket());
        EXPECT_TRUE(fd);
        send(fd, hello_frame());
        EXPECT_EQ(receive(fd).hello().code(), pb::DONE);
        return fd;
    }
    static pb::Reply reply_to(uint64_t id, const std::string& result = "") {
        pb::Reply reply;
        reply.set_id(id);
        reply.set_result(result);
        return reply;
    }
};

TEST_F(ClientServerTest, AnswersInAnyOrder) {
    serve(options());
    const Fd fd = session();
    EXPECT_TRUE(last_info_.local);
    EXPECT_EQ(last_info_.uid, ::getuid());
    EXPECT_EQ(last_info_.pid, ::getpid());
    EXPECT_EQ(last_info_.program, "test");
    send(fd, write_frame(1) + write_frame(2) + write_frame(3));
    ASSERT_TRUE(until([&] { return requests_.size() == 3; }));
    const SessionId id = requests_[0].first;
    EXPECT_TRUE(server_->reply(id, reply_to(3)));
    EXPECT_TRUE(server_->reply(id, reply_to(1)));
    EXPECT_FALSE(server_->reply(id, reply_to(1))) << "only once";
    EXPECT_FALSE(server_->reply(id, reply_to(9))) << "never asked";
    EXPECT_FALSE(server_->reply(id + 1, reply_to(2))) << "no such session";
    EXPECT_TRUE(server_->reply(id, reply_to(2)));
    FrameReader reader(1'000);
    for (uint64_t expected : {3, 1, 2}) EXPECT_EQ(receive(fd, reader).reply().id(), expected);
}

// What belongs to a request goes to and fro until its reply, and not longer.
TEST_F(ClientServerTest, ARequestMayHaveMore) {
    serve(options());
    const Fd fd = session();
    pb::ClientFrame taken;
    taken.mutable_watch_taken()->set_id(4);
    send(fd, write_frame(4) + framed(taken));
    ASSERT_TRUE(until([&] { return more_.size() == 1; }));
    const SessionId id = requests_[0].first;
    pb::ServerFrame watched;
    watched.mutable_watched()->set_id(4);
    EXPECT_TRUE(server_->send(id, 4, watched));
    EXPECT_FALSE(server_->send(id, 5, watched)) << "never asked";
    EXPECT_TRUE(server_->reply(id, reply_to(4)));
    EXPECT_FALSE(server_->send(id, 4, watched)) << "answered";
    FrameReader reader(1'000);
    EXPECT_TRUE(receive(fd, reader).has_watched());
    EXPECT_TRUE(receive(fd, reader).has_reply());
    send(fd, framed(taken) + write_frame(6));
    ASSERT_TRUE(until([&] { return requests_.size() == 2; }));
    EXPECT_EQ(more_.size(), 1u) << "it came too late, which is no fault";
}

TEST_F(ClientServerTest, TellsWhenASessionCloses) {
    serve(options());
    Fd fd = session();
    send(fd, write_frame(1));
    ASSERT_TRUE(until([&] { return requests_.size() == 1; }));
    fd.reset();
    ASSERT_TRUE(until([&] { return closed_.size() == 1; }));
    EXPECT_EQ(closed_[0], requests_[0].first);
    EXPECT_FALSE(server_->reply(closed_[0], reply_to(1)));
    EXPECT_EQ(server_->find(closed_[0]), nullptr);
}

TEST_F(ClientServerTest, MalformedFramesAreAnsweredAndClosed) {
    serve(options());
    const std::string junk = frame_length(3) + "\xff\xff\xff";
    const std::string huge("\xff\xff\xff\x7f", 4);
    const std::string http = "GET / HTTP/1.1\r\n\r\n";
    for (const std::string& bytes : {junk, huge, http, frame_length(0), write_frame(1), hello_frame(2)}) {
        const Fd fd = connect_unix(folder_.socket());
        send(fd, bytes);
        const pb::ServerFrame answer = receive(fd);
        EXPECT_EQ(answer.hello().code(), pb::BAD_REQUEST);
        EXPECT_FALSE(answer.hello().reason().empty());
        EXPECT_TRUE(until([&] { return closed_by_peer(fd); }));
    }
    EXPECT_TRUE(closed_.empty()) << "they never were sessions";
    for (const std::string& bytes : {junk, huge, frame_length(0), hello_frame(), write_frame(1) + write_frame(1)}) {
        const Fd fd = session();
        send(fd, bytes);
        const pb::ServerFrame answer = receive(fd);
        EXPECT_EQ(answer.reply().code(), pb::BAD_REQUEST);
        EXPECT_EQ(answer.reply().id(), 0u);
        EXPECT_TRUE(until([&] { return closed_by_peer(fd); }));
    }
    EXPECT_EQ(closed_.size(), 5u);
    EXPECT_EQ(server_->sessions(), 0u);
}

TEST_F(ClientServerTest, UnknownKindsOfRequestCostNoSession) {
    serve(options());
    const Fd fd = session();
    pb::ClientFrame frame;
    frame.mutable_request()->set_id(5);
    send(fd, framed(frame));
    const pb::ServerFrame answer = receive(fd);
    EXPECT_EQ(answer.reply().id(), 5u);
    EXPECT_EQ(answer.reply().code(), pb::BAD_REQUEST);
    send(fd, write_frame(6));
    EXPECT_TRUE(until([&] { return requests_.size() == 1; }));
}

TEST_F(ClientServerTest, GarbageOfAnyKindLeavesTheServerWell) {
    serve(options());
    std::mt19937_64 random(5);
    for (int round = 0; round < 300; ++round) {
        const Fd fd = connect_unix(folder_.socket());
        std::string bytes = round % 2 ? hello_frame() : "";
        for (int piece = 0; piece < 3; ++piece) {
            std::string one = write_frame(uint64_t(piece), std::string(random() % 100, 'x'));
            for (int n = int(random() % 3); n > 0; --n) one[random() % one.size()] = char(random());
            bytes += one;
        }
        bytes.resize(random() % (bytes.size() + 1));
        send(fd, bytes);
        ::shutdown(fd.get(), SHUT_WR);
        ASSERT_TRUE(until([&] { return closed_by_peer(fd); })) << round;
    }
    ASSERT_TRUE(until([&] { return server_->sessions() == 0; }));
    session();
}

TEST_F(ClientServerTest, ReadsNoFurtherFromWhoHasTooMuchOutstanding) {
    ClientServerOptions o = options();
    o.max_requests = 4;
    serve(o);
    const Fd fd = session();
    const Fd other = session();
    std::string bytes;
    for (uint64_t id = 1; id <= 20; ++id) bytes += write_frame(id);
    send(fd, bytes);
    send(other, write_frame(100));
    ASSERT_TRUE(until([&] { return requests_.size() == 5; })) << "four of one, one of the other";
    EXPECT_EQ(std::count_if(requests_.begin(), requests_.end(), [](auto& r) { return r.second.id() <= 20; }), 4);
    // Each reply lets one more in, also those that were read from the socket already.
    std::vector<uint64_t> order;
    for (size_t done = 0; done < requests_.size(); ++done) {
        if (requests_[done].second.id() > 20) continue;
        order.push_back(requests_[done].second.id());
        ASSERT_TRUE(server_->reply(requests_[done].first, reply_to(order.back())));
        if (order.size() <= 16) {
            const size_t wanted = 1 + order.size() + 4;
            ASSERT_TRUE(until([&] { return requests_.size() >= wanted; }));
            EXPECT_EQ(requests_.size(), wanted);
        }
    }
    EXPECT_EQ(order.size(), 20u);
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST_F(ClientServerTest, BytesOutstandingAreBoundedToo) {
    ClientServerOptions o = options();
    o.max_request_bytes = 100'000;
    serve(o);
    const Fd fd = session();
    std::string bytes;
    for (uint64_t id = 1; id <= 4; ++id) bytes += write_frame(id, std::string(60'000, 'x'));
    send(fd, bytes);
    ASSERT_TRUE(until([&] { return requests_.size() == 2; }));
    const Fd witness = session();  // its HELLO came later and was answered
    EXPECT_EQ(requests_.size(), 2u);
    for (size_t i = 0; i < 2; ++i) server_->reply(requests_[i].first, reply_to(requests_[i].second.id()));
    EXPECT_TRUE(until([&] { return requests_.size() == 4; }));
}

TEST_F(ClientServerTest, LargeRepliesFlowAndASlowReaderIsHeldBack) {
    ClientServerOptions o = options();
    o.reply_bytes_pause = 1u << 20;
    serve(o);
    const Fd fd = session();
    std::string bytes;
    for (uint64_t id = 1; id <= 64; ++id) bytes += write_frame(id);
    send(fd, bytes);
    // Every request is answered with 1 MiB as soon as it comes; the client reads only in receive().
    FrameReader reader(2u << 20);
    size_t answered = 0;
    for (uint64_t id = 1; id <= 64; ++id) {
        ASSERT_TRUE(until([&] { return answered < requests_.size() || id <= answered; }));
        for (; answered < requests_.size(); ++answered)
            ASSERT_TRUE(server_->reply(requests_[answered].first,
                                       reply_to(requests_[answered].second.id(), std::string(1u << 20, 'r'))));
        EXPECT_EQ(receive(fd, reader).reply().id(), id);
    }
}

TEST_F(ClientServerTest, WhoTakesNoRepliesIsClosed) {
    ClientServerOptions o = options();
    o.stall_us = 100'000;
    serve(o);
    const Fd fd = session();
    send(fd, write_frame(1));
    ASSERT_TRUE(until([&] { return requests_.size() == 1; }));
    ASSERT_TRUE(server_->reply(requests_[0].first, reply_to(1, std::string(16u << 20, 'r'))));
    EXPECT_TRUE(until([&] { return closed_.size() == 1; }));
}

TEST_F(ClientServerTest, WhoSaysNoHelloIsClosed) {
    ClientServerOptions o = options();
    o.hello_timeout_us = 50'000;
    serve(o);
    const Fd fd = connect_unix(folder_.socket());
    EXPECT_EQ(receive(fd).hello().code(), pb::TIMED_OUT);
    EXPECT_TRUE(until([&] { return closed_by_peer(fd); }));
}

TEST_F(ClientServerTest, TheDaemonMayRefuse) {
    refuse_ = true;
    serve(options());
    const Fd fd = connect_unix(folder_.socket());
    send(fd, hello_frame());
    const pb::ServerFrame answer = receive(fd);
    EXPECT_EQ(answer.hello().code(), pb::NOT_PERMITTED);
    EXPECT_EQ(answer.hello().reason(), "not you");
    EXPECT_TRUE(until([&] { return closed_by_peer(fd); }));
}

TEST_F(ClientServerTest, SessionsAreBounded) {
    ClientServerOptions o = options();
    o.max_sessions = 2;
    serve(o);
    Fd one = session();
    const Fd two = session();
    const Fd three = connect_unix(folder_.socket());
    EXPECT_EQ(receive(three).hello().code(), pb::BUSY);
    EXPECT_TRUE(until([&] { return closed_by_peer(three); }));
    one.reset();
    ASSERT_TRUE(until([&] { return server_->sessions() == 1; }));
    session();
}

// ---- sessions of applications

std::string attach_frame() {
    pb::ClientFrame frame;
    frame.mutable_attach()->set_group("jobs");
    return framed(frame);
}

std::string accept_frame(uint64_t index) {
    pb::ClientFrame frame;
    frame.mutable_application()->mutable_accept()->set_index(index);
    return framed(frame);
}

TEST_F(ClientServerTest, AnApplicationAttachesAndIsSpokenWith) {
    serve(options());
    const Fd app = session();
    send(app, attach_frame());
    FrameReader reader(64u << 20);
    EXPECT_EQ(receive(app, reader).attach().next(), 8u);
    ASSERT_EQ(attached_.size(), 1u);
    send(app, accept_frame(5) + accept_frame(6));
    ASSERT_TRUE(until([&] { return said_.size() == 2; }));
    EXPECT_EQ(said_[1].accept().index(), 6u);
    pb::ToApplication m;
    m.mutable_cancel()->set_index(9);
    EXPECT_TRUE(server_->send(attached_[0], pb::ToApplication(m)));
    EXPECT_GT(server_->waiting_bytes(attached_[0]), 0u);
    EXPECT_EQ(receive(app, reader).application().cancel().index(), 9u);
    EXPECT_EQ(server_->waiting_bytes(attached_[0]), 0u);
    server_->close(attached_[0], pb::BUSY, "enough");
    EXPECT_EQ(receive(app, reader).application().detach().reason(), "enough");
    EXPECT_EQ(closed_, attached_);
    EXPECT_FALSE(server_->send(attached_[0], pb::ToApplication(m)));
}

TEST_F(ClientServerTest, ARefusedApplicationIsToldAndClosed) {
    serve(options());
    refuse_attach_ = true;
    const Fd app = session();
    send(app, attach_frame());
    EXPECT_EQ(receive(app).attach().reason(), "not now");
    EXPECT_TRUE(until([&] { return closed_by_peer(app); }));
    EXPECT_TRUE(attached_.empty());
}

TEST_F(ClientServerTest, AnApplicationsSessionTakesNoRequestsAndAClientsNoAnswers) {
    serve(options());
    const Fd app = session();
    send(app, attach_frame());
    FrameReader reader(64u << 20);
    receive(app, reader);
    send(app, write_frame(1));
    EXPECT_EQ(receive(app, reader).application().detach().code(), pb::BAD_REQUEST);
    const Fd client = session();
    send(client, accept_frame(1));
    EXPECT_EQ(receive(client).reply().code(), pb::BAD_REQUEST);
    const Fd both = session();
    send(both, write_frame(1) + attach_frame());
    EXPECT_EQ(receive(both).attach().code(), pb::BAD_REQUEST);
    EXPECT_TRUE(said_.empty());
}

TEST_F(ClientServerTest, NobodyAttachesOverTcp) {
    ClientServerOptions o = options();
    o.tcp = *Address::parse("127.0.0.1", 0);
    serve(o);
    const Fd fd = connect_to("127.0.0.1", server_->tcp_port());
    send(fd, hello_frame() + attach_frame());
    FrameReader reader(64u << 20);
    receive(fd, reader);
    EXPECT_EQ(receive(fd, reader).attach().code(), pb::NOT_PERMITTED);
}

TEST_F(ClientServerTest, AnApplicationThatDoesNotReadIsNotClosed) {
    ClientServerOptions o = options();
    o.stall_us = 1;
    serve(o);
    const Fd app = session();
    send(app, attach_frame());
    receive(app);
    pb::ToApplication m;
    m.mutable_query()->set_data(std::string(1u << 20, 'q'));
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(server_->send(attached_[0], pb::ToApplication(m)));
    const auto later =
        std::chrono::steady_clock::now() + std::chrono::milliseconds(1'200);  // two looks at the sessions
    ASSERT_TRUE(until([&] { return std::chrono::steady_clock::now() > later; }));
    EXPECT_TRUE(closed_.empty());
    EXPECT_GT(server_->waiting_bytes(attached_[0]), 0u);
}

TEST_F(ClientServerTest, TcpToo) {
    ClientServerOptions o = options();
    o.path.clear();
    o.tcp = *Address::parse("127.0.0.1", 0);
    serve(o);
    const Fd fd = connect_to("127.0.0.1", server_->tcp_port());
    send(fd, hello_frame() + write_frame(1));
    EXPECT_EQ(receive(fd).hello().node(), 3u);
    EXPECT_FALSE(last_info_.local);
    EXPECT_TRUE(until([&] { return requests_.size() == 1; }));
}

TEST_F(ClientServerTest, SocketFileIsPrivateAndGoesAway) {
    serve(options());
    struct stat s {};
    ASSERT_EQ(::stat(folder_.socket().c_str(), &s), 0);
    EXPECT_EQ(s.st_mode & 0777, 0660u);
    server_.reset();
    EXPECT_NE(::stat(folder_.socket().c_str(), &s), 0);
}

TEST_F(ClientServerTest, ReplacesADeadSocketAndNoOther) {
    {
        const Fd dead(::socket(AF_UNIX, SOCK_STREAM, 0));
        sockaddr_un a{};
        a.sun_family = AF_UNIX;
        folder_.socket().copy(a.sun_path, sizeof a.sun_path - 1);
        ASSERT_EQ(::bind(dead.get(), reinterpret_cast<sockaddr*>(&a), sizeof a), 0);
    }
    serve(options());
    session();
    try {
        ClientServer second(loop_, options(), {});
        FAIL() << "a daemon lives there";
    } catch (const Failure& e) {
        EXPECT_NE(std::string(e.what()).find("another daemon"), std::string::npos) << e.what();
    }
    session();  // and it still does
    server_.reset();
    ASSERT_TRUE(Fd(::open(folder_.socket().c_str(), O_CREAT | O_WRONLY, 0600)));
    EXPECT_THROW(ClientServer(loop_, options(), {}), Failure);
    struct stat s {};
    EXPECT_EQ(::stat(folder_.socket().c_str(), &s), 0) << "the file is not ours to remove";
}

}  // namespace
}  // namespace assent::net
