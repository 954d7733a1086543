# The linearizability checker: a library for the simulator, a program for histories from real clusters.
noinst_LIBRARIES += tests/lincheck/liblincheck.a
tests_lincheck_liblincheck_a_SOURCES = \
	tests/lincheck/history.h \
	tests/lincheck/lincheck.cc tests/lincheck/lincheck.h \
	tests/lincheck/search.cc tests/lincheck/search.h \
	tests/lincheck/steps.cc tests/lincheck/steps.h

noinst_PROGRAMS += tests/lincheck/lincheck
tests_lincheck_lincheck_SOURCES = \
	tests/lincheck/main.cc \
	tests/lincheck/history_file.cc tests/lincheck/history_file.h
tests_lincheck_lincheck_LDADD = tests/lincheck/liblincheck.a

check_PROGRAMS += tests/unit/test_lincheck
tests_unit_test_lincheck_SOURCES = tests/unit/test_lincheck.cc \
	tests/lincheck/history_file.cc tests/lincheck/history_file.h
tests_unit_test_lincheck_LDADD = tests/lincheck/liblincheck.a $(GTEST_LIBS)
