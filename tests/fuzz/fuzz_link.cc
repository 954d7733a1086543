// Another node that sends anything over the side channel, on a connection that it dialled or as the answer on one that
// this node dialled. Frames of messages and forwarded requests go on to their decoders, as in the daemon.
#include <cerrno>
#include <sys/socket.h>

#include "core/message.h"
#include "fuzz/heap_bound.h"
#include "fuzz/input.h"
#include "net/links.h"
#include "proto/peer.pb.h"
#include "wire/message_codec.h"

namespace {

using namespace assent;

constexpr NodeId kSelf(1), kPeer(2);
constexpr size_t kMaxFrame = 64u << 10;
constexpr int64_t kNever = int64_t(3600) * 1'000'000;

// Byte 0 of the input.
enum How : uint8_t { answers = 1, hello_first = 2 };

class Node {
  public:
    Node() {
        sockaddr_storage any{};
        any.ss_family = AF_INET;
        peer_ = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        const net::Address local = *net::Address::parse("127.0.0.1", 0);
        ASSENT_ASSERT(::bind(peer_.get(), local.data(), local.size()) == 0 && ::listen(peer_.get(), 8) == 0);
        sockaddr_storage bound{};
        socklen_t size = sizeof bound;
        ::getsockname(peer_.get(), reinterpret_cast<sockaddr*>(&bound), &size);
        net::LinkOptions options;
        options.node = kSelf;
        options.cluster = "fuzz";
        options.listen_ip = "127.0.0.1";
        options.listen_port = 0;
        options.ping_us = options.pong_timeout_us = options.hello_timeout_us = kNever;
        options.stall_us = options.silence_us = kNever;
        options.redial_min_us = options.redial_max_us = 1;
        options.max_frame = kMaxFrame;
        links_ = std::make_unique<net::Links>(
            loop_, options,
            [](NodeId from, net::FrameKind kind, std::string_view payload) { received(from, kind, payload); },
            [](const std::vector<NodeId>& up) { ASSENT_ASSERT(up.empty() || up == std::vector{kPeer}); });
        loop_.on_batch_end([this] { end_of_batch(); });
        links_->set_peers({{kSelf, {"127.0.0.1", 1}}, {kPeer, {"127.0.0.1", net::Address(bound).port()}}});
        dialled_ = await_dialled();
    }

    // What this node dialled is answered with `bytes`; it must close the connection and dial again.
    void answer(const std::string& bytes) {
        (void)!::send(dialled_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        ::shutdown(dialled_.get(), SHUT_WR);
        dialled_ = await_dialled();
        ASSENT_ASSERT(links_->up().empty());
    }

    void dial(const std::string& bytes) {
        Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const net::Address to = *net::Address::parse("127.0.0.1", links_->port());
        int result = -1;
        do {  // the fuzzer's alarm interrupts
            result = ::connect(fd.get(), to.data(), to.size());
        } while (result != 0 && errno == EINTR);
        ASSENT_ASSERT(result == 0);
        (void)!::send(fd.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        run_batches(4);
        // A reset, for ports that wait for the end of TIME_WAIT would run out.
        const linger at_once{1, 0};
        ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        fd.reset();
        run_batches(2);
    }

  private:
    static void received(NodeId from, net::FrameKind kind, std::string_view payload) {
        ASSENT_ASSERT(from == kPeer && payload.size() < kMaxFrame);
        ASSENT_ASSERT(kind == net::FrameKind::message || kind == net::FrameKind::forward);
        if (kind == net::FrameKind::message) (void)wire::decode_message(payload);
        pb::Forwarded forwarded;
        (void)forwarded.ParseFromArray(payload.data(), int(payload.size()));
    }

    Fd await_dialled() {
        accepting_ = true;
        loop_.defer([] {});
        loop_.run();
        return std::move(accepted_);
    }

    void run_batches(int count) {
        batches_ = count;
        loop_.defer([] {});
        loop_.run();
    }

    void end_of_batch() {
        links_->flush();
        if (accepting_) {
            accepted_ = Fd(::accept4(peer_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            accepting_ = !accepted_;
            if (!accepting_) loop_.stop();
            return;
        }
        if (--batches_ <= 0)
            loop_.stop();
        else
            loop_.defer([] {});
    }

    Loop loop_;
    Fd peer_;      // listens
    Fd dialled_;   // by `links_`, taken by us
    Fd accepted_;  // the newest of that kind
    bool accepting_ = false;
    int batches_ = 0;
    std::unique_ptr<net::Links> links_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static Node node;
    fuzz::Input input(data, size);
    const uint8_t how = input.byte();
    std::string bytes;
    if (how & hello_first) {
        pb::LinkHello hello;
        hello.set_protocol_min(kProtocolMin);
        hello.set_protocol_max(kProtocolMax);
        hello.set_cluster("fuzz");
        hello.set_node(kPeer.value);
        const std::string payload = char(net::FrameKind::hello) + hello.SerializeAsString();
        bytes = net::frame_length(payload.size()) + payload;
    }
    bytes += input.rest();
    const fuzz::HeapBound bound((1u << 20) + 64 * size, fuzz::HeapBound::Blocks::small);
    if (how & answers)
        node.answer(bytes);
    else
        node.dial(bytes);
    return 0;
}
