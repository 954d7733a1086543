// The blocking client against a server on a loop of its own thread.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/un.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <future>
#include <map>
#include <thread>

#include "lib/client.h"
#include "net/client_server.h"

namespace assent {
namespace {

using std::chrono::milliseconds;

// Echoes what is asked. Writes of "later" are never answered; "drop" ends the session.
class EchoServer {
  public:
    EchoServer() {
        ::mkdtemp(folder_.data());
        start();
    }
    ~EchoServer() {
        stop();
        ::rmdir(folder_.c_str());
    }
    std::string path() const { return folder_ + "/sock"; }
    uint16_t port() const { return port_; }
    size_t closed() const { return closed_; }
    void start() {
        std::promise<void> ready;
        thread_ = std::thread([&] { serve(ready); });
        ready.get_future().wait();
    }
    void stop() {
        if (!thread_.joinable()) return;
        loop_->stop();
        thread_.join();
    }

  private:
    void serve(std::promise<void>& ready) {
        Loop loop;
        net::ClientServerOptions options;
        options.path = path();
        options.tcp = *net::Address::parse("127.0.0.1", 0);
        std::unique_ptr<net::ClientServer> server;
        net::ClientServer::Handlers handlers;
        handlers.on_hello = [](const net::SessionInfo&, const pb::Hello& hello, pb::HelloReply& reply) {
            if (hello.group() == "nosuch") {
                reply.set_code(pb::BAD_REQUEST);
                reply.set_reason("there is no group nosuch");
            }
            reply.mutable_client()->set_birth(10);
            reply.mutable_client()->set_random(20);
        };
        handlers.on_request = [&](const net::SessionInfo& info, pb::Request&& request) {
            const std::string& data = request.write().data();
            if (data == "later") return;
            if (data == "drop") return server->close(info.id, pb::OTHER_ERROR, "dropped");
            pb::Reply reply;
            reply.set_id(request.id());
            reply.set_result(request.has_read() ? request.read().query() : data);
            reply.set_sequence(request.sequence());
            reply.set_index(request.first_unanswered());
            reply.set_epoch(request.deadline_ms());
            if (data == "unknown") reply.set_code(pb::UNKNOWN);
            server->reply(info.id, std::move(reply));
        };
        handlers.on_closed = [this](net::SessionId) { ++closed_; };
        server = std::make_unique<net::ClientServer>(loop, options, handlers);
        port_ = server->tcp_port();
        loop.on_batch_end([&] { server->flush(); });
        loop_ = &loop;
        ready.set_value();
        loop.run();
    }

