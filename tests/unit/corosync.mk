check_PROGRAMS += tests/unit/test_config tests/unit/test_corosync
tests_unit_test_config_SOURCES = tests/unit/test_config.cc src/daemon/config.cc src/daemon/conf_file.cc
tests_unit_test_config_LDADD = src/base/libassent_base.a $(GTEST_LIBS)
tests_unit_test_corosync_SOURCES = tests/unit/test_corosync.cc
tests_unit_test_corosync_LDADD = src/corosync/libassent_corosync.a src/base/libassent_base.a \
	$(CPG_LIBS) $(QUORUM_LIBS) $(VOTEQUORUM_LIBS) $(CMAP_LIBS) $(CFG_LIBS) $(QB_LIBS) $(GTEST_LIBS)
# Not a test by itself: tests/cluster/adapter_probe.sh runs it against a real corosync.
noinst_PROGRAMS += tests/cluster/adapter_probe
EXTRA_DIST += tests/cluster/adapter_probe.sh
tests_cluster_adapter_probe_SOURCES = tests/cluster/adapter_probe.cc
tests_cluster_adapter_probe_LDADD = src/corosync/libassent_corosync.a src/base/libassent_base.a \
	$(CPG_LIBS) $(QUORUM_LIBS) $(VOTEQUORUM_LIBS) $(CMAP_LIBS) $(CFG_LIBS) $(QB_LIBS)
