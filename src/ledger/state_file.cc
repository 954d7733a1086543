#include "ledger/state_file.h"

#include <algorithm>

#include "core/planted.h"
#include "ledger/advice.h"

namespace assent::ledger {
namespace {

// Error if it cannot be read: not the same as damaged, as it may be readable tomorrow.
Result<BlockError> read_copy(File& file, Env::Access access, StateBlock& block) {
    // What is read must be what is on the disk, not what a failed sync left in the cache.
    if (access == Env::Access::write) {
        if (const Trouble t = file.sync()) return *t;
    }
    if (const Trouble t = file.forget_cache()) return *t;
    std::string bytes(kBlockBytes, '\0');
    auto got = file.read_at(0, bytes.data(), bytes.size());
    if (!got) return Error{got.error()};
    bytes.resize(*got);
    return decode_state(bytes, block);
}

}  // namespace

bool StateFile::load(StateBlock& block, Env::Access access) {
    auto names = env_.list(dir_);
    if (!names) throw Failure(names.error());
    int found = 0;
    bool valid = false;
    for (int copy = 0; copy < 2; ++copy) {
        const bool exists = std::find(names->begin(), names->end(), kNames[copy]) != names->end();
        if (!exists) continue;
        ++found;
        auto file = env_.open(path(copy), access);
        if (!file) throw Failure(file.error() + "." + advice(dir_));
        StateBlock read;
        auto error = read_copy(**file, access, read);
        if (!error) throw Failure(error.error() + "." + advice(dir_));
        if (*error == BlockError::newer) {
            throw Failure(path(copy) + kNewer);
        }
        if (*error == BlockError::none && (!valid || read.sequence > block.sequence)) {
            block = read;
            valid = true;
            whole_ = copy;
        }
        files_[copy] = std::move(*file);
    }
    if (found == 0) return false;
    if (!valid) {
        throw Failure("no copy of the ballot is whole: " + path(0) + " and " + path(1) + " are damaged or missing." +
                      advice(dir_));
    }
    // A missing one is made empty; the next save fills it.
    for (int copy = 0; copy < 2 && access == Env::Access::write; ++copy) {
        if (files_[copy]) continue;
        auto file = env_.open(path(copy), Env::Access::create);
        if (!file) throw Failure(file.error());
        files_[copy] = std::move(*file);
        if (const Trouble t = env_.sync_dir(dir_)) throw Failure(t->text);
    }
    return true;
}

Trouble StateFile::format(const StateBlock& block) {
    for (int copy = 0; copy < 2; ++copy) {
        auto file = env_.open(path(copy) + ".new", Env::Access::create);
        if (!file) return Error{file.error()};
        files_[copy] = std::move(*file);
        if (Trouble t = write(*files_[copy], block)) return t;
    }
    for (int copy = 0; copy < 2; ++copy) {
        if (Trouble t = env_.rename(path(copy) + ".new", path(copy))) return t;
    }
    if (ASSENT_MUTANT(folder_not_synced_after_formatting)) return {};
    return env_.sync_dir(dir_);
}

Trouble StateFile::save(const StateBlock& block) {
    const int first = ASSENT_MUTANT(whole_copy_of_the_ballot_written_first) ? whole_ : 1 - whole_;
    for (int copy : {first, 1 - first}) {
        if (Trouble t = write(*files_[copy], block)) return t;
        whole_ = copy;
        if (ASSENT_MUTANT(ballot_saved_in_one_copy)) break;
    }
    return {};
}

Trouble StateFile::write(File& file, const StateBlock& block) {
    ++syncs_;
    if (Trouble t = file.write_at(0, encode_state(block))) return t;
    if (ASSENT_MUTANT(ballot_not_synced)) return {};
    return file.sync();
}

}  // namespace assent::ledger
