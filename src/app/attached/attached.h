// Hosts an application that is a process of its own (doc/application-protocol.md). There is at most one session at a
// time; what it missed it gets from the ledger.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "app/attached/blame.h"
#include "app/attached/feed.h"
#include "app/attached/session.h"
#include "app/attached/snapshots.h"
#include "app/host.h"

namespace assent::attached {

struct AttachedOptions {
    std::string group;
    std::string user;  // whose processes may attach, beside root's; empty: the daemon's
    uint64_t max_write_bytes = 1 << 20;
    int64_t hung_us = 1'000'000;  // without Pong, or with work in hand and no answer, for so long
    SessionLimits session;
    FeedOptions feed;
    size_t results = 65'536;  // kept for repeated requests
    uint64_t result_bytes = 16 << 20;
};

// What it needs of the group.
struct GroupView {
    std::function<VerdictPair()> handed;  // Replica::handed()
    std::function<Index()> first;         // of the ledger; 0: empty
    std::function<Index()> durable;       // the ledger's last durable entry
    std::function<ClusterId()> cluster;
    std::function<int64_t()> now_us;  // CLOCK_MONOTONIC_RAW
};

// Who attaches.
struct Peer {
    uint64_t session = 0;
    pid_t pid = 0;
    uid_t uid = 0;
    std::string name;  // for people
};

class AttachedHost : public Host {
  public:
    // Ends the session: nothing more comes from it.
    using DetachFn = std::function<void(uint64_t session, pb::Code, const std::string& reason)>;

    AttachedHost(AttachedOptions options, GroupView group, HostHooks hooks, FeedHooks feed, SnapshotHooks snapshots,
                 DetachFn detach);

    // Fills in the answer; a code other than DONE refuses. The wire is used only if it is DONE, and after the answer
    // was sent: begin() says so.
    void attach(const Peer& peer, const pb::Attach& attach, Wire wire, pb::AttachReply& reply);
    void begin(uint64_t session);
    void received(uint64_t session, const pb::FromApplication& message);
    void closed(uint64_t session);
    // A client wants the application's state, or wants to replace it; answered through SnapshotHooks.
    void save_snapshot(const Snapshots::Client& client);
    void restore_snapshot(const Snapshots::Client& client, const Snapshots::Restore& restore);
    void from_client(uint64_t session, const pb::ClientFrame& frame) { snapshots_.from_client(session, frame); }
    void client_gone(uint64_t session) { snapshots_.client_gone(session); }
    void set_role(bool master, Epoch epoch);
    // Its state is another one than the majority's, says `why`: it ends, and none attaches any more until the store is
    // replaced.
    void set_diverged(const std::string& why);

    const char* kind() const override { return "attached"; }
    Result<bool> check_write(std::string_view request) const override;
    void withdraw(Index from) override;
    void prepare(std::vector<EntryPtr> entries) override;
    void decided(std::vector<Verdict> verdicts) override;
    void query(Token token, Index after, const std::string& request) override;
    void result_of(Token token, Index index) override;
    void forget(Token token) override;
    void flush() override;
    void tick(int64_t now_us) override;
    HostStatus status() const override;

  private:
    struct Question {
        Index after;
        std::string request;
        bool asked = false;
    };
    struct Refusal {
        pb::Code code = pb::DONE;
        std::string reason;
    };

    Refusal refusal(const Peer& peer, const pb::Attach& attach) const;
    Refusal wrong_store(Index applied, const ClusterId& theirs) const;
    Snapshots::SendFn to_application();
    std::string take_snapshot(const pb::FromApplication& message);
    std::string loaded(const pb::FromApplication::SnapshotLoaded& loaded);
    void go_on_from(Index index);
    bool holds_for_snapshot();
    std::string not_permitted(const Peer& peer) const;
    void end(bool died);
    void replaced();
    void cut_off_diverged();
    void blame();
    void greet();
    void collect();
    void tell_applied(const std::vector<AppliedResult>& results);
    void keep(const std::vector<AppliedResult>& results);
    void pump();
    void give_verdicts();
    void ask();
    void ask_queries();
    void note_health(int64_t now_us);
    HostStatus status(int64_t now_us) const;

    const AttachedOptions options_;
    const GroupView group_;
    const HostHooks hooks_;
    const DetachFn detach_;
    VerdictFeed feed_;
    Snapshots snapshots_;

    std::optional<Session> session_;
    Peer peer_;
    bool begun_ = false;  // its AttachReply is out
    bool told_ = false;   // the core knows of the session
    bool joined_ = false;
    bool role_told_ = false;
    bool master_ = false;
    Epoch epoch_;
    int64_t pinged_us_ = 0;

    std::map<Index, EntryPtr> wanted_;  // to be prepared
    // Said for the application: it has applied this already, or died of it.
    std::vector<Index> accepted_;
    std::vector<Rejection> rejected_;
    Blame blame_;
    std::string last_death_;  // for people; empty: nothing to say
    std::string diverged_;    // why; empty: it has not

    Index told_applied_;
    Index most_applied_;   // by any session
    Index results_after_;  // those above that are not in results_ were plainly done
    std::map<Index, std::string> results_;
    uint64_t result_bytes_ = 0;

    std::map<Token, Question> questions_;
    std::vector<Said::Answer> looked_up_;  // answers to result_of

    bool healthy_ = true;  // as the core was told
    int64_t retry_us_ = 0;
};

}  // namespace assent::attached
