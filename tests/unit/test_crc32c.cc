#include <gtest/gtest.h>

#include <string>

#include "base/crc32c.h"

namespace assent {
namespace detail {
uint32_t crc32c_table(const void* data, size_t size, uint32_t seed);
}

namespace {

std::string pattern(size_t size) {
    std::string s(size, '\0');
    uint32_t x = 1;
    for (char& c : s) c = char((x = x * 1664525 + 1013904223) >> 24);
    return s;
}

TEST(Crc32c, KnownValues) {
    EXPECT_EQ(crc32c(""), 0u);
    EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
    EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);  // RFC 3720, B.4
    EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
}

TEST(Crc32c, TableAndInstructionAgree) {
    const std::string s = pattern(300);
    for (size_t from = 0; from < 9; ++from) {
        for (size_t size = 0; from + size <= s.size(); ++size) {
            ASSERT_EQ(crc32c(s.data() + from, size, uint32_t(size)),
                      detail::crc32c_table(s.data() + from, size, uint32_t(size)));
        }
    }
}

TEST(Crc32c, GoesOnFromASeed) {
    const std::string s = pattern(100);
    for (size_t cut = 0; cut <= s.size(); ++cut) {
        const std::string_view all(s);
        EXPECT_EQ(crc32c(all.substr(cut), crc32c(all.substr(0, cut))), crc32c(all));
    }
}

}  // namespace
}  // namespace assent
