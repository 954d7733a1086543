# What hosts an application, be it built in or attached; needs no particular one.
noinst_LIBRARIES += src/app/libassent_app.a
src_app_libassent_app_a_CPPFLAGS = $(AM_CPPFLAGS) $(PROTOBUF_CFLAGS) $(QB_CFLAGS)
src_app_libassent_app_a_SOURCES = \
	src/app/application.h \
	src/app/attached/attached.cc src/app/attached/attached.h \
	src/app/attached/blame.h \
	src/app/attached/feed.cc src/app/attached/feed.h \
	src/app/attached/session.cc src/app/attached/session.h \
	src/app/attached/snapshots.cc src/app/attached/snapshots.h \
	src/app/built_in.cc src/app/built_in.h \
	src/app/host.h \
	src/app/ledger_pieces.cc src/app/ledger_pieces.h \
	src/app/runner.cc src/app/runner.h

# Requests and answers of the kv application, for clients: no RocksDB here.
noinst_LIBRARIES += src/app/libassent_kvrequests.a
src_app_libassent_kvrequests_a_CPPFLAGS = $(AM_CPPFLAGS) $(PROTOBUF_CFLAGS)
src_app_libassent_kvrequests_a_SOURCES = src/app/kv/kv_requests.cc src/app/kv/kv_requests.h

# The kv application but for its store.
noinst_LIBRARIES += src/app/libassent_kvmachine.a
src_app_libassent_kvmachine_a_CPPFLAGS = $(AM_CPPFLAGS) $(PROTOBUF_CFLAGS)
src_app_libassent_kvmachine_a_SOURCES = \
	src/app/kv/kv_format.h \
	src/app/kv/kv_machine.cc src/app/kv/kv_machine.h \
	src/app/kv/kv_query.cc \
	src/app/kv/kv_store.h \
	src/app/kv/kv_write.cc src/app/kv/kv_write.h

if WITH_ROCKSDB
noinst_LIBRARIES += src/app/libassent_kv.a
src_app_libassent_kv_a_CPPFLAGS = $(AM_CPPFLAGS) $(PROTOBUF_CFLAGS)
src_app_libassent_kv_a_SOURCES = \
	src/app/kv/flush_tracker.cc src/app/kv/flush_tracker.h \
	src/app/kv/kv.h \
	src/app/kv/rocks_store.cc src/app/kv/rocks_store.h
kv_library = src/app/libassent_kv.a src/app/libassent_kvmachine.a
kv_needs = $(ROCKSDB_LIBS)
endif
