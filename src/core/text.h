// Puts decision lines together. Lines are rare; nothing on the path of a write makes one.
#pragma once

#include <sstream>

#include "core/types.h"

namespace assent {

template <typename Tag, typename Rep> std::ostream& operator<<(std::ostream& out, const Number<Tag, Rep>& n) {
    return out << n.value;
}
inline std::ostream& operator<<(std::ostream& out, const Position& p) { return out << text(p); }

template <typename... Parts> std::string concat(const Parts&... parts) {
    std::ostringstream out;
    (out << ... << parts);
    return out.str();
}

}  // namespace assent
