// The ballot and identity on the disk: two files with the same block, written and synced one after the other, the one that
// is known to be whole last, so that damage to one of them or writes that fail take nothing back.
#pragma once

#include "ledger/env.h"
#include "ledger/format.h"

namespace assent::ledger {

class StateFile {
  public:
    StateFile(Env& env, std::string dir) : env_(env), dir_(std::move(dir)) {}

    // False if neither copy exists. Throws Failure if what exists is damaged in both, newer, or cannot be read.
    // With Access::read nothing is changed, and neither format() nor save() may follow.
    bool load(StateBlock& block, Env::Access access = Env::Access::write);
    // Makes both copies; a crash leaves none, or one that is whole.
    Trouble format(const StateBlock& block);
    // Both copies, each synced; they must have been loaded or formatted.
    Trouble save(const StateBlock& block);
    uint64_t syncs() const { return syncs_; }

    static constexpr const char* kNames[2] = {"state-a", "state-b"};

  private:
    Trouble write(File& file, const StateBlock& block);
    std::string path(int copy) const { return dir_ + "/" + kNames[copy]; }

    Env& env_;
    std::string dir_;
    std::unique_ptr<File> files_[2];
    int whole_ = 1;  // the copy that holds the newest block
    uint64_t syncs_ = 0;
};

}  // namespace assent::ledger
