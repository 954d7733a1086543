// What went wrong: SnapshotAbort that came before the application's turn to save (it had a long confirm in hand) was
// forgotten. The application then saved a state that nobody took, and every later save was refused as BUSY.
// The mend: such a save is not begun.
#include "../unit/libassent_support.h"

namespace assent::test {
namespace {

TEST(SnapshotSaveAborted, BeforeItsTurnIsNotBegun) {
    struct App {
        int saves = 0;
        bool pinged = false;
    } app;
    ScriptedDaemon daemon;
    daemon.start();
    const std::string path = daemon.path();
    assent_model_v1_data_t m = model_for(path);
    m.spool = "/tmp";
    m.prepare = [](assent_handle_t, const assent_entry_t*, void*) {};
    m.confirm = [](assent_handle_t, const assent_entry_t*, void*) {};
    m.query = [](assent_handle_t, uint64_t, const void*, size_t, void*) {};
    m.snapshot_save = [](assent_handle_t, uint64_t, int, void* c) { ++static_cast<App*>(c)->saves; };
    m.snapshot_load = [](assent_handle_t, uint64_t, int, uint64_t, uint64_t, const assent_cluster_id_t*, void*) {};
    assent_handle_t handle = 0;
    ASSERT_EQ(assent_model_initialize(&handle, ASSENT_MODEL_V1, &m, &app), CS_OK);
    ASSERT_EQ(assent_application_attach(handle, "jobs", 0, nullptr), CS_OK);
    Peer peer = daemon.application(handle);
    peer.attached(pb::DONE);
    // All of it is there before the library calls the first callback.
    for (uint64_t id : {1, 2}) {
        peer.say([id](auto& t) {
            t.mutable_snapshot_save()->set_id(id);
            t.mutable_snapshot_save()->set_chunk_bytes(10);
            t.mutable_snapshot_save()->set_window_bytes(10);
        });
        if (id == 1) peer.say([](auto& t) { t.mutable_snapshot_abort()->set_id(1); });
    }
    peer.say([](auto& t) { t.mutable_ping()->set_id(7); });
    EXPECT_EQ(peer.said(handle).pong().id(), 7u) << "no SnapshotEnd{BUSY} for the second";
    EXPECT_EQ(app.saves, 1);
    EXPECT_EQ(assent_finalize(handle), CS_OK);
}

}  // namespace
}  // namespace assent::test
