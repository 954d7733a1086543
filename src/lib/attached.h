// The application role (doc/application-protocol.md): what the daemon was told and asked, over as many sessions as it takes.
// An index counts as delivered when its callback begins, so what a lost session left in the queue is simply sent again.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>

#include "lib/events.h"
#include "lib/session.h"
#include "lib/snapshots.h"

namespace assent::lib {

class Attached {
  public:
    Attached(const Owner& owner, const assent_model_v1_data_t& model, Reactor& reactor, Events& events,
             const std::string& where, const std::string& program, const std::string& spool);

    cs_error_t attach(const std::string& group, uint64_t applied, const assent_cluster_id_t& cluster, Time now);
    // Not in good order: as if the process had died, so that what it has in hand can be blamed.
    cs_error_t detach(bool in_good_order = true);
    bool wanted() const { return stage_ != Stage::none; }

    cs_error_t accept(uint64_t ask);
    cs_error_t reject(uint64_t ask, const char* reason);
    cs_error_t applied(uint64_t index, uint64_t durable, const void* result, size_t length);
    cs_error_t answer(uint64_t query, const char* error, const void* data, size_t length);
    cs_error_t snapshot_saved(uint64_t snapshot, uint64_t index, const char* error);
    cs_error_t snapshot_loaded(uint64_t snapshot, const char* error, Time now);
    cs_error_t digest(uint64_t index, uint64_t value);

    Session& session() { return session_; }
    void tick(Time now) { session_.tick(now); }
    Time next_tick() const { return session_.next_tick(); }
    // Writes what goes, and reads no more while too much is undelivered.
    void flush();

    assent_attachment_t state() const { return shown_; }
    assent_cluster_id_t cluster() const { return cluster_; }
    bool master() const { return master_; }
    uint64_t delivered() const { return delivered_; }
    uint64_t applied_index() const { return applied_; }

  private:
    enum class Stage : uint8_t { none, waiting, asked, attached, refused };
    struct Ask {
        uint64_t index = 0;
        uint64_t ask = 0;  // of the session
    };

    void on_up();
    void on_frame(pb::ServerFrame&& frame, size_t bytes);
    void on_down(bool was_up, pb::Code code, const std::string& reason);
    void on_attach(const pb::AttachReply& reply);
    void on_message(pb::ToApplication&& message, size_t bytes);
    void on_role(const pb::ToApplication::Role& role);
    void on_query(pb::ToApplication::Query&& query, size_t bytes);
    void on_detach(const pb::Detach& detach);
    void on_snapshot(pb::ToApplication&& message);
    void on_digest(uint64_t index);
    void on_withdraw(uint64_t from);

    bool begin_prepare(uint64_t token, uint64_t index, uint64_t ask);
    bool begin_verdict(uint64_t index);
    void on_given(uint64_t index);
    void forget_asks(uint64_t from, uint64_t upto);
    void lose();
    void refuse(pb::Code code, const std::string& reason);
    void show(assent_attachment_t state, pb::Code code, const std::string& reason, uint64_t next = 0);
    // An event of this session: it is dropped when the session is lost before its turn.
    void push(std::function<bool()> begin, std::function<void()> run, size_t bytes = 0);
    void send(pb::FromApplication&& message);

    const Owner& owner_;
    const assent_model_v1_data_t& model_;
    Events& events_;
    Session session_;
    Snapshots snapshots_;
    Stage stage_ = Stage::none;
    std::string group_;
    assent_cluster_id_t cluster_{};
    uint64_t generation_ = 0;  // of the session
    uint64_t last_token_ = 0;
    uint64_t delivered_ = 0;
    uint64_t applied_ = 0;
    uint64_t durable_ = 0;
    uint64_t given_ = 0;                    // last verdict that came by this session
    std::deque<pb::FromApplication> held_;  // Applied of verdicts that came by an earlier one: at most its window
    std::map<uint64_t, Ask> asks_;          // by token: neither answered nor decided
    std::set<uint64_t> prepared_;           // indexes shown to the application and not decided
    std::map<uint64_t, uint64_t> queries_;  // token -> the session's id
    bool digest_owed_ = false;
    uint64_t digest_index_ = 0;
    bool master_ = false;
    assent_attachment_t shown_ = ASSENT_DETACHED;  // what the application was told last
    std::string shown_reason_;
    uint64_t sent_ = 0;  // of the session's out().pushed(), when flush() looked last
};

}  // namespace assent::lib
