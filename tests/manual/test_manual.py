#!/usr/bin/python3
"""Every function of libassent has a page; its prototype there is the header's; it lists the errors that the header lists; the
examples compile, and run where they are whole programs; code in the guides is that of examples/. Run by `make check`."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import unittest
from typing import Dict, List

TOP = os.environ.get("ASSENT_SOURCE", "../..")
CC = os.environ.get("CC", "gcc").split()
CXX = os.environ.get("CXX", "g++").split()
LIBRARY = "src/lib/.libs"


def read(path: str) -> str:
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        return file.read()


def page(name: str) -> str:
    text = read(f"man/{name}.3")
    link = re.fullmatch(r"\.so man3/(\w+)\.3\n", text)
    return read(f"man/{link.group(1)}.3") if link else text


def literal_blocks(text: str) -> List[str]:
    blocks = re.findall(r"^\.Bd -literal\n(.*?)^\.Ed$", text, flags=re.M | re.S)
    return [re.sub(r"^\\&", "", b, flags=re.M).replace("\\e", "\\") for b in blocks]


def section(text: str, name: str) -> str:
    found = re.search(rf"^\.Sh {name}\n(.*?)(?=^\.Sh |\Z)", text, flags=re.M | re.S)
    return found.group(1) if found else ""


def tight(code: str) -> str:
    return re.sub(r"\s*([*(),;])\s*", r"\1", " ".join(code.split()))


def header_functions() -> Dict[str, str]:
    code = re.sub(r"/\*.*?\*/", "", read("include/assent/assent.h"), flags=re.S)
    return {m.group(1): tight(m.group(0)) for m in
            re.finditer(r"^(?:cs_error_t|const char ?\*|void) ?(assent_\w+)\([^;]*\);", code, flags=re.M)}


def header_errors() -> Dict[str, List[str]]:
    """The comment before a function, and before others that follow it at once, lists their errors."""
    errors = {}
    pattern = r"/\*(?P<comment>(?:[^*]|\*(?!/))*)\*/\n(?P<functions>(?:(?:cs_error_t|const char ?\*|void) ?assent_\w+\([^;]*\);\n)+)"
    for m in re.finditer(pattern, read("include/assent/assent.h")):
        for name in re.findall(r"(assent_\w+)\(", m.group("functions")):
            errors[name] = re.findall(r"CS_ERR_\w+", m.group("comment"))
    return errors


IN_CPP = """
#include <assent/assent.hpp>
int main() {
    assent_model_v1_data_t options{};
    options.address = "/no/daemon/is/here";
    assent::Handle handle({}, options);
    return handle.write_wait("x", 20).outcome == ASSENT_NOT_DONE ? 0 : 1;
}
"""


class TestManual(unittest.TestCase):
    def test_every_symbol_is_in_the_header_and_has_a_page(self) -> None:
        symbols = set(re.findall(r"^(assent_\w+)@", read("tests/abi/symbols"), flags=re.M))
        self.assertGreater(len(symbols), 20)
        self.assertEqual(symbols, set(header_functions()))
        for symbol in symbols:
            self.assertIn(f".Nm {symbol}\n", page(symbol).replace(" ,\n", "\n"), symbol)
        for name in os.listdir(os.path.join(TOP, "man")):
            if name.endswith(".3") and name != "libassent_overview.3":
                self.assertIn(name[:-2], symbols, "a page of what is not there")

    def test_prototypes_are_those_of_the_header(self) -> None:
        for name, prototype in header_functions().items():
            self.assertIn(prototype, tight(section(page(name), "SYNOPSIS")), name)

    def test_errors_are_listed(self) -> None:
        commented = header_errors()
        self.assertIn("CS_ERR_BUSY", commented["assent_dispatch"])
        for name, prototype in header_functions().items():
            if not prototype.startswith("cs_error_t"):
                continue
            names = set(re.findall(r"^\.It Er (CS_ERR_\w+)\n(?!\.It|\.El)", section(page(name), "ERRORS"), flags=re.M))
            takes_handle = prototype.startswith(f"cs_error_t {name}(assent_handle_t handle")
            wanted = set(commented.get(name, [])) | ({"CS_ERR_BAD_HANDLE"} if takes_handle else set())
            self.assertLessEqual(wanted, names, name)

    def test_examples_compile_and_programs_run(self) -> None:
        compiled = 0
        environment = {**os.environ, "LD_LIBRARY_PATH": os.path.abspath(LIBRARY)}
        with tempfile.TemporaryDirectory() as folder:
            for name in sorted(header_functions()):
                if read(f"man/{name}.3").startswith(".so"):
                    continue
                for code in literal_blocks(section(page(name), "EXAMPLES")):
                    source, program = f"{folder}/{name}.c", f"{folder}/{name}"
                    with open(source, "w", encoding="utf-8") as file:
                        file.write(code)
                    whole = "int main(" in code
                    flags = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Werror", "-Wno-unused-function", f"-I{TOP}/include"]
                    link = ["-o", program, f"-L{LIBRARY}", "-lassent"] if whole else ["-fsyntax-only"]
                    subprocess.run([*CC, *flags, source, *link], check=True, timeout=120)
                    if whole:
                        subprocess.run([program], check=True, timeout=60, env=environment)
                    compiled += 1
        self.assertGreater(compiled, 7)

    def test_a_program_needs_what_pkg_config_says_and_no_more(self) -> None:
        """As libassent_overview(3) has it, with the library where `make install` would put it; and assent.hpp for C++17."""
        with tempfile.TemporaryDirectory() as prefix:
            os.symlink(os.path.abspath(os.path.join(TOP, "include")), f"{prefix}/include")
            os.symlink(os.path.abspath(LIBRARY), f"{prefix}/lib")
            flags = subprocess.run(
                ["pkg-config", f"--define-variable=prefix={prefix}", "--cflags", "--libs", "libassent"], check=True,
                stdout=subprocess.PIPE, env={**os.environ, "PKG_CONFIG_PATH": os.path.abspath("src/lib")},
                universal_newlines=True).stdout.split()
            self.assertIn("-lassent", flags)
            in_c = literal_blocks(section(page("assent_initialize"), "EXAMPLES"))[0]
            for compiler, name, code in ((CC, "program.c", in_c), ([*CXX, "-std=c++17"], "program.cc", IN_CPP)):
                with open(f"{prefix}/{name}", "w", encoding="utf-8") as file:
                    file.write(code)
                subprocess.run([*compiler, "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", f"{prefix}/{name}",
                                "-o", f"{prefix}/program", *flags], check=True, timeout=120)
                subprocess.run([f"{prefix}/program"], check=True, timeout=60,
                               env={**os.environ, "LD_LIBRARY_PATH": os.path.abspath(LIBRARY)})

    def test_code_in_the_guides_is_that_of_the_examples(self) -> None:
        examples = {"assent_tutorial": ["jobqueue.c"], "assent_porting": ["port-from-cpg/before.c", "port-from-cpg/after.c"]}
        for guide, files in examples.items():
            code = "".join(read(f"examples/{file}") for file in files)
            shown = [b for b in literal_blocks(read(f"man/{guide}.7")) if b.startswith("static ")]
            self.assertGreater(len(shown), 3)
            for block in shown:
                self.assertIn(block, code, guide)


if __name__ == "__main__":
    unittest.main()
