// An attached application for the cluster tests, on the bare protocol (doc/application-protocol.md): it appends what is
// confirmed to a file, one line "INDEX TAB DATA", and what is cancelled as "INDEX TAB !REASON".
//
//   assent-test-application SOCKET GROUP NODE FILE [MAX_PENDING]
//
// What is written says how it behaves: "reject@1,3 …" is rejected on nodes 1 and 3, "die@2 …" kills it on node 2 when it is
// asked, "lie@3 …" is stored as something else on node 3 if it was asked about it in this run. Ends with 3 when it is told
// that a person has to do something. If there is a file FILE.die, it dies at the first chunk of a snapshot (and removes it);
// as long as there is a file FILE.reject, it rejects all that it is asked.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include "proto/client.pb.h"

namespace pb = assent::pb;

namespace {

[[noreturn]] void fail(const std::string& what) {
    std::fprintf(stderr, "%s: %s\n", what.c_str(), std::strerror(errno));
    std::exit(1);
}

void print(const std::string& line) {
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);
}

// Does "WORD@LIST …" name this node?
bool names(const std::string& data, const std::string& word, const std::string& node) {
    if (data.compare(0, word.size() + 1, word + "@") != 0) return false;
    const std::string list = "," + data.substr(word.size() + 1, data.find(' ') - word.size() - 1) + ",";
    return list.find("," + node + ",") != std::string::npos;
}

// ---- the store: the cluster's id, then a line for each verdict

