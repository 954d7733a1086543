// A client that sends anything: a whole server on a unix socket, one session an input. The first bit of the input tells
// whether a good Hello goes first. The session must end, and the server must have answered or forgotten every request;
// what it sends are whole frames: HELLO's answer, then replies.
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdlib>
#include <deque>

#include "core/assert.h"
#include "net/client_server.h"

namespace {

using namespace assent;

class Server {
  public:
    Server() {
        if (!::mkdtemp(folder_.data())) std::abort();
        net::ClientServerOptions options;
        options.path = folder_ + "/sock";
        options.max_requests = 8;
        options.max_frame = 64u << 10;
        net::ClientServer::Handlers handlers;
        handlers.on_hello = [](const net::SessionInfo&, const pb::Hello&, pb::HelloReply&) {};
        handlers.on_request = [this](const net::SessionInfo& info, pb::Request&& request) {
            waiting_.emplace_back(info.id, request.id());
        };
        handlers.on_closed = [](net::SessionId) {};
        server_ = std::make_unique<net::ClientServer>(loop_, options, handlers);
        loop_.on_batch_end([this] { end_of_batch(); });
    }
    ~Server() {
        server_.reset();
        ::rmdir(folder_.c_str());
    }

    void session(std::string bytes) {
        Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un a{};
        a.sun_family = AF_UNIX;
        (folder_ + "/sock").copy(a.sun_path, sizeof a.sun_path - 1);
        if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&a), sizeof a) != 0) std::abort();
        (void)!::send(fd.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        ::shutdown(fd.get(), SHUT_WR);
        seen_ = false;
        loop_.run();
        check_sent(fd);
    }

  private:
    static void check_sent(const Fd& fd) {
        net::FrameReader reader(SIZE_MAX);
        while (reader.read_from(fd.get(), SIZE_MAX) == net::FrameReader::Input::open) continue;
        std::string_view bytes;
        for (bool first = true; reader.next(bytes); first = false) {
            pb::ServerFrame frame;
            ASSENT_ASSERT(frame.ParseFromArray(bytes.data(), int(bytes.size())));
            ASSENT_ASSERT(first == frame.has_hello() && frame.what_case() != pb::ServerFrame::WHAT_NOT_SET);
        }
        ASSENT_ASSERT(reader.pending() == 0);
    }

    // Half of the requests are answered at once, in reverse; the others when the next come.
    void end_of_batch() {
        for (size_t n = (waiting_.size() + 1) / 2; n > 0; --n) {
            pb::Reply reply;
            reply.set_id(waiting_.back().second);
            server_->reply(waiting_.back().first, reply);
            waiting_.pop_back();
        }
        server_->flush();
        seen_ = seen_ || server_->sessions() > 0;
        if (seen_ && server_->sessions() == 0 && waiting_.empty())
            loop_.stop();
        else if (!waiting_.empty())
            loop_.defer([] {});
        if (!seen_ && ++idle_ > 3) loop_.stop();  // it came and went within one batch
        if (seen_) idle_ = 0;
    }

    std::string folder_ = "/tmp/assent-fuzz-XXXXXX";
    Loop loop_;
    std::unique_ptr<net::ClientServer> server_;
    std::deque<std::pair<net::SessionId, uint64_t>> waiting_;
    bool seen_ = false;
    int idle_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static Server server;
    if (size == 0) return 0;
    std::string bytes;
    if (data[0] & 1) {
        pb::ClientFrame hello;
        hello.mutable_hello()->set_protocol(net::kClientProtocol);
        const std::string payload = hello.SerializeAsString();
        bytes = net::frame_length(payload.size()) + payload;
    }
    bytes.append(reinterpret_cast<const char*>(data + 1), size - 1);
    server.session(std::move(bytes));
    return 0;
}
