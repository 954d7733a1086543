#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "base/log.h"

namespace assent {
namespace {

// libqb writes to descriptor 2: what that got while `call` ran.
template <typename Call> std::string standard_error(Call call) {
    char name[] = "/tmp/assent_log_XXXXXX";
    Fd file(::mkstemp(name));
    ::unlink(name);
    Fd before(::dup(2));
    ::dup2(file.get(), 2);
    log_open({"test_log", true, LOG_INFO});
    call();
    log_close();
    ::dup2(before.get(), 2);
    std::string text(size_t(::lseek(file.get(), 0, SEEK_END)), '\0');
    const ssize_t n = ::pread(file.get(), text.data(), text.size(), 0);
    text.resize(size_t(std::max<ssize_t>(n, 0)));
    return text;
}

size_t count(const std::string& text, const std::string& part) {
    size_t n = 0;
    for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++n;
    return n;
}

// One test: libqb's log is opened once a process.
TEST(Log, LinesComeWholeCleanAndBoundedFromAnyThread) {
    ASSENT_INFO("before it is open: nowhere");
    const std::string text = standard_error([] {
        ASSENT_NOTICE("number %d of %s", 7, "seven");
        ASSENT_DEBUG("below the level");
        ASSENT_INFO("forged\nNov 24 error second line\x1b[31m");
        ASSENT_INFO("%s", std::string(5'000, 'x').c_str());
        log_set_level(LOG_DEBUG);
        ASSENT_DEBUG("now wanted");
        log_set_level(LOG_ERR);
        ASSENT_WARNING("no longer wanted");
        log_set_level(LOG_INFO);
        std::vector<std::thread> threads;
        for (int t = 0; t < 4; ++t)
            threads.emplace_back([t] {
                for (int i = 0; i < 250; ++i) ASSENT_INFO("thread %d line %d.", t, i);
            });
        for (std::thread& t : threads) t.join();
    });
    EXPECT_EQ(count(text, "nowhere"), 0u);
    EXPECT_EQ(count(text, "notice  number 7 of seven\n"), 1u);
    EXPECT_EQ(count(text, "below the level"), 0u);
    EXPECT_EQ(count(text, "forged?Nov 24 error second line?[31m\n"), 1u);
    EXPECT_EQ(count(text, std::string(470, 'x') + "xxxxxx...\n"), 1u);
    EXPECT_EQ(count(text, "now wanted"), 1u);
    EXPECT_EQ(count(text, "no longer wanted"), 0u);
    EXPECT_EQ(count(text, "thread "), 1'000u);
    EXPECT_EQ(count(text, ".\n"), 1'001u);
    ASSENT_INFO("after it is closed: nowhere");
}

TEST(Log, LevelsHaveTheirNames) {
    EXPECT_EQ(log_level_by_name("info"), LOG_INFO);
    EXPECT_EQ(log_level_by_name("error"), LOG_ERR);
    EXPECT_EQ(log_level_by_name("loud"), -1);
}

}  // namespace
}  // namespace assent
