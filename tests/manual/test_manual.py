#!/usr/bin/python3
"""Every function of libassent has a page; its prototype there is the header's; it lists the errors that the header lists; the
examples run and do what they say; code in the guides is that of examples/; configurations and commands in all pages are
understood. Run by `make check`."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import subprocess
import sys
import tempfile
import unittest
from typing import Dict, List, Tuple

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import fragments  # noqa: E402  pylint: disable=wrong-import-position

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


def unescaped(text: str) -> str:
    return re.sub(r"^\\&", "", text, flags=re.M).replace("\\(dq", '"').replace("\\e", "\\")


def literal_blocks(text: str) -> List[str]:
    blocks = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed$", text, flags=re.M | re.S)
    return [unescaped(b) for b in blocks]


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


def other_blocks() -> List[Tuple[str, str]]:
    """The blocks of all pages but those of the functions: code, configurations, commands."""
    names = sorted(n for n in os.listdir(os.path.join(TOP, "man")) if re.search(r"\.[1578]$", n))
    names.append("libassent_overview.3")
    return [(name, block) for name in names for block in literal_blocks(read(f"man/{name}"))]


def shell_lines() -> List[Tuple[str, str]]:
    blocks = [(name, block) for name, block in other_blocks() if re.match("# |assentctl ", block)]
    pages = {name for name in os.listdir(os.path.join(TOP, "man"))}
    blocks += [(name, unescaped(line)) for name in sorted(pages) for line in re.findall(r"^\.Dl (.*)$", read(f"man/{name}"), re.M)]
    return [(name, line) for name, block in blocks for line in block.splitlines()]


def commands(line: str) -> List[List[str]]:
    """The words of each command of a pipe or an alternative, without what is redirected."""
    lexer = shlex.shlex(re.sub("^# ", "", line), posix=True, punctuation_chars="|<")
    lexer.whitespace_split = True
    found: List[List[str]] = [[]]
    for word in lexer:
        if set(word) == {"|"}:
            found.append([])
        elif word == "<":
            next(lexer)
        else:
            found[-1].append(word)
    return found


def run(command: List[str]) -> Tuple[int, str]:
    result = subprocess.run(command, check=False, timeout=60, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, universal_newlines=True,
                            env={**os.environ, "LD_LIBRARY_PATH": os.path.abspath(LIBRARY)})
    return result.returncode, result.stdout


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

    def test_examples_run(self) -> None:
        """Whole programs as they are, others with what fragments.py puts around them."""
        examples = {name: literal_blocks(section(page(name), "EXAMPLES")) for name in header_functions()
                    if not read(f"man/{name}.3").startswith(".so")}
        whole = {name for name, blocks in examples.items() if any("int main(" in b for b in blocks)}
        self.assertEqual(whole | set(fragments.HARNESSES), {name for name, blocks in examples.items() if blocks})
        environment = {**os.environ, "LD_LIBRARY_PATH": os.path.abspath(LIBRARY)}
        flags = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Werror", "-Wno-unused-function", f"-I{TOP}/include"]
        with tempfile.TemporaryDirectory() as folder:
            for name in sorted(name for name, blocks in examples.items() if blocks):
                with self.subTest(name):
                    code, = examples[name]
                    source, program = f"{folder}/{name}.c", f"{folder}/{name}"
                    with open(source, "w", encoding="utf-8") as file:
                        file.write(code if name in whole else fragments.HARNESSES[name].program(code))
                    subprocess.run([*CC, *flags, source, "-o", program, f"-L{LIBRARY}", "-lassent"], check=True, timeout=120)
                    if name in whole:
                        subprocess.run([program], check=True, timeout=60, env=environment)
                    else:
                        asyncio.run(fragments.run(self, fragments.HARNESSES[name], [program], environment))

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

    def test_configurations_are_good(self) -> None:
        tested = 0
        for name, block in other_blocks():
            if block.startswith("assent {"):
                with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
                    file.write(block)
                    file.flush()
                    code, text = run(["src/daemon/assentd", "-t", "-c", file.name])
                self.assertEqual(code, 0, f"{name}: {text}")
                self.assertNotIn("warning", text, name)
                tested += 1
        self.assertGreater(tested, 1)

    def test_commands_are_understood(self) -> None:
        tested = 0
        with tempfile.TemporaryDirectory() as folder:
            jobqueue = f"{folder}/jobqueue"
            subprocess.run([*CC, "-std=c11", "-D_GNU_SOURCE", f"-I{TOP}/include", f"{TOP}/examples/jobqueue.c", "-o", jobqueue,
                            f"-L{LIBRARY}", "-lassent"], check=True, timeout=120)
            for name, line in shell_lines():
                for program, *arguments in commands(line):
                    with self.subTest(f"{name}: {line}"):
                        if program == "assentctl":  # all is well but for the daemon
                            self.assertEqual(run(["src/ctl/assentctl", "-s", f"{folder}/nobody", *arguments])[0], 69)
                        elif program == "assent-bench":
                            code, text = run(["src/bench/assent-bench", "--help"])
                            for word in (arguments[0], *(a for a in arguments if a.startswith("-"))):
                                self.assertRegex(text, rf"(?<![\w-]){re.escape(word)}(?![\w-])")
                        elif program == "jobqueue":
                            code, text = run([jobqueue])
                            self.assertEqual((code, len(arguments)), (64, 2))
                            self.assertRegex(text, rf"\b{arguments[0]} [A-Z]+\b")
                        else:
                            self.assertIn(program, ("corosync-cmapctl", "echo", "jq"))
                        tested += 1
        self.assertGreater(tested, 10)

    def test_no_block_is_left_out(self) -> None:
        for name, block in other_blocks():
            self.assertRegex(block, r"^(static |assent \{|# |assentctl )", name)


if __name__ == "__main__":
    unittest.main()