    std::string folder_ = "/tmp/assent-test-XXXXXX";
    Loop* loop_ = nullptr;
    uint16_t port_ = 0;
    std::atomic<size_t> closed_ = 0;
    std::thread thread_;
};

std::unique_ptr<Client> connected(const std::string& where) {
    Connected c = Client::connect(where, "kv", "test", deadline_in(milliseconds(5'000)));
    EXPECT_EQ(c.code, pb::DONE) << c.reason;
    return std::move(c.client);
}

Deadline soon() { return deadline_in(milliseconds(50)); }

Deadline enough() { return deadline_in(milliseconds(5'000)); }

TEST(Client, CallsByUnixSocketAndTcp) {
    EchoServer server;
    for (const std::string& where :
         {server.path(), "127.0.0.1:" + std::to_string(server.port()), "localhost:" + std::to_string(server.port())}) {
        const auto client = connected(where);
        ASSERT_TRUE(client);
        EXPECT_EQ(client->hello().client().birth(), 10u);
        const pb::Reply reply = client->call(client->write(std::string(1u << 20, 'x')), enough());
        EXPECT_EQ(reply.code(), pb::DONE) << reply.reason();
        EXPECT_EQ(reply.result().size(), 1u << 20);
        EXPECT_EQ(reply.sequence(), 1u);
        EXPECT_GT(reply.epoch(), 1'000u) << "the time left";
        EXPECT_LE(reply.epoch(), 5'000u);
        EXPECT_EQ(client->call(client->read("query"), enough()).result(), "query");
    }
}

TEST(Client, SaysWhyThereIsNoSession) {
    EchoServer server;
    const auto why = [](const std::string& where, const std::string& group = "kv") {
        Connected c = Client::connect(where, group, "test", enough());
        EXPECT_FALSE(c.client);
        EXPECT_FALSE(c.reason.empty());
        return c.code;
    };
    EXPECT_EQ(why("/nonexistent/sock"), pb::NOT_REACHABLE);
    EXPECT_EQ(why("127.0.0.1:1"), pb::NOT_REACHABLE);
    EXPECT_EQ(why("nothing"), pb::USAGE);
    EXPECT_EQ(why(":1"), pb::USAGE);
    EXPECT_EQ(why("/" + std::string(200, 'x')), pb::USAGE);
    EXPECT_EQ(why(server.path(), "nosuch"), pb::BAD_REQUEST);
}

TEST(Client, AServerThatDoesNotAnswerCostsNoMoreThanTheDeadline) {
    char folder[] = "/tmp/assent-test-XXXXXX";
    ASSERT_NE(::mkdtemp(folder), nullptr);
    sockaddr_un a{};
    a.sun_family = AF_UNIX;
    (std::string(folder) + "/sock").copy(a.sun_path, sizeof a.sun_path - 1);
    const Fd mute(::socket(AF_UNIX, SOCK_STREAM, 0));
    ASSERT_EQ(::bind(mute.get(), reinterpret_cast<sockaddr*>(&a), sizeof a), 0);
    ASSERT_EQ(::listen(mute.get(), 0), 0);
    std::vector<Connected> all;
    for (int i = 0; i < 3; ++i) {  // the backlog takes one; the others wait to connect
        all.push_back(Client::connect(a.sun_path, "kv", "test", soon()));
        EXPECT_EQ(all.back().code, pb::TIMED_OUT) << all.back().reason;
    }
    ::unlink(a.sun_path);
    ::rmdir(folder);
}

TEST(Client, ManyAtOnce) {
    EchoServer server;
    const auto client = connected(server.path());
    constexpr size_t count =
        20'000;  // more than a session may have outstanding: the server holds back, nothing is lost
    for (size_t i = 0; i < count; ++i) EXPECT_EQ(client->submit(client->write(std::to_string(i))), i + 1);
    std::vector<bool> seen(count);
    while (client->outstanding() > 0 || client->wait(enough())) {
        ASSERT_TRUE(client->wait(enough()));
        pb::Reply reply;
        while (client->take(reply)) {
            ASSERT_EQ(reply.code(), pb::DONE);
            ASSERT_EQ(reply.result(), std::to_string(reply.id() - 1));
            seen[reply.id() - 1] = true;
        }
    }
    EXPECT_EQ(std::count(seen.begin(), seen.end(), true), ptrdiff_t(count));
}

TEST(Client, KeepsCountOfWhatIsUnanswered) {
    EchoServer server;
    const auto client = connected(server.path());
    const auto first_unanswered = [&](const char* data) { return client->call(client->write(data), enough()).index(); };
    EXPECT_EQ(first_unanswered("a"), 1u);
    EXPECT_EQ(first_unanswered("b"), 2u);
    EXPECT_EQ(first_unanswered("unknown"), 3u);
    EXPECT_EQ(first_unanswered("c"), 3u);
    client->settled(3);
    EXPECT_EQ(first_unanswered("d"), 5u);
    EXPECT_EQ(client->call(client->write("later"), soon()).code(), pb::UNKNOWN);
    EXPECT_EQ(first_unanswered("e"), 6u);
}

TEST(Client, TimeLimitOfACall) {
    EchoServer server;
    const auto client = connected(server.path());
    pb::Reply reply = client->call(client->write("later"), soon());
    EXPECT_EQ(reply.code(), pb::UNKNOWN);
    EXPECT_EQ(reply.sequence(), 1u);
    EXPECT_EQ(reply.client().random(), 20u);
    EXPECT_EQ(client->call(client->write("next"), enough()).result(), "next") << "the session goes on";
}

TEST(Client, AWriteThatDidNotLeaveWillNotHappenLater) {
    EchoServer server;
    const auto client = connected(server.path());
    client->submit(client->write("later"));
    // Too much for the socket in one pass: with no time left, most of it is still here.
    for (int i = 0; i < 8; ++i) client->submit(client->write(std::string(2u << 20, 'x')));
    const pb::Reply reply = client->call(client->write("never"), deadline_in(milliseconds(0)));
    EXPECT_EQ(reply.code(), pb::TIMED_OUT) << reply.reason();
    EXPECT_EQ(client->outstanding(), 0u);
    pb::Reply other;
    ASSERT_TRUE(client->take(other));
    EXPECT_EQ(other.id(), 1u);
    EXPECT_EQ(other.code(), pb::UNKNOWN) << "it had left";
    EXPECT_EQ(client->call(client->write("more"), enough()).code(), pb::NOT_REACHABLE);
}

TEST(Client, LosesTheDaemon) {
    EchoServer server;
    auto client = connected(server.path());
    client->submit(client->write("later"));
    client->submit(client->read("q"));
    client->submit(client->write("drop"));
    std::map<uint64_t, pb::Reply> replies;
    while (client->wait(enough())) {
        pb::Reply reply;
        while (client->take(reply)) replies[reply.id()] = reply;
    }
    ASSERT_EQ(replies.size(), 3u);
    EXPECT_EQ(replies[1].code(), pb::UNKNOWN);
    EXPECT_NE(replies[1].reason().find("dropped"), std::string::npos) << replies[1].reason();
    EXPECT_EQ(replies[2].code(), pb::DONE);
    EXPECT_EQ(replies[3].code(), pb::UNKNOWN);

    client = connected(server.path());
    client->submit(client->write("later"));
    EXPECT_FALSE(client->wait(soon()));
    server.stop();
    ASSERT_TRUE(client->wait(enough()));
    pb::Reply reply;
    ASSERT_TRUE(client->take(reply));
    EXPECT_EQ(reply.code(), pb::UNKNOWN);
    server.start();
    EXPECT_EQ(client->call(client->write("x"), enough()).code(), pb::NOT_REACHABLE) << "a session does not come back";
    EXPECT_TRUE(connected(server.path()));
}

TEST(Client, WorksWithPoll) {
    EchoServer server;
    const auto client = connected(server.path());
    client->submit(client->write("x"));
    pb::Reply reply;
    while (!client->take(reply)) {
        pollfd p{client->fd(), short(POLLIN | (client->queued() ? POLLOUT : 0)), 0};
        ASSERT_EQ(::poll(&p, 1, 5'000), 1);
        ASSERT_TRUE(client->pump());
    }
    EXPECT_EQ(reply.result(), "x");
}

}  // namespace
}  // namespace assent
