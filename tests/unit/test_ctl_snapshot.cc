// The file of a snapshot: what is written is read, and nothing that is damaged.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "ctl/options.h"
#include "ctl/snapshot_file.h"

namespace assent::ctl {
namespace {

class SnapshotFile : public testing::Test {
  protected:
    std::string folder_ = "/tmp/assent-test-XXXXXX";
    std::string path_;

    void SetUp() override {
        ASSERT_NE(::mkdtemp(folder_.data()), nullptr);
        path_ = folder_ + "/kv.snapshot";
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }
    void write() {
        SnapshotWriter writer(path_, "jobs");
        ASSERT_EQ(writer.open(), "");
        ASSERT_EQ(writer.append("one "), "");
        ASSERT_EQ(writer.append("two"), "");
        ASSERT_EQ(writer.finish(1, 2, 42), "");
    }
    std::string contents() const {
        std::ifstream in(path_, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    std::string error_of(const std::string& bytes) const {
        std::ofstream(path_, std::ios::binary) << bytes;
        auto header = SnapshotReader().open(path_);
        return header ? "" : header.error();
    }
    size_t files() const {
        return size_t(
            std::distance(std::filesystem::directory_iterator(folder_), std::filesystem::directory_iterator()));
    }
};

TEST_F(SnapshotFile, WrittenAndRead) {
    write();
    EXPECT_EQ(files(), 1u);
    SnapshotReader reader;
    auto header = reader.open(path_);
    ASSERT_TRUE(header) << header.error();
    EXPECT_EQ(header->group, "jobs");
    EXPECT_EQ(header->index, 42u);
    EXPECT_EQ(header->cluster_high, 1u);
    EXPECT_EQ(header->cluster_low, 2u);
    EXPECT_EQ(header->bytes, 7u);
    EXPECT_EQ(*reader.read(0, 100), "one two");
    EXPECT_EQ(*reader.read(4, 2), "tw");
}

TEST_F(SnapshotFile, EveryDamageIsFound) {
    write();
    const std::string good = contents();
    ASSERT_EQ(error_of(good), "");
    for (size_t at = 0; at < good.size(); ++at) {
        std::string bad = good;
        bad[at] = char(bad[at] ^ 0x10);
        EXPECT_NE(error_of(bad), "") << "byte " << at;
        EXPECT_NE(error_of(good.substr(0, at)), "") << "cut at " << at;
    }
    EXPECT_NE(error_of(good + "x"), "");
}

TEST_F(SnapshotFile, NothingIsLeftOfOneThatWasNotFinished) {
    write();
    const std::string before = contents();
    {
        SnapshotWriter writer(path_, "jobs");
        ASSERT_EQ(writer.open(), "");
        ASSERT_EQ(writer.append("something else"), "");
        EXPECT_EQ(files(), 2u);
    }
    EXPECT_EQ(files(), 1u);
    EXPECT_EQ(contents(), before);
}

TEST_F(SnapshotFile, NobodyElseMayReadIt) {
    write();
    struct stat status {};
    ASSERT_EQ(::stat(path_.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(SnapshotFile, AFolderThatIsNotThere) {
    SnapshotWriter writer(folder_ + "/none/file", "jobs");
    EXPECT_NE(writer.open().find("none"), std::string::npos);
}

TEST(SnapshotOptions, Verbs) {
    const Parsed parsed = parse_options({"snapshot", "save", "/tmp/x", "-g", "jobs"});
    ASSERT_TRUE(parsed.go_on) << parsed.text;
    EXPECT_EQ(parsed.options.verb, Verb::snapshot_save);
    EXPECT_EQ(parsed.options.file, "/tmp/x");
    EXPECT_EQ(parsed.options.group, "jobs");
    EXPECT_EQ(parse_options({"snapshot"}).exit_code, 64);
    EXPECT_EQ(parse_options({"snapshot", "restore"}).exit_code, 64);
}

}  // namespace
}  // namespace assent::ctl
