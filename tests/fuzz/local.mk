# Built by `make fuzz` alone (configure --enable-fuzz CXX=clang++). Each target is one file with LLVMFuzzerTestOneInput.
fuzz_programs = \
	tests/fuzz/fuzz_attached \
	tests/fuzz/fuzz_ballot \
	tests/fuzz/fuzz_client \
	tests/fuzz/fuzz_cmap \
	tests/fuzz/fuzz_config \
	tests/fuzz/fuzz_ctl \
	tests/fuzz/fuzz_entry \
	tests/fuzz/fuzz_frames \
	tests/fuzz/fuzz_ledger \
	tests/fuzz/fuzz_lib_application \
	tests/fuzz/fuzz_lib_client \
	tests/fuzz/fuzz_link \
	tests/fuzz/fuzz_message \
	tests/fuzz/fuzz_records \
	tests/fuzz/fuzz_reply \
	tests/fuzz/fuzz_requests \
	tests/fuzz/fuzz_snapshot
if WITH_ROCKSDB
fuzz_programs += tests/fuzz/fuzz_kv tests/fuzz/fuzz_kv_store
endif
fuzz_seeds = tests/fuzz/make_seeds
EXTRA_PROGRAMS += $(fuzz_programs) $(fuzz_seeds)
EXTRA_DIST += tests/fuzz/run tests/fuzz/corpus

fuzz_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)/tests $(PROTOBUF_CFLAGS) $(QB_CFLAGS)
fuzz_ldflags = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
fuzz_libs = src/wire/libassent_wire.a src/core/libassent_core.a src/base/libassent_base.a $(PROTOBUF_LIBS) $(QB_LIBS)
fuzz_headers = tests/fuzz/heap_bound.h tests/fuzz/input.h tests/fuzz/ledger_contract.h tests/fuzz/same.h \
	tests/fuzz/scripted_daemon.h

tests_fuzz_make_seeds_SOURCES = tests/fuzz/make_seeds.cc src/ctl/snapshot_file.cc $(fuzz_headers)
tests_fuzz_make_seeds_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_make_seeds_LDADD = src/net/libassent_net.a src/ledger/libassent_ledger.a src/app/libassent_kvrequests.a $(fuzz_libs)

# What is inside libassent: the library itself shows its interface alone.
EXTRA_LIBRARIES += tests/fuzz/libassent_inside.a
tests_fuzz_libassent_inside_a_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_libassent_inside_a_SOURCES = src/lib/attached.cc src/lib/reactor.cc src/lib/requests.cc src/lib/resolver.cc \
	src/lib/session.cc src/lib/snapshots.cc src/lib/watches.cc

tests_fuzz_fuzz_attached_SOURCES = tests/fuzz/fuzz_attached.cc
tests_fuzz_fuzz_attached_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_attached_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_attached_LDADD = src/app/libassent_app.a $(fuzz_libs)

tests_fuzz_fuzz_ballot_SOURCES = tests/fuzz/fuzz_ballot.cc
tests_fuzz_fuzz_ballot_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_ballot_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_ballot_LDADD = src/ledger/libassent_ledger.a $(fuzz_libs)

tests_fuzz_fuzz_client_SOURCES = tests/fuzz/fuzz_client.cc
tests_fuzz_fuzz_client_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_client_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_client_LDADD = src/net/libassent_net.a $(fuzz_libs)

tests_fuzz_fuzz_cmap_SOURCES = tests/fuzz/fuzz_cmap.cc
tests_fuzz_fuzz_cmap_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_cmap_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_cmap_LDADD = src/corosync/libassent_corosync.a src/daemon/libassent_daemon.a $(fuzz_libs) $(CMAP_LIBS)

tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.cc
tests_fuzz_fuzz_config_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_config_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_config_LDADD = src/daemon/libassent_daemon.a $(fuzz_libs)

tests_fuzz_fuzz_ctl_SOURCES = tests/fuzz/fuzz_ctl.cc
tests_fuzz_fuzz_ctl_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_ctl_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_ctl_LDADD = src/ctl/libassent_ctl.a src/lib/libassent_client.a src/app/libassent_kvrequests.a src/net/libassent_net.a $(fuzz_libs) $(FMT_LIBS)

tests_fuzz_fuzz_entry_SOURCES = tests/fuzz/fuzz_entry.cc
tests_fuzz_fuzz_entry_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_entry_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_entry_LDADD = $(fuzz_libs)

tests_fuzz_fuzz_frames_SOURCES = tests/fuzz/fuzz_frames.cc
tests_fuzz_fuzz_frames_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_frames_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_frames_LDADD = src/net/libassent_net.a $(fuzz_libs)

tests_fuzz_fuzz_kv_SOURCES = tests/fuzz/fuzz_kv.cc
tests_fuzz_fuzz_kv_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_kv_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_kv_LDADD = $(kv_library) src/app/libassent_kvrequests.a $(fuzz_libs) $(kv_needs)

tests_fuzz_fuzz_kv_store_SOURCES = tests/fuzz/fuzz_kv_store.cc
tests_fuzz_fuzz_kv_store_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_kv_store_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_kv_store_LDADD = $(kv_library) src/app/libassent_kvrequests.a $(fuzz_libs) $(kv_needs)

tests_fuzz_fuzz_ledger_SOURCES = tests/fuzz/fuzz_ledger.cc
tests_fuzz_fuzz_ledger_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_ledger_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_ledger_LDADD = src/ledger/libassent_ledger.a $(fuzz_libs)

tests_fuzz_fuzz_lib_application_SOURCES = tests/fuzz/fuzz_lib_application.cc
tests_fuzz_fuzz_lib_application_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_lib_application_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_lib_application_LDADD = tests/fuzz/libassent_inside.a src/net/libassent_net.a $(fuzz_libs)

tests_fuzz_fuzz_lib_client_SOURCES = tests/fuzz/fuzz_lib_client.cc
tests_fuzz_fuzz_lib_client_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_lib_client_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_lib_client_LDADD = tests/fuzz/libassent_inside.a src/net/libassent_net.a $(fuzz_libs)

tests_fuzz_fuzz_link_SOURCES = tests/fuzz/fuzz_link.cc
tests_fuzz_fuzz_link_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_link_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_link_LDADD = src/net/libassent_net.a $(fuzz_libs)

tests_fuzz_fuzz_message_SOURCES = tests/fuzz/fuzz_message.cc
tests_fuzz_fuzz_message_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_message_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_message_LDADD = $(fuzz_libs)

tests_fuzz_fuzz_records_SOURCES = tests/fuzz/fuzz_records.cc
tests_fuzz_fuzz_records_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_records_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_records_LDADD = src/ledger/libassent_ledger.a $(fuzz_libs)

tests_fuzz_fuzz_reply_SOURCES = tests/fuzz/fuzz_reply.cc
tests_fuzz_fuzz_reply_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_reply_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_reply_LDADD = src/lib/libassent_client.a src/net/libassent_net.a $(fuzz_libs)

tests_fuzz_fuzz_requests_SOURCES = tests/fuzz/fuzz_requests.cc
tests_fuzz_fuzz_requests_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_requests_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_requests_LDADD = src/daemon/libassent_daemon.a $(fuzz_libs)

tests_fuzz_fuzz_snapshot_SOURCES = tests/fuzz/fuzz_snapshot.cc src/ctl/snapshot_file.cc
tests_fuzz_fuzz_snapshot_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_snapshot_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_snapshot_LDADD = $(fuzz_libs)
