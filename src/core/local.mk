noinst_LIBRARIES += src/core/libassent_core.a
src_core_libassent_core_a_SOURCES = \
	src/core/assert.h \
	src/core/cancel.cc \
	src/core/clients.cc src/core/clients.h \
	src/core/durability.cc src/core/durability.h \
	src/core/election.cc \
	src/core/event.h \
	src/core/handover.cc \
	src/core/invariants.cc src/core/invariants.h \
	src/core/lease.cc \
	src/core/log.cc src/core/log.h \
	src/core/membership.cc \
	src/core/message.cc src/core/message.h \
	src/core/opinions.h \
	src/core/options.h \
	src/core/planted.h \
	src/core/proposals.cc \
	src/core/quorum.h \
	src/core/recovered.cc src/core/recovered.h \
	src/core/replica.cc src/core/replica.h src/core/replica_impl.h \
	src/core/replication.cc \
	src/core/status.cc \
	src/core/tally.cc \
	src/core/text.h \
	src/core/types.h \
	src/core/update.h \
	src/core/verdicts.cc \
	src/core/verdict_reader.cc src/core/verdict_reader.h
