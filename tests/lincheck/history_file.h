// Histories as text: one JSON object a line, an operation each (tests/lincheck/main.cc says what is in it).
#pragma once

#include <istream>
#include <string>

#include "base/failure.h"
#include "history.h"

namespace assent::lincheck {

// Adds what stands in `in`. Error: which line is wrong, and why.
Result<bool> read_history(std::istream& in, const std::string& name, History& history);

}  // namespace assent::lincheck
