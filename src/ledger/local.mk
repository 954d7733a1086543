noinst_LIBRARIES += src/ledger/libassent_ledger.a
src_ledger_libassent_ledger_a_SOURCES = \
	src/ledger/advice.h \
	src/ledger/env.cc src/ledger/env.h \
	src/ledger/format.cc src/ledger/format.h \
	src/ledger/ledger.cc src/ledger/ledger.h \
	src/ledger/memory_env.cc src/ledger/memory_env.h \
	src/ledger/outline.h \
	src/ledger/replay.cc src/ledger/replay.h \
	src/ledger/segment.cc src/ledger/segment.h \
	src/ledger/state_file.cc src/ledger/state_file.h \
	src/ledger/store.cc src/ledger/store.h \
	src/ledger/store_segments.cc src/ledger/store_write.cc
