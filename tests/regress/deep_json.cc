// What went wrong: assentctl writes the daemon's JSON out again, by recursion. A status or a list of members with brackets in
// brackets, a few hundred thousand deep, used up its stack: it died of a signal.
// The mend: JSON deeper than any daemon writes is not understood.
#include <gtest/gtest.h>

#include <string>

#include "ctl/output.h"

namespace assent::ctl {
namespace {

std::string nested(size_t depth) {
    return R"({"schema":1,"more":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
}

Printed printed(const std::string& json) {
    Options options;
    options.form = Form::json;
    return print_members(json, options);
}

TEST(DeepJson, IsShownAsFarAsAnyDaemonGoes) {
    EXPECT_EQ(printed(nested(60)).code, Exit::done);
    EXPECT_EQ(printed(nested(60)).out, nested(60) + "\n");
}

TEST(DeepJson, IsNotUnderstood) {
    EXPECT_EQ(printed(nested(70)).code, Exit::error);
    EXPECT_EQ(printed(nested(1'000'000)).code, Exit::error);
    EXPECT_EQ(printed(R"({"more":)" + std::string(1'000'000, '[')).code, Exit::error);
}

}  // namespace
}  // namespace assent::ctl
