# Programs to read, and what the cluster tests run. Built with the tests, not installed.
example_sources = examples/jobqueue.c examples/sqlite.c examples/port-from-cpg/before.c examples/port-from-cpg/after.c
EXTRA_DIST += $(example_sources)
if WITH_TESTS
noinst_PROGRAMS += examples/jobqueue examples/sqlite examples/port-from-cpg/before examples/port-from-cpg/after
example_cflags = -std=c11 -pedantic -D_GNU_SOURCE -Wall -Wextra $(ASSENT_CFLAGS)
examples_jobqueue_SOURCES = examples/jobqueue.c
examples_jobqueue_CFLAGS = $(example_cflags)
examples_jobqueue_LDADD = src/lib/libassent.la
examples_sqlite_SOURCES = examples/sqlite.c
examples_sqlite_CFLAGS = $(example_cflags) $(SQLITE_CFLAGS)
examples_sqlite_LDADD = src/lib/libassent.la $(SQLITE_LIBS)
examples_port_from_cpg_before_SOURCES = examples/port-from-cpg/before.c
examples_port_from_cpg_before_CFLAGS = $(example_cflags) $(CPG_CFLAGS)
examples_port_from_cpg_before_LDADD = $(CPG_LIBS)
examples_port_from_cpg_after_SOURCES = examples/port-from-cpg/after.c
examples_port_from_cpg_after_CFLAGS = $(example_cflags)
examples_port_from_cpg_after_LDADD = src/lib/libassent.la
endif
