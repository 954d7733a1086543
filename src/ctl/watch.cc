#include "ctl/watch.h"

#include <algorithm>
#include <thread>

#include "app/kv/kv_write.h"
#include "lib/client.h"

namespace assent::ctl {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kPause(100);
constexpr uint32_t kWindow = 1u << 20;

const char* word_of(kv::WriteKind kind) {
    return kind == kv::WriteKind::put ? "put" : kind == kv::WriteKind::del ? "del" : "cas";
}

void add_or_null(Json& json, const std::string& name, const std::optional<std::string_view>& bytes) {
    if (bytes) {
        add_bytes(json, name, *bytes);
    } else {
        json[name] = nullptr;
    }
}

std::string kv_line(uint64_t index, const kv::Write& write, const Options& options) {
    const bool cas = write.kind == kv::WriteKind::cas;
    if (options.form == Form::json) {
        Json json{{"schema", 1}, {"index", index}, {"write", word_of(write.kind)}};
        add_bytes(json, "key", write.key);
        if (cas) add_or_null(json, "old", write.old_value);
        if (write.kind != kv::WriteKind::del) add_or_null(json, "value", write.value);
        return dump(json) + "\n";
    }
    std::string line = std::to_string(index) + "\t" + word_of(write.kind) + "\t" + one_line(write.key);
    if (cas) line += "\t" + (write.old_value ? one_line(*write.old_value) : "");
    if (write.kind != kv::WriteKind::del) line += "\t" + (write.value ? one_line(*write.value) : "");
    return line + "\n";
}

std::string raw_line(const pb::WatchedWrite& write, const Options& options) {
    if (options.form == Form::text) return std::to_string(write.index()) + "\t" + one_line(write.data()) + "\n";
    Json json{{"schema", 1}, {"index", write.index()}};
    add_bytes(json, "data", write.data());
    return dump(json) + "\n";
}

class Watch {
  public:
    Watch(const Options& options, TimePoint deadline, const std::function<bool(const std::string&)>& emit)
        : options_(options), deadline_(deadline), emit_(emit), from_(options.from) {}

    Printed run() {
        while (!over_) {
            session();
            if (!over_) std::this_thread::sleep_for(std::min<Clock::duration>(kPause, deadline_ - Clock::now()));
            over_ = over_ || Clock::now() >= deadline_;
        }
        return std::move(end_);
    }

  private:
    bool connect() {
        const TimePoint until = std::min(deadline_, Clock::now() + seconds(5));
        Connected connected = assent::Client::connect(options_.socket, "", "assentctl", until);
        client_ = std::move(connected.client);
        if (client_) return was_open_ = true;
        // Once it was there it is waited for: it is being started again.
        if (!was_open_) stop(print_failure(exit_of(connected.code), connected.reason, options_));
        return false;
    }

    // From where the last one ended.
    void session() {
        if (!connect()) return;
        client_->on_frame([this](const pb::ServerFrame& frame) {
            if (frame.has_watched() && !over_) watched(frame.watched());
        });
        pb::Request request;
        request.set_group(options_.group);
        request.mutable_watch()->set_from(from_);
        request.mutable_watch()->set_window_bytes(kWindow);
        client_->submit(std::move(request));
        pb::Reply reply;
        while (!over_ && !client_->take(reply)) {
            if (!client_->step(std::min(deadline_, Clock::now() + seconds(3600))) && Clock::now() >= deadline_) return;
        }
        if (!over_) ended(reply);
    }

    void watched(const pb::Watched& watched) {
        std::string text;
        for (const pb::WatchedWrite& write : watched.writes()) {
            const std::string line = write.index() < from_ ? "" : watched_line(write, options_);
            if (line.empty()) continue;
            text += line;
            if (options_.limit && ++lines_ == options_.limit) break;
        }
        from_ = watched.upto() + 1;
        if (!text.empty() && !emit_(text)) stop({});
        if (options_.limit && lines_ == options_.limit) stop({});
        pb::ClientFrame frame;
        frame.mutable_watch_taken()->set_id(watched.id());
        frame.mutable_watch_taken()->set_upto(watched.upto());
        client_->push(frame);
    }

    void ended(const pb::Reply& reply) {
        const Exit code = exit_of(reply.code());
        const bool again = code == Exit::busy || code == Exit::no_majority || code == Exit::no_master ||
                           code == Exit::unreachable || code == Exit::timed_out || code == Exit::done;
        if (!again) stop(print_failure(code, reply.reason(), options_));
    }

    void stop(Printed printed) {
        over_ = true;
        end_ = std::move(printed);
    }

    const Options& options_;
    const TimePoint deadline_;
    const std::function<bool(const std::string&)>& emit_;
    uint64_t from_;
    uint64_t lines_ = 0;
    std::unique_ptr<assent::Client> client_;
    bool was_open_ = false;
    bool over_ = false;
    Printed end_;
};

}  // namespace

std::string watched_line(const pb::WatchedWrite& write, const Options& options) {
    if (options.raw) return raw_line(write, options);
    const auto decoded = kv::decode_write(write.data());
    if (!decoded) return options.key.empty() ? raw_line(write, options) : std::string();
    if (decoded->key.substr(0, options.key.size()) != options.key) return {};
    return kv_line(write.index(), *decoded, options);
}

Printed run_watch(const Options& options, TimePoint deadline, const std::function<bool(const std::string&)>& emit) {
    return Watch(options, deadline, emit).run();
}

}  // namespace assent::ctl
