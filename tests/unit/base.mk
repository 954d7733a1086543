check_PROGRAMS += tests/unit/test_log tests/unit/test_loop
tests_unit_test_log_SOURCES = tests/unit/test_log.cc
tests_unit_test_log_LDADD = src/base/libassent_base.a $(QB_LIBS) $(GTEST_LIBS)
tests_unit_test_loop_CPPFLAGS = $(AM_CPPFLAGS) $(QB_CFLAGS)
tests_unit_test_loop_SOURCES = tests/unit/test_loop.cc
tests_unit_test_loop_LDADD = src/base/libassent_base.a $(QB_LIBS) $(GTEST_LIBS)
