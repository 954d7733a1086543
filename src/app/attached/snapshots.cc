#include "app/attached/snapshots.h"

#include <algorithm>

namespace assent::attached {

// ---- the client's wishes

void Snapshots::save(const Client& client, SendFn to_application) {
    phase_ = Phase::saving;
    client_ = client;
    to_application_ = std::move(to_application);
    got_ = taken_ = 0;
    pb::ToApplication message;
    message.mutable_snapshot_save()->set_id(++id_);
    message.mutable_snapshot_save()->set_chunk_bytes(kChunkBytes);
    message.mutable_snapshot_save()->set_window_bytes(kWindowBytes);
    to_application_(std::move(message));
}

void Snapshots::restore(const Client& client, const Restore& restore) {
    phase_ = Phase::waiting;
    client_ = client;
    restore_ = restore;
}

void Snapshots::begin_load(SendFn to_application) {
    phase_ = Phase::loading;
    to_application_ = std::move(to_application);
    got_ = taken_ = 0;
    pb::ToApplication message;
    pb::ToApplication::SnapshotLoad& load = *message.mutable_snapshot_load();
    load.set_id(++id_);
    load.set_index(restore_.index.value);
    load.set_bytes(restore_.bytes);
    load.set_window_bytes(kWindowBytes);
    load.set_cluster_high(restore_.cluster.high);
    load.set_cluster_low(restore_.cluster.low);
    to_application_(std::move(message));
    tell_taken(0);
    if (!restore_.bytes) all_sent();
}

void Snapshots::refuse(const Client& client, pb::Code code, const std::string& reason) {
    pb::Reply reply;
    reply.set_id(client.request);
    reply.set_code(code);
    reply.set_reason(reason);
    hooks_.reply(client.session, reply);
}

void Snapshots::reply(pb::Code code, const std::string& reason, Index index) {
    if (!client_) return;
    pb::Reply reply;
    reply.set_id(client_->request);
    reply.set_code(code);
    reply.set_reason(reason);
    reply.set_index(index.value);
    hooks_.reply(client_->session, reply);
    client_.reset();
}

void Snapshots::tell_taken(uint64_t bytes) {
    if (!client_) return;
    pb::ServerFrame frame;
    frame.mutable_snapshot_taken()->set_id(client_->request);
    frame.mutable_snapshot_taken()->set_bytes(bytes);
    hooks_.more(client_->session, client_->request, frame);
}

// ---- from the client

void Snapshots::from_client(uint64_t session, const pb::ClientFrame& frame) {
    if (!client_ || client_->session != session) return;
    if (frame.has_snapshot_chunk() && frame.snapshot_chunk().id() == client_->request && phase_ == Phase::loading) {
        from_client(frame.snapshot_chunk());
    } else if (frame.has_snapshot_taken() && frame.snapshot_taken().id() == client_->request &&
               phase_ == Phase::saving) {
        taken_ = std::max(taken_, std::min(got_, frame.snapshot_taken().bytes()));
        pb::ToApplication message;
        message.mutable_snapshot_taken()->set_id(id_);
        message.mutable_snapshot_taken()->set_bytes(taken_);
        to_application_(std::move(message));
    }
}

void Snapshots::from_client(const pb::SnapshotChunk& chunk) {
    const uint64_t size = chunk.data().size();
    if (chunk.offset() != got_ || size == 0 || size > restore_.bytes - got_ || got_ + size - taken_ > kWindowBytes)
        return give_up(pb::BAD_REQUEST, "a chunk of the snapshot is out of order, too long, or sent too early");
    pb::ToApplication message;
    *message.mutable_snapshot_chunk() = chunk;
    message.mutable_snapshot_chunk()->set_id(id_);
    to_application_(std::move(message));
    got_ += size;
    if (got_ == restore_.bytes) all_sent();
}

void Snapshots::all_sent() {
    phase_ = Phase::loaded;
    pb::ToApplication message;
    pb::SnapshotEnd& end = *message.mutable_snapshot_end();
    end.set_id(id_);
    end.set_index(restore_.index.value);
    end.set_bytes(restore_.bytes);
    to_application_(std::move(message));
}

void Snapshots::client_gone(uint64_t session) {
    if (!client_ || client_->session != session) return;
    client_.reset();
    give_up(pb::OTHER_ERROR, "whoever asked for it is gone");
}

// What the application has whole it loads to its end.
void Snapshots::give_up(pb::Code code, const std::string& reason) {
    reply(code, reason);
    pb::ToApplication message;
    if (phase_ == Phase::saving) {
        message.mutable_snapshot_abort()->set_id(id_);
        message.mutable_snapshot_abort()->set_reason(reason);
        to_application_(std::move(message));
    } else if (phase_ == Phase::loading) {
        message.mutable_snapshot_end()->set_id(id_);
        message.mutable_snapshot_end()->set_code(pb::OTHER_ERROR);
        message.mutable_snapshot_end()->set_reason(reason);
        to_application_(std::move(message));
    }
    if (phase_ != Phase::loaded) phase_ = Phase::none;
}

// ---- from the application

// What belongs to one that was given up is on its way for a while.
std::string Snapshots::chunk(const pb::SnapshotChunk& chunk) {
    if (chunk.id() > id_) return "it sends a chunk of a snapshot that nobody asked for";
    if (chunk.id() != id_ || phase_ != Phase::saving) return {};
    const uint64_t size = chunk.data().size();
    if (chunk.offset() != got_ || size > kChunkBytes || got_ + size - taken_ > kWindowBytes)
        return "a chunk of its snapshot is out of order, too long, or sent too early";
    got_ += size;
    pb::ServerFrame frame;
    *frame.mutable_snapshot_chunk() = chunk;
    frame.mutable_snapshot_chunk()->set_id(client_->request);
    hooks_.more(client_->session, client_->request, frame);
    return {};
}

std::string Snapshots::end(const pb::SnapshotEnd& end, Index given) {
    if (end.id() > id_) return "it ends a snapshot that nobody asked for";
    if (end.id() != id_ || phase_ != Phase::saving) return {};
    if (end.code() != pb::DONE) {
        reply(end.code() == pb::BUSY ? pb::BUSY : pb::OTHER_ERROR,
              "the application could not save its state: " + end.reason());
    } else if (end.bytes() != got_ || end.index() > given.value) {
        return "the end of its snapshot says other bytes than it sent, or an index that it was not given";
    } else {
        reply(pb::DONE, "", Index(end.index()));
    }
    phase_ = Phase::none;
    return {};
}

std::string Snapshots::taken(const pb::SnapshotTaken& taken) {
    if (taken.id() > id_) return "it takes chunks of a snapshot that it was not sent";
    if (taken.id() != id_ || !loading()) return {};
    if (taken.bytes() > got_) return "it takes more of a snapshot than it was sent";
    taken_ = std::max(taken_, taken.bytes());
    tell_taken(taken_);
    return {};
}

Snapshots::Loaded Snapshots::loaded(const pb::FromApplication::SnapshotLoaded& said) {
    if (said.id() > id_) return Loaded::broken;
    if (said.id() != id_ || !loading()) return Loaded::stale;
    if (said.code() != pb::DONE) return Loaded::failed;
    return phase_ == Phase::loaded ? Loaded::done : Loaded::broken;
}

void Snapshots::finished(pb::Code code, const std::string& reason) {
    reply(code, reason, restore_.index);
    phase_ = Phase::none;
}

void Snapshots::application_gone() {
    if (phase_ == Phase::saving) {
        reply(pb::OTHER_ERROR, "the application went away in the middle of it");
    } else if (loading()) {
        reply(pb::BUSY, "the application went away in the middle of it: begin anew");
    } else {
        return;  // a restore waits for the next one
    }
    phase_ = Phase::none;
}

void Snapshots::tick(int64_t now_us) {
    if (!client_ || now_us < client_->deadline_us) return;
    switch (phase_) {
        case Phase::waiting:
            give_up(pb::TIMED_OUT,
                    "nothing was done: no application attached in time that can take it, or it did not "
                    "finish what it had in hand");
            break;
        case Phase::loaded:
            reply(pb::UNKNOWN, "the application has the whole snapshot, and has not loaded it yet");
            break;
        default: give_up(pb::TIMED_OUT, "the application, or the client, was too slow for the time limit");
    }
}

}  // namespace assent::attached
