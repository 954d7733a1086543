noinst_LIBRARIES += src/bench/libassent_bench.a
src_bench_libassent_bench_a_CPPFLAGS = $(AM_CPPFLAGS) $(PROTOBUF_CFLAGS) $(FMT_CFLAGS)
src_bench_libassent_bench_a_SOURCES = \
	src/bench/cpu.cc src/bench/cpu.h \
	src/bench/histogram.cc src/bench/histogram.h \
	src/bench/load.cc src/bench/load.h \
	src/bench/options.cc src/bench/options.h \
	src/bench/report.cc src/bench/report.h

bin_PROGRAMS += src/bench/assent-bench
src_bench_assent_bench_CPPFLAGS = $(AM_CPPFLAGS) $(PROTOBUF_CFLAGS)
src_bench_assent_bench_SOURCES = src/bench/main.cc
src_bench_assent_bench_LDADD = \
	src/bench/libassent_bench.a \
	src/lib/libassent_client.a \
	src/app/libassent_kvrequests.a \
	src/net/libassent_net.a \
	src/wire/libassent_wire.a \
	src/base/libassent_base.a \
	$(PROTOBUF_LIBS) $(FMT_LIBS) $(QB_LIBS)