class Store {
  public:
    explicit Store(const std::string& path) : path_(path) {
        const size_t whole = read();
        fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (fd_ < 0) fail(path);
        if (::ftruncate(fd_, off_t(whole)) != 0) fail(path);  // a line that was not finished
    }
    // Bytes of whole lines. Before each Attach: another process may have had its turn with the file.
    size_t read() {
        applied_ = lines_ = high_ = low_ = 0;
        digest_ = kFnvBasis;
        waiting_.clear();
        std::ifstream in(path_);
        std::string line;
        size_t whole = 0;
        while (std::getline(in, line) && !in.eof()) {
            whole += line.size() + 1;
            if (line.compare(0, 8, "cluster ") == 0) {
                std::sscanf(line.c_str(), "cluster %lx %lx", &high_, &low_);
            } else {
                mix(line);
                applied_ = std::strtoull(line.c_str(), nullptr, 10);
                ++lines_;
            }
        }
        return whole;
    }
    std::string contents() const {
        std::ifstream in(path_, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    // Of a snapshot: into a file beside the store, which then takes its place.
    void add_new(const std::string& bytes) {
        std::ofstream out(path_ + ".new", std::ios::binary | std::ios::app);
        out << bytes << std::flush;
        if (!out) fail("writing the snapshot");
    }
    void drop_new() const { ::unlink((path_ + ".new").c_str()); }
    void replace() {
        ::close(fd_);
        fd_ = ::open((path_ + ".new").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (fd_ < 0 || ::fdatasync(fd_) != 0 || ::rename((path_ + ".new").c_str(), path_.c_str()) != 0) fail(path_);
        read();
    }
    bool rejects() const { return ::access((path_ + ".reject").c_str(), F_OK) == 0; }
    void die_if_asked() const {
        if (::unlink((path_ + ".die").c_str()) != 0) return;
        print("dies of a snapshot");
        std::_Exit(9);
    }
    void join(uint64_t high, uint64_t low) {
        if (high_ || !high) return;
        high_ = high;
        low_ = low;
        char line[64];
        std::snprintf(line, sizeof line, "cluster %lx %lx\n", high, low);
        waiting_ += line;
    }
    void add(uint64_t index, const std::string& text) {
        applied_ = index;
        ++lines_;
        const std::string line = std::to_string(index) + "\t" + text;
        mix(line);
        waiting_ += line + "\n";
    }
    void sync() {
        if (waiting_.empty()) return;
        if (::write(fd_, waiting_.data(), waiting_.size()) != ssize_t(waiting_.size())) fail("writing the store");
        if (::fdatasync(fd_) != 0) fail("fdatasync");
        waiting_.clear();
    }
    // Of all that was added, or read.
    uint64_t digest() const { return digest_; }
    uint64_t applied() const { return applied_; }
    uint64_t lines() const { return lines_; }
    uint64_t high() const { return high_; }
    uint64_t low() const { return low_; }

  private:
    static constexpr uint64_t kFnvBasis = 0xcbf29ce484222325;
    void mix(const std::string& line) {
        for (const char c : line + "\n") digest_ = (digest_ ^ uint8_t(c)) * 0x100000001b3;
    }

    const std::string path_;
    int fd_ = -1;
    uint64_t digest_ = kFnvBasis;
    uint64_t applied_ = 0, lines_ = 0, high_ = 0, low_ = 0;
    std::string waiting_;
};

// ---- the connection

class Application {
  public:
    Application(char** argv, int argc)
        : path_(argv[1]), group_(argv[2]), node_(argv[3]), store_(argv[4]),
          max_pending_(argc > 5 ? uint32_t(std::atoi(argv[5])) : 0) {}

    void run() {
        for (;;) {
            if (connect()) serve();
            ::close(fd_);
            ::poll(nullptr, 0, 50);  // the daemon is not there, or busy: again after a while
        }
    }

  private:
    bool connect() {
        in_.clear();
        out_.clear();
        fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_un a{};
        a.sun_family = AF_UNIX;
        path_.copy(a.sun_path, sizeof a.sun_path - 1);
        if (::connect(fd_, reinterpret_cast<sockaddr*>(&a), sizeof a) != 0) return false;
        pb::ClientFrame hello;
        hello.mutable_hello()->set_protocol(1);
        hello.mutable_hello()->set_program("test application");
        push(hello);
        pb::ClientFrame frame;
        store_.read();
        pb::Attach& attach = *frame.mutable_attach();
        attach.set_group(group_);
        attach.set_applied(store_.applied());
        attach.set_durable(store_.applied());
        attach.set_cluster_high(store_.high());
        attach.set_cluster_low(store_.low());
        attach.set_max_pending(max_pending_);
        attach.set_digests(true);
        attach.set_snapshots(true);
        push(frame);
        return true;
    }

    // Until the connection ends. What one read(2) brought is answered with one write(2), after one sync.
    void serve() {
        while (flush()) {
            char buffer[1 << 16];
            const ssize_t n = ::read(fd_, buffer, sizeof buffer);
            if (n <= 0) return;
            in_.append(buffer, size_t(n));
            size_t at = 0;
            uint32_t size = 0;
            for (; in_.size() - at >= 4; at += 4 + size) {
                std::memcpy(&size, in_.data() + at, 4);
                if (in_.size() - at - 4 < size) break;
                pb::ServerFrame frame;
                if (!frame.ParseFromArray(in_.data() + at + 4, int(size))) fail("a frame is malformed");
                take(frame);
            }
            in_.erase(0, at);
            store_.sync();
        }
    }

    void take(const pb::ServerFrame& frame) {
        if (frame.has_attach()) {
            const pb::AttachReply& r = frame.attach();
            print("attach: " + std::to_string(r.code()) + " next " + std::to_string(r.next()) + " " + r.reason());
            if (r.code() != pb::DONE && r.code() != pb::BUSY) std::exit(3);
            store_.join(r.cluster_high(), r.cluster_low());
        } else if (frame.has_application()) {
            take(frame.application());
        }
    }

    void take(const pb::ToApplication& m) {
        pb::ClientFrame frame;
        pb::FromApplication& answer = *frame.mutable_application();
        switch (m.what_case()) {
            case pb::ToApplication::kJoined: store_.join(m.joined().cluster_high(), m.joined().cluster_low()); return;
            case pb::ToApplication::kPrepare: prepare(m.prepare(), answer); break;
            case pb::ToApplication::kConfirm:
                store_.add(m.confirm().index(), stored(m.confirm()));
                answer.mutable_applied()->set_index(m.confirm().index());
                answer.mutable_applied()->set_durable(m.confirm().index());
                answer.mutable_applied()->set_result("line " + std::to_string(store_.lines()));
                break;
            case pb::ToApplication::kCancel: store_.add(m.cancel().index(), "!" + m.cancel().reason()); return;
            case pb::ToApplication::kQuery:
                answer.mutable_answer()->set_id(m.query().id());
                answer.mutable_answer()->set_data(std::to_string(store_.lines()));
                break;
            case pb::ToApplication::kDigest:
                answer.mutable_digest()->set_index(m.digest().index());
                answer.mutable_digest()->set_value(store_.digest());
                break;
            case pb::ToApplication::kSnapshotSave: return save(m.snapshot_save());
            case pb::ToApplication::kSnapshotLoad: return store_.drop_new();
            case pb::ToApplication::kSnapshotChunk:
                store_.die_if_asked();
                store_.add_new(m.snapshot_chunk().data());
                answer.mutable_snapshot_taken()->set_id(m.snapshot_chunk().id());
                answer.mutable_snapshot_taken()->set_bytes(m.snapshot_chunk().offset() +
                                                           m.snapshot_chunk().data().size());
                break;
            case pb::ToApplication::kSnapshotEnd:
                if (m.snapshot_end().code() != pb::DONE) return store_.drop_new();
                store_.replace();
                print("loaded a snapshot of index " + std::to_string(store_.applied()));
                answer.mutable_snapshot_loaded()->set_id(m.snapshot_end().id());
                break;
            case pb::ToApplication::kPing: answer.mutable_pong()->set_id(m.ping().id()); break;
            case pb::ToApplication::kDetach:
                print("detach: " + m.detach().reason());
                if (m.detach().code() != pb::BUSY) std::exit(3);
                return;
            default: return;
        }
        push(frame);
    }

    // In small pieces; the window is far larger.
    void save(const pb::ToApplication::SnapshotSave& s) {
        store_.sync();
        const std::string all = store_.contents();
        pb::ClientFrame frame;
        for (size_t at = 0; at < all.size(); at += kPiece) {
            pb::SnapshotChunk& chunk = *frame.mutable_application()->mutable_snapshot_chunk();
            chunk.set_id(s.id());
            chunk.set_offset(at);
            chunk.set_data(all.substr(at, kPiece));
            push(frame);
            flush();
            store_.die_if_asked();
        }
        pb::SnapshotEnd& end = *frame.mutable_application()->mutable_snapshot_end();
        end.set_id(s.id());
        end.set_index(store_.applied());
        end.set_bytes(all.size());
        push(frame);
    }

    std::string stored(const pb::ToApplication::Confirm& c) const {
        return names(c.data(), "lie", node_) && c.index() <= asked_ ? "a lie" : c.data();
    }

    void prepare(const pb::ToApplication::Prepare& p, pb::FromApplication& answer) {
        asked_ = p.index();
        if (names(p.data(), "die", node_)) {
            print("dies of " + std::to_string(p.index()));
            std::_Exit(9);
        }
        if (names(p.data(), "reject", node_) || store_.rejects()) {
            answer.mutable_reject()->set_index(p.index());
            answer.mutable_reject()->set_ask(p.ask());
            answer.mutable_reject()->set_reason("node " + node_ + " does not want it");
        } else {
            answer.mutable_accept()->set_index(p.index());
            answer.mutable_accept()->set_ask(p.ask());
        }
    }

    void push(const pb::ClientFrame& frame) {
        const std::string bytes = frame.SerializeAsString();
        const auto size = uint32_t(bytes.size());
        out_.append(reinterpret_cast<const char*>(&size), 4);
        out_ += bytes;
    }
    bool flush() {
        for (size_t at = 0; at < out_.size();) {
            const ssize_t n = ::send(fd_, out_.data() + at, out_.size() - at, MSG_NOSIGNAL);
            if (n <= 0) return false;
            at += size_t(n);
        }
        out_.clear();
        return true;
    }

    const std::string path_, group_, node_;
    Store store_;
    const uint32_t max_pending_;
    static constexpr size_t kPiece = 64;
    uint64_t asked_ = 0;
    int fd_ = -1;
    std::string in_, out_;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc < 5) {
        std::fprintf(stderr, "usage: %s SOCKET GROUP NODE FILE [MAX_PENDING]\n", argv[0]);
        return 64;
    }
    Application(argv, argc).run();
}
