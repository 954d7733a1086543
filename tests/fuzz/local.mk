# Built by `make fuzz` alone (configure --enable-fuzz CXX=clang++). Each target is one file with LLVMFuzzerTestOneInput.
fuzz_programs = tests/fuzz/fuzz_config
EXTRA_PROGRAMS += $(fuzz_programs)

tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.cc
tests_fuzz_fuzz_config_LDADD = src/daemon/libassent_daemon.a src/base/libassent_base.a $(QB_LIBS)
tests_fuzz_fuzz_config_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
