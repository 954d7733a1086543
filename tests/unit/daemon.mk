check_PROGRAMS += tests/unit/test_daemon
tests_unit_test_daemon_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit $(PROTOBUF_CFLAGS) $(QB_CFLAGS)
tests_unit_test_daemon_SOURCES = \
	tests/unit/attached_support.h \
	tests/unit/requests_support.h \
	tests/unit/test_digests.cc \
	tests/unit/test_requests.cc \
	tests/unit/test_requests_peer.cc \
	tests/unit/test_requests_read.cc \
	tests/unit/test_status.cc \
	tests/unit/test_watches.cc
tests_unit_test_daemon_LDADD = src/daemon/libassent_daemon.a src/app/libassent_app.a src/wire/libassent_wire.a \
	src/core/libassent_core.a src/base/libassent_base.a $(PROTOBUF_LIBS) $(QB_LIBS) $(GTEST_LIBS)

check_PROGRAMS += tests/unit/test_group
tests_unit_test_group_CPPFLAGS = $(AM_CPPFLAGS) $(PROTOBUF_CFLAGS) $(QB_CFLAGS)
tests_unit_test_group_SOURCES = tests/unit/run_loop.h tests/unit/test_group.cc
tests_unit_test_group_LDADD = src/daemon/assentd-group.$(OBJEXT) $(src_daemon_assentd_LDADD) $(GTEST_LIBS)
