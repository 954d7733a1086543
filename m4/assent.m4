# Looking for libraries so that everything that is missing is told at once, with the packages to install.

# ASSENT_MISSING(WHAT, DEBIAN-PACKAGE)
AC_DEFUN([ASSENT_MISSING], [
    assent_missing="$assent_missing
    $1: package $2"
    assent_packages="$assent_packages $2"
])

# ASSENT_PKG(VARIABLE-PREFIX, PKG-CONFIG-MODULE, DEBIAN-PACKAGE)
AC_DEFUN([ASSENT_PKG], [
    PKG_CHECK_MODULES([$1], [$2], [], [ASSENT_MISSING([$2], [$3])])
])

# ASSENT_HEADER(HEADER, DEBIAN-PACKAGE): only preprocessed, as some of them take seconds to compile
AC_DEFUN([ASSENT_HEADER], [
    AC_MSG_CHECKING([for $1])
    AC_PREPROC_IFELSE([AC_LANG_SOURCE([[#include <$1>]])],
        [AC_MSG_RESULT([yes])],
        [AC_MSG_RESULT([no])
         ASSENT_MISSING([$1], [$2])])
])

# ASSENT_PROGRAM(VARIABLE, PROGRAM, DEBIAN-PACKAGE)
AC_DEFUN([ASSENT_PROGRAM], [
    AC_PATH_PROG([$1], [$2])
    AS_IF([test -z "$$1"], [ASSENT_MISSING([$2], [$3])])
])

# ASSENT_REPORT_MISSING
AC_DEFUN([ASSENT_REPORT_MISSING], [
    AS_IF([test -n "$assent_missing"], [
        AC_MSG_ERROR([these are missing (names of packages as in Debian 12):
$assent_missing

Install them, then run configure again:
    apt-get install$assent_packages
])
    ])
])

# ASSENT_SANITIZE(FLAGS): compiles and links with them?
AC_DEFUN([ASSENT_SANITIZE], [
    AC_MSG_CHECKING([whether $CXX links with $1])
    assent_save="$CXXFLAGS"
    CXXFLAGS="$CXXFLAGS $1"
    AC_LINK_IFELSE([AC_LANG_PROGRAM()],
        [AC_MSG_RESULT([yes])],
        [AC_MSG_RESULT([no])
         AC_MSG_ERROR([$CXX does not link with $1: install its sanitizer libraries (g++: libasan8, libubsan1, libtsan2; clang++: libclang-rt-dev)])])
    CXXFLAGS="$assent_save"
])
