check_PROGRAMS += tests/unit/test_ctl
tests_unit_test_ctl_CPPFLAGS = $(AM_CPPFLAGS) $(PROTOBUF_CFLAGS)
tests_unit_test_ctl_SOURCES = tests/unit/test_ctl_commands.cc tests/unit/test_ctl_format.cc \
	tests/unit/test_ctl_session.cc tests/unit/test_ctl_snapshot.cc tests/unit/ctl_support.h
tests_unit_test_ctl_LDADD = src/ctl/libassent_ctl.a src/lib/libassent_client.a src/app/libassent_kvrequests.a \
	src/app/libassent_kvmachine.a \
	src/net/libassent_net.a src/wire/libassent_wire.a src/base/libassent_base.a \
	$(PROTOBUF_LIBS) $(FMT_LIBS) $(QB_LIBS) $(GTEST_LIBS)

check_PROGRAMS += tests/unit/test_bench
tests_unit_test_bench_CPPFLAGS = $(AM_CPPFLAGS) $(PROTOBUF_CFLAGS)
tests_unit_test_bench_SOURCES = tests/unit/test_bench.cc
tests_unit_test_bench_LDADD = src/bench/libassent_bench.a src/lib/libassent_client.a src/app/libassent_kvrequests.a \
	src/net/libassent_net.a src/wire/libassent_wire.a src/base/libassent_base.a \
	$(PROTOBUF_LIBS) $(FMT_LIBS) $(QB_LIBS) $(GTEST_LIBS)
