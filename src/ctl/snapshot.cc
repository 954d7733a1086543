#include "ctl/snapshot.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "ctl/snapshot_file.h"
#include "lib/client.h"

namespace assent::ctl {
namespace {

constexpr std::chrono::milliseconds kPause(250);
constexpr std::chrono::milliseconds kMargin(100);  // so that the daemon's own answer comes in time
constexpr uint64_t kChunk = 256 << 10;
constexpr uint64_t kWindow = 1 << 20;

struct Ended {
    Exit code = Exit::error;
    std::string reason;
    uint64_t index = 0;
};

// One request with what comes and goes before its reply.
class Transfer {
  public:
    Transfer(const Options& options, TimePoint deadline) : options_(options), deadline_(deadline) {}

    Ended connect() {
        Connected connected = assent::Client::connect(options_.socket, options_.group, "assentctl", deadline_);
        client_ = std::move(connected.client);
        return {exit_of(connected.code), connected.reason, 0};
    }
    const pb::HelloReply& hello() const { return client_->hello(); }
    void push(const pb::ClientFrame& frame) { client_->push(frame); }
    void stop(Ended ended) { stopped_ = std::move(ended); }

    Ended run(pb::Request request, std::function<void(const pb::ServerFrame&)> on_frame) {
        client_->on_frame(std::move(on_frame));
        const auto left = deadline_ - Clock::now() - kMargin;
        request.set_deadline_ms(
            uint64_t(std::max<int64_t>(1, std::chrono::duration_cast<std::chrono::milliseconds>(left).count())));
        id_ = client_->submit(std::move(request));
        pb::Reply reply;
        while (!stopped_ && !client_->take(reply)) {
            if (!client_->step(deadline_) && Clock::now() >= deadline_)
                return {Exit::timed_out, "the daemon did not answer in time", 0};
        }
        if (stopped_) return *stopped_;
        return {exit_of(reply.code()), reply.reason(), reply.index()};
    }
    uint64_t id() const { return id_; }

  private:
    const Options& options_;
    const TimePoint deadline_;
    std::unique_ptr<assent::Client> client_;
    uint64_t id_ = 0;
    std::optional<Ended> stopped_;
};

std::string cluster_text(const SnapshotHeader& h) {
    return fmt::format("{:016x}{:016x}", h.cluster_high, h.cluster_low);
}

Printed print_header(const SnapshotHeader& h, const char* done, const Options& options) {
    if (options.form == Form::json) {
        const Json json{{"schema", 1},
                        {"file", options.file},
                        {"group", h.group},
                        {"cluster_id", cluster_text(h)},
                        {"index", h.index},
                        {"bytes", h.bytes},
                        {"checksum", fmt::format("{:08x}", h.checksum)}};
        return {Exit::done, dump(json) + "\n", ""};
    }
    return {Exit::done,
            fmt::format("{}: group {}, index {}, {} bytes, cluster {}\n", done, h.group, h.index, h.bytes,
                        cluster_text(h)),
            ""};
}

Printed save(const Options& options, TimePoint deadline) {
    Transfer transfer(options, deadline);
    if (Ended c = transfer.connect(); c.code != Exit::done) return print_failure(c.code, c.reason, options);
    const pb::HelloReply& hello = transfer.hello();
    if (!hello.cluster_high() && !hello.cluster_low())
        return print_failure(Exit::busy, "this node belongs to no cluster yet", options);
    SnapshotWriter writer(options.file, options.group);
    if (std::string why = writer.open(); !why.empty()) return print_failure(Exit::error, why, options);
    pb::Request request;
    request.set_group(options.group);
    request.mutable_snapshot_save();
    const Ended ended = transfer.run(std::move(request), [&](const pb::ServerFrame& frame) {
        if (!frame.has_snapshot_chunk()) return;
        std::string why = frame.snapshot_chunk().offset() == writer.header().bytes
                              ? writer.append(frame.snapshot_chunk().data())
                              : "the snapshot came out of order";
        if (!why.empty()) transfer.stop({Exit::error, why, 0});
        pb::ClientFrame taken;
        taken.mutable_snapshot_taken()->set_id(transfer.id());
        taken.mutable_snapshot_taken()->set_bytes(writer.header().bytes);
        transfer.push(taken);
    });
    if (ended.code != Exit::done) return print_failure(ended.code, ended.reason, options);
    if (std::string why = writer.finish(hello.cluster_high(), hello.cluster_low(), ended.index); !why.empty())
        return print_failure(Exit::error, why, options);
    return print_header(writer.header(), "saved", options);
}

// Chunks as far as the window goes.
void send_chunks(Transfer& transfer, const SnapshotReader& reader, uint64_t& sent, uint64_t upto) {
    while (sent < upto) {
        auto piece = reader.read(sent, size_t(std::min(kChunk, upto - sent)));
        if (!piece || piece->empty())
            return transfer.stop({Exit::error, piece ? "the file shrank meanwhile" : piece.error(), 0});
        pb::ClientFrame frame;
        frame.mutable_snapshot_chunk()->set_id(transfer.id());
        frame.mutable_snapshot_chunk()->set_offset(sent);
        sent += piece->size();
        frame.mutable_snapshot_chunk()->set_data(std::move(*piece));
        transfer.push(frame);
    }
}

Ended restore_once(const Options& options, TimePoint deadline, const SnapshotReader& reader,
                   const SnapshotHeader& header) {
    Transfer transfer(options, deadline);
    if (Ended c = transfer.connect(); c.code != Exit::done) return c;
    pb::Request request;
    request.set_group(options.group);
    pb::SnapshotRestoreRequest& restore = *request.mutable_snapshot_restore();
    restore.set_index(header.index);
    restore.set_bytes(header.bytes);
    restore.set_cluster_high(header.cluster_high);
    restore.set_cluster_low(header.cluster_low);
    uint64_t sent = 0;
    return transfer.run(std::move(request), [&](const pb::ServerFrame& frame) {
        if (frame.has_snapshot_taken())
            send_chunks(transfer, reader, sent, std::min(header.bytes, frame.snapshot_taken().bytes() + kWindow));
    });
}

// An application that went away in the middle gets it again from the beginning when it is back.
Printed restore(const Options& options, TimePoint deadline) {
    SnapshotReader reader;
    auto header = reader.open(options.file);
    if (!header) return print_failure(Exit::bad_data, header.error(), options);
    if (header->group != options.group)
        return print_failure(Exit::bad_data, options.file + " is of group " + header->group, options);
    Ended ended;
    do {
        ended = restore_once(options, deadline, reader, *header);
        if (ended.code != Exit::busy || deadline - Clock::now() <= kPause + kMargin) break;
        std::this_thread::sleep_for(kPause);
    } while (true);
    if (ended.code != Exit::done) return print_failure(ended.code, ended.reason, options);
    return print_header(*header, "restored", options);
}

}  // namespace

Printed run_snapshot(const Options& options, TimePoint deadline) {
    if (options.verb == Verb::snapshot_save) return save(options, deadline);
    if (options.verb == Verb::snapshot_restore) return restore(options, deadline);
    auto header = SnapshotReader().open(options.file);
    if (!header) return print_failure(Exit::bad_data, header.error(), options);
    return print_header(*header, "whole", options);
}

}  // namespace assent::ctl
