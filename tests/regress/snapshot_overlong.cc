// What went wrong: a snapshot was kept beyond the bytes that were announced for it, and one that was said twice to be whole
// was given to the application twice.
// The mend: a chunk beyond the announced bytes is refused, and the end counts once.
#include <sys/stat.h>

#include <vector>

#include "../unit/libassent_support.h"

namespace assent::test {
namespace {

class SnapshotOverlong : public testing::Test {
  protected:
    ScriptedDaemon daemon_;
    assent_handle_t handle_ = 0;
    std::vector<uint64_t> loads_;  // bytes in the file
    Peer peer_;

    void SetUp() override {
        daemon_.start();
        const std::string path = daemon_.path();
        assent_model_v1_data_t m = model_for(path);
        m.spool = "/tmp";
        m.prepare = [](assent_handle_t, const assent_entry_t*, void*) {};
        m.confirm = [](assent_handle_t, const assent_entry_t*, void*) {};
        m.query = [](assent_handle_t, uint64_t, const void*, size_t, void*) {};
        m.snapshot_save = [](assent_handle_t, uint64_t, int, void*) {};
        m.snapshot_load = [](assent_handle_t, uint64_t, int fd, uint64_t, uint64_t, const assent_cluster_id_t*,
                             void* c) {
            struct stat status {};
            EXPECT_EQ(::fstat(fd, &status), 0);
            static_cast<std::vector<uint64_t>*>(c)->push_back(uint64_t(status.st_size));
        };
        ASSERT_EQ(assent_model_initialize(&handle_, ASSENT_MODEL_V1, &m, &loads_), CS_OK);
        ASSERT_EQ(assent_application_attach(handle_, "jobs", 0, nullptr), CS_OK);
        peer_ = daemon_.application(handle_);
        peer_.attached(pb::DONE);
        peer_.say([](auto& t) {
            t.mutable_snapshot_load()->set_id(1);
            t.mutable_snapshot_load()->set_index(50);
            t.mutable_snapshot_load()->set_bytes(5);
            t.mutable_snapshot_load()->set_window_bytes(1024);
        });
    }
    void TearDown() override { EXPECT_EQ(assent_finalize(handle_), CS_OK); }
    void chunk(uint64_t offset, const std::string& data) {
        peer_.say([&](auto& t) {
            t.mutable_snapshot_chunk()->set_id(1);
            t.mutable_snapshot_chunk()->set_offset(offset);
            t.mutable_snapshot_chunk()->set_data(data);
        });
    }
    void end() {
        peer_.say([](auto& t) { t.mutable_snapshot_end()->set_id(1); });
    }
    void work() {
        peer_.say([](auto& t) { t.mutable_ping()->set_id(7); });
        while (!peer_.said(handle_).has_pong() && !HasFailure()) continue;
    }
};

TEST_F(SnapshotOverlong, IsRefused) {
    chunk(0, "state and more");
    const pb::FromApplication said = peer_.said(handle_);
    EXPECT_EQ(said.snapshot_loaded().code(), pb::OTHER_ERROR);
    end();
    work();
    EXPECT_TRUE(loads_.empty());
}

TEST_F(SnapshotOverlong, ChunksAfterTheEndAreRefused) {
    chunk(0, "state");
    end();
    chunk(5, "more");
    work();
    EXPECT_TRUE(loads_.empty());
}

TEST_F(SnapshotOverlong, TheEndCountsOnce) {
    chunk(0, "state");
    end();
    end();
    work();
    EXPECT_EQ(loads_, (std::vector<uint64_t>{5}));
}

}  // namespace
}  // namespace assent::test
