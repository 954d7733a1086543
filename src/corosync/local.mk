# The adapters are named so that "-I src" does not hide corosync's own <corosync/cpg.h>.
noinst_LIBRARIES += src/corosync/libassent_corosync.a
src_corosync_libassent_corosync_a_CPPFLAGS = $(AM_CPPFLAGS) $(QB_CFLAGS)
src_corosync_libassent_corosync_a_SOURCES = \
	src/corosync/cfg_adapter.cc src/corosync/cfg_adapter.h \
	src/corosync/cluster.h \
	src/corosync/cmap_adapter.cc src/corosync/cmap_adapter.h \
	src/corosync/control.cc src/corosync/control.h \
	src/corosync/corosync.cc src/corosync/corosync.h \
	src/corosync/cpg_adapter.cc src/corosync/cpg_adapter.h \
	src/corosync/outbox.cc src/corosync/outbox.h \
	src/corosync/publisher.cc src/corosync/publisher.h \
	src/corosync/quorum_adapter.cc src/corosync/quorum_adapter.h \
	src/corosync/status.cc src/corosync/status.h \
	src/corosync/view.cc src/corosync/view.h \
	src/corosync/votequorum_adapter.cc src/corosync/votequorum_adapter.h
