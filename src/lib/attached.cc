#include "lib/attached.h"

#include <algorithm>

namespace assent::lib {

namespace {

using std::chrono::milliseconds;

constexpr size_t kMostResult = 1u << 20;
constexpr size_t kMostReason = 1'024;
constexpr size_t kUndelivered = 32u << 20;  // bytes of events; beyond it the session is not read from
constexpr size_t kChunkRoom = 1u << 20;     // of the session's output, for chunks of a snapshot
constexpr milliseconds kBusyPause{200};

// Cut where a character begins.
std::string shortened(const char* text) {
    std::string s = text ? text : "";
    if (s.size() <= kMostReason) return s;
    size_t end = kMostReason;
    while (end > 0 && (uint8_t(s[end]) & 0xc0) == 0x80) --end;
    s.resize(end);
    return s;
}

const void* bytes_of(const std::string& s) { return s.empty() ? nullptr : s.data(); }

}  // namespace

Attached::Attached(const Owner& owner, const assent_model_v1_data_t& model, Reactor& reactor, Events& events,
                   const std::string& where, const std::string& program, const std::string& spool)
    : owner_(owner), model_(model), events_(events),
      session_(reactor, where, "", program,
               {[this](const pb::HelloReply&) { on_up(); },
                [this](pb::ServerFrame&& frame, size_t bytes) { on_frame(std::move(frame), bytes); },
                [this](bool was_up, pb::Code code, const std::string& why) { on_down(was_up, code, why); }}),
      snapshots_(spool, [this](pb::FromApplication&& from) { send(std::move(from)); }) {}

// ---- attaching

cs_error_t Attached::attach(const std::string& group, uint64_t applied, const assent_cluster_id_t& cluster, Time now) {
    if (stage_ != Stage::none && stage_ != Stage::refused) return CS_ERR_EXIST;
    stage_ = Stage::waiting;
    shown_ = ASSENT_DETACHED;
    shown_reason_.clear();
    group_ = group;
    cluster_ = cluster;
    applied_ = durable_ = delivered_ = applied;
    session_.start(now);
    return CS_OK;
}

cs_error_t Attached::detach(bool in_good_order) {
    if (stage_ == Stage::none) return CS_ERR_NOT_EXIST;
    if (session_.up()) {
        if (in_good_order) {
            pb::FromApplication from;
            from.mutable_detach();
            send(std::move(from));
        }
        session_.flush();
    }
    session_.stop();
    prepared_.clear();
    master_ = false;
    lose();
    stage_ = Stage::none;
    shown_ = ASSENT_DETACHED;
    return CS_OK;
}

void Attached::on_up() {
    pb::ClientFrame frame;
    pb::Attach& attach = *frame.mutable_attach();
    attach.set_group(group_);
    attach.set_cluster_high(cluster_.high);
    attach.set_cluster_low(cluster_.low);
    attach.set_applied(applied_);
    attach.set_durable(durable_);
    attach.set_max_pending(model_.max_pending);
    attach.set_snapshots(model_.snapshot_save && model_.snapshot_load);
    attach.set_digests(model_.digest != nullptr);
    session_.push(frame);
    stage_ = Stage::asked;
    given_ = applied_;
}

void Attached::on_attach(const pb::AttachReply& reply) {
    if (stage_ != Stage::asked) return session_.fail(pb::OTHER_ERROR, "the daemon answered Attach twice");
    if (reply.code() == pb::BUSY) return session_.fail(pb::BUSY, reply.reason(), kBusyPause);
    if (reply.code() != pb::DONE) return refuse(reply.code(), reply.reason());
    stage_ = Stage::attached;
    if (reply.cluster_high() || reply.cluster_low()) cluster_ = {reply.cluster_high(), reply.cluster_low()};
    shown_ = ASSENT_DETACHED;
    show(ASSENT_ATTACHED, pb::DONE, "", reply.next());
}

// The session is over: what it asked for is forgotten.
void Attached::lose() {
    ++generation_;
    asks_.clear();
    queries_.clear();
    held_.clear();
    digest_owed_ = false;
    snapshots_.lost();
    if (!prepared_.empty()) {
        const uint64_t from = *prepared_.begin();
        prepared_.clear();
        if (model_.withdraw) {
            events_.push([this, from] { model_.withdraw(owner_.handle, from, owner_.context); });
        }
    }
    if (master_) {
        master_ = false;
        if (model_.role) events_.push([this] { model_.role(owner_.handle, 0, 0, owner_.context); });
    }
}

void Attached::on_down(bool, pb::Code code, const std::string& reason) {
    lose();
    stage_ = Stage::waiting;
    show(ASSENT_DETACHED, code, reason);
    // A state that is being replaced is no state to attach with.
    if (snapshots_.given()) session_.stop();
}

void Attached::refuse(pb::Code code, const std::string& reason) {
    session_.stop();
    lose();
    stage_ = Stage::refused;
    show(ASSENT_REFUSED, code, reason);
}

void Attached::on_detach(const pb::Detach& detach) {
    if (detach.code() == pb::BUSY)
        session_.fail(pb::BUSY, detach.reason(), kBusyPause);
    else  // nobody asked for it: that is no success
        refuse(detach.code() == pb::DONE ? pb::OTHER_ERROR : detach.code(), detach.reason());
}

void Attached::show(assent_attachment_t state, pb::Code code, const std::string& reason, uint64_t next) {
    if (state == shown_ && state == ASSENT_DETACHED && reason == shown_reason_) return;
    shown_ = state;
    shown_reason_ = reason;
    if (!model_.application) return;
    events_.push([this, state, code, reason, next, cluster = cluster_] {
        assent_application_state_t s{};
        s.size = sizeof s;
        s.state = state;
        s.code = code;
        s.reason = reason.c_str();
        s.cluster = cluster;
        s.next = next;
        model_.application(owner_.handle, &s, owner_.context);
    });
}

// ---- what the daemon says

void Attached::push(std::function<bool()> begin, std::function<void()> run, size_t bytes) {
    Event event;
    event.bytes = bytes;
    event.begin = [this, generation = generation_, begin = std::move(begin)] {
        return generation == generation_ && (!begin || begin());
    };
    event.run = std::move(run);
    events_.push(std::move(event));
}

void Attached::on_frame(pb::ServerFrame&& frame, size_t bytes) {
    if (frame.has_attach())
        on_attach(frame.attach());
    else if (frame.has_application() && frame.application().has_detach())
        on_detach(frame.application().detach());
    else if (frame.has_application() && stage_ == Stage::attached)
        on_message(std::move(*frame.mutable_application()), bytes);
    else
        session_.fail(pb::OTHER_ERROR, "the daemon sent what does not belong into an application's session");
}

void Attached::on_message(pb::ToApplication&& m, size_t bytes) {
    switch (m.what_case()) {
        case pb::ToApplication::kJoined:
            cluster_ = {m.joined().cluster_high(), m.joined().cluster_low()};
            return show(ASSENT_ATTACHED, pb::DONE, "", delivered_ + 1);
        case pb::ToApplication::kPrepare: {
            const uint64_t token = ++last_token_, index = m.prepare().index(), ask = m.prepare().ask();
            return push(
                [this, token, index, ask] { return begin_prepare(token, index, ask); },
                [this, token, p = std::move(*m.mutable_prepare())] {
                    const assent_entry_t entry{p.index(), p.epoch(), token, bytes_of(p.data()), p.data().size()};
                    model_.prepare(owner_.handle, &entry, owner_.context);
                },
                bytes);
        }
        case pb::ToApplication::kConfirm: {
            const uint64_t index = m.confirm().index();
            on_given(index);
            return push([this, index] { return begin_verdict(index); },
                        [this, c = std::move(*m.mutable_confirm())] {
                            const assent_entry_t entry{c.index(), c.epoch(), 0, bytes_of(c.data()), c.data().size()};
                            model_.confirm(owner_.handle, &entry, owner_.context);
                        },
                        bytes);
        }
        case pb::ToApplication::kCancel: {
            const uint64_t index = m.cancel().index();
            on_given(index);
            return push([this, index] { return begin_verdict(index) && model_.cancel; },
                        [this, index, reason = m.cancel().reason()] {
                            model_.cancel(owner_.handle, index, reason.c_str(), owner_.context);
                        },
                        bytes);
        }
        case pb::ToApplication::kWithdraw: return on_withdraw(m.withdraw().from());
        case pb::ToApplication::kQuery: return on_query(std::move(*m.mutable_query()), bytes);
        case pb::ToApplication::kRole: return on_role(m.role());
        case pb::ToApplication::kDigest: return on_digest(m.digest().index());
        case pb::ToApplication::kPing:
            return push(
                [this, id = m.ping().id()] {
                    pb::FromApplication from;
                    from.mutable_pong()->set_id(id);
                    send(std::move(from));
                    return false;
                },
                nullptr);
        case pb::ToApplication::kSnapshotSave:
        case pb::ToApplication::kSnapshotLoad:
        case pb::ToApplication::kSnapshotChunk:
        case pb::ToApplication::kSnapshotEnd:
        case pb::ToApplication::kSnapshotTaken:
        case pb::ToApplication::kSnapshotAbort: return on_snapshot(std::move(m));
        default: return;  // of a later version, which must not depend on it
    }
}

bool Attached::begin_prepare(uint64_t token, uint64_t index, uint64_t ask) {
    if (index <= delivered_) return false;
    std::erase_if(asks_, [index](const auto& item) { return item.second.index == index; });
    asks_[token] = {index, ask};
    prepared_.insert(index);
    return true;
}

// What the application has in hand from an earlier session is not given to it twice.
bool Attached::begin_verdict(uint64_t index) {
    if (index <= delivered_) return false;
    delivered_ = index;
    digest_owed_ = false;
    forget_asks(0, index);
    return true;
}

// The daemon takes no Applied for what it has not given in this session.
void Attached::on_given(uint64_t index) {
    given_ = std::max(given_, index);
    while (!held_.empty() && held_.front().applied().index() <= given_) {
        send(std::move(held_.front()));
        held_.pop_front();
    }
}

void Attached::forget_asks(uint64_t from, uint64_t upto) {
    std::erase_if(asks_, [=](const auto& item) { return item.second.index >= from && item.second.index <= upto; });
    prepared_.erase(prepared_.lower_bound(from), prepared_.upper_bound(upto));
}

void Attached::on_withdraw(uint64_t from) {
    push(
        [this, from] {
            const bool any = prepared_.lower_bound(from) != prepared_.end();
            forget_asks(from, UINT64_MAX);
            return any && model_.withdraw;
        },
        [this, from] { model_.withdraw(owner_.handle, from, owner_.context); });
}

void Attached::on_query(pb::ToApplication::Query&& query, size_t bytes) {
    const uint64_t token = ++last_token_, id = query.id();
    push(
        [this, token, id] {
            queries_[token] = id;
            return true;
        },
        [this, token, q = std::move(query)] {
            model_.query(owner_.handle, token, bytes_of(q.data()), q.data().size(), owner_.context);
        },
        bytes);
}

void Attached::on_role(const pb::ToApplication::Role& role) {
    master_ = role.master();
    if (!model_.role) return;
    push(nullptr, [this, master = role.master(), epoch = role.epoch()] {
        model_.role(owner_.handle, master, epoch, owner_.context);
    });
}

void Attached::on_digest(uint64_t index) {
    if (!model_.digest) return;
    push(
        [this, index] {
            digest_owed_ = true;
            digest_index_ = index;
            return true;
        },
        [this, index] { model_.digest(owner_.handle, index, owner_.context); });
}

void Attached::on_snapshot(pb::ToApplication&& m) {
    const uint64_t token = ++last_token_;
    if (m.has_snapshot_save()) {
        auto fd = std::make_shared<int>(-1);
        push(
            [this, token, fd, save = m.snapshot_save()] {
                *fd = snapshots_.begin_save(token, save);
                return *fd >= 0;
            },
            [this, token, fd] { model_.snapshot_save(owner_.handle, token, *fd, owner_.context); });
    } else if (m.has_snapshot_load()) {
        snapshots_.begin_load(token, m.snapshot_load());
    } else if (m.has_snapshot_chunk()) {
        snapshots_.chunk(m.snapshot_chunk());
    } else if (m.has_snapshot_taken()) {
        snapshots_.taken(m.snapshot_taken());
    } else if (m.has_snapshot_abort()) {
        snapshots_.abort(m.snapshot_abort().id());
    } else if (Snapshots::Load* load = snapshots_.end(m.snapshot_end())) {
        push([this, token = load->token] { return snapshots_.give(token) != nullptr; },
             [this, token = load->token, fd = load->file.get(), bytes = load->bytes, index = load->index,
              cluster = load->cluster] {
                 model_.snapshot_load(owner_.handle, token, fd, bytes, index, &cluster, owner_.context);
             });
    }
}

// ---- what the application says

void Attached::send(pb::FromApplication&& message) {
    pb::ClientFrame frame;
    *frame.mutable_application() = std::move(message);
    session_.push(frame);
}

cs_error_t Attached::accept(uint64_t token) {
    const auto it = asks_.find(token);
    if (it == asks_.end()) return CS_ERR_NOT_EXIST;
    pb::FromApplication from;
    from.mutable_accept()->set_index(it->second.index);
    from.mutable_accept()->set_ask(it->second.ask);
    asks_.erase(it);
    send(std::move(from));
    return CS_OK;
}

cs_error_t Attached::reject(uint64_t token, const char* reason) {
    const auto it = asks_.find(token);
    if (it == asks_.end()) return CS_ERR_NOT_EXIST;
    pb::FromApplication from;
    from.mutable_reject()->set_index(it->second.index);
    from.mutable_reject()->set_ask(it->second.ask);
    from.mutable_reject()->set_reason(shortened(reason));
    asks_.erase(it);
    send(std::move(from));
    return CS_OK;
}

cs_error_t Attached::applied(uint64_t index, uint64_t durable, const void* result, size_t length) {
    if (stage_ == Stage::none) return CS_ERR_BAD_OPERATION;
    if (length > kMostResult) return CS_ERR_TOO_BIG;
    if (index > delivered_ || index < applied_ || durable > index || durable < durable_) return CS_ERR_INVALID_PARAM;
    pb::FromApplication from;
    from.mutable_applied()->set_index(index);
    from.mutable_applied()->set_durable(durable);
    if (length > 0) from.mutable_applied()->set_result(result, length);
    applied_ = index;
    durable_ = durable;
    if (stage_ == Stage::attached || stage_ == Stage::asked) {
        if (index <= given_)
            send(std::move(from));
        else
            held_.push_back(std::move(from));
    }
    return CS_OK;
}

cs_error_t Attached::answer(uint64_t query, const char* error, const void* data, size_t length) {
    const auto it = queries_.find(query);
    if (it == queries_.end()) return CS_ERR_NOT_EXIST;
    if (length > kMostResult) return CS_ERR_TOO_BIG;
    pb::FromApplication from;
    from.mutable_answer()->set_id(it->second);
    if (error) {
        from.mutable_answer()->set_code(pb::BAD_REQUEST);
        from.mutable_answer()->set_reason(shortened(error));
    } else if (length > 0) {
        from.mutable_answer()->set_data(data, length);
    }
    queries_.erase(it);
    send(std::move(from));
    return CS_OK;
}

cs_error_t Attached::snapshot_saved(uint64_t snapshot, uint64_t index, const char* error) {
    return snapshots_.saved(snapshot, index, error) ? CS_OK : CS_ERR_NOT_EXIST;
}

cs_error_t Attached::snapshot_loaded(uint64_t snapshot, const char* error, Time now) {
    const auto load = snapshots_.loaded(snapshot, error);
    if (!load) return CS_ERR_NOT_EXIST;
    if (!error) {
        applied_ = durable_ = delivered_ = load->index;
        cluster_ = load->cluster;
        forget_asks(0, load->index);
    }
    if (stage_ == Stage::waiting) session_.start(now);
    return CS_OK;
}

cs_error_t Attached::digest(uint64_t index, uint64_t value) {
    if (!digest_owed_ || digest_index_ != index) return CS_ERR_NOT_EXIST;
    digest_owed_ = false;
    pb::FromApplication from;
    from.mutable_digest()->set_index(index);
    from.mutable_digest()->set_value(value);
    send(std::move(from));
    return CS_OK;
}

void Attached::flush() {
    for (;;) {
        const size_t waits = session_.out().bytes();
        if (session_.up() && waits < kChunkRoom) snapshots_.send(kChunkRoom - waits);
        session_.flush();
        if (session_.out().bytes() > 0 || !session_.up() || session_.out().pushed() == sent_) break;
        sent_ = session_.out().pushed();
    }
    session_.pause(events_.bytes() > kUndelivered);
}

}  // namespace assent::lib
