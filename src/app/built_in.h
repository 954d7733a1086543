// Hosts an application that is part of the daemon, on its own thread.
#pragma once

#include <memory>

#include "app/attached/feed.h"
#include "app/host.h"
#include "app/runner.h"
#include "base/loop.h"

namespace assent {

class BuiltIn : public Host {
  public:
    // It counts as hung when it has had the same work in hand for `hung_us`. `handed`: Replica::handed(); what it has not
    // applied of that it gets from the ledger.
    BuiltIn(Loop& loop, std::unique_ptr<Application> application, int64_t hung_us, std::function<VerdictPair()> handed,
            HostHooks hooks, LedgerPieces::ReadFn read);
    ~BuiltIn() override;

    const char* kind() const override { return runner_.application().kind(); }
    Result<bool> check_write(std::string_view request) const override {
        return runner_.application().check_write(request);
    }
    void withdraw(Index) override {}
    void prepare(std::vector<EntryPtr>) override {}
    void decided(std::vector<Verdict> verdicts) override;
    void query(Token token, Index after, const std::string& request) override { runner_.query(token, after, request); }
    void result_of(Token token, Index index) override;
    void forget(Token token) override { runner_.forget(token); }
    void flush() override {}
    void tick(int64_t now_us) override;
    HostStatus status() const override;

  private:
    void pump();
    void on_news();

    Loop& loop_;
    const int64_t hung_us_;
    const HostHooks hooks_;
    const std::function<VerdictPair()> handed_;
    ApplicationRunner runner_;
    attached::VerdictFeed feed_;
    Index applied_;
    Index telling_from_;        // 0: nobody is being told what is applied
    std::vector<Token> empty_;  // asked for while telling
    int64_t retry_us_ = 0;
    bool healthy_ = true;
};

}  // namespace assent
