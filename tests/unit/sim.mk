# The simulator's own tests.
check_PROGRAMS += tests/unit/test_sim
tests_unit_test_sim_SOURCES = \
	tests/unit/test_sim_cpg.cc \
	tests/unit/test_sim_runner.cc
tests_unit_test_sim_CPPFLAGS = $(AM_CPPFLAGS) -DASSENT_PLANTED
tests_unit_test_sim_LDADD = $(sim_libraries) $(GTEST_LIBS)
