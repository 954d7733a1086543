# The manual of the library says what the library does.
script_tests += tests/manual/test_manual.py
manual_log = tests/manual/test_manual.py.log tests/manual/test_manual.log
$(manual_log): src/lib/libassent.la src/daemon/assentd src/ctl/assentctl src/bench/assent-bench
EXTRA_DIST += tests/manual/test_manual.py tests/manual/fragments.py
