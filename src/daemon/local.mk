noinst_LIBRARIES += src/daemon/libassent_daemon.a
src_daemon_libassent_daemon_a_CPPFLAGS = $(AM_CPPFLAGS) $(QB_CFLAGS) $(PROTOBUF_CFLAGS)
src_daemon_libassent_daemon_a_SOURCES = \
	src/daemon/conf_file.cc \
	src/daemon/config.cc src/daemon/config.h \
	src/daemon/digests.cc src/daemon/digests.h \
	src/daemon/requests.cc src/daemon/requests.h \
	src/daemon/status.cc src/daemon/status.h \
	src/daemon/watches.cc src/daemon/watches.h

sbin_PROGRAMS += src/daemon/assentd
src_daemon_assentd_CPPFLAGS = $(AM_CPPFLAGS) $(QB_CFLAGS) $(PROTOBUF_CFLAGS)
src_daemon_assentd_SOURCES = \
	src/daemon/daemon.cc src/daemon/daemon.h \
	src/daemon/group.cc src/daemon/group.h \
	src/daemon/main.cc \
	src/version.h
src_daemon_assentd_LDADD = \
	src/daemon/libassent_daemon.a \
	src/app/libassent_app.a \
	$(kv_library) \
	src/net/libassent_net.a \
	src/corosync/libassent_corosync.a \
	src/ledger/libassent_ledger.a \
	src/wire/libassent_wire.a \
	src/core/libassent_core.a \
	src/base/libassent_base.a \
	$(CPG_LIBS) $(QUORUM_LIBS) $(VOTEQUORUM_LIBS) $(CMAP_LIBS) $(CFG_LIBS) $(QB_LIBS) $(PROTOBUF_LIBS) $(kv_needs)
