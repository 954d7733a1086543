// The version, from configure.
#pragma once

#define ASSENT_VERSION PACKAGE_VERSION
