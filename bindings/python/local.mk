# The Python binding: one module, on the C library.
assentpythondir = $(prefix)/lib/python3/dist-packages
dist_assentpython_DATA = bindings/python/assent.py
script_tests += bindings/python/test_assent.py
python_log = bindings/python/test_assent.py.log bindings/python/test_assent.log
$(python_log): src/lib/libassent.la
EXTRA_DIST += bindings/python/test_assent.py bindings/python/scripted_daemon.py bindings/python/counter.py
