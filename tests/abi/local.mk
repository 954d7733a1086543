# What programs that were compiled earlier rely on. Without tests/abi/check_abi --write, a change shows.
EXTRA_PROGRAMS += tests/abi/layout
tests_abi_layout_SOURCES = tests/abi/layout.c
tests_abi_layout_CFLAGS = -std=c99 -pedantic -Wall -Wextra -Werror
tests_abi_layout_LDADD =
script_tests += tests/abi/check_abi
abi_log = tests/abi/check_abi.log
$(abi_log): tests/abi/layout src/lib/libassent.la
EXTRA_DIST += tests/abi/check_abi tests/abi/symbols tests/abi/layout.txt
