"""Where the programs under test are."""

import os

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
FOLDERS = ("", "src/daemon", "src/ctl", "src/bench", "tests/cluster", "examples", "examples/port-from-cpg")


class Build:
    """A build folder: $ASSENT_BUILD, else build/ in the checkout. A program can be named by itself too, as $ASSENTD."""

    def __init__(self, folder=None):
        self.folder = os.path.realpath(folder or os.environ.get("ASSENT_BUILD") or os.path.join(TOP, "build"))

    def program(self, name):
        """The absolute path of a program. FileNotFoundError says what to do if it is not there."""
        named = os.environ.get(name.upper().replace("-", "_"))
        if named:
            return os.path.realpath(named)
        for folder in FOLDERS:
            path = os.path.join(self.folder, folder, name)
            if os.path.isfile(path) and os.access(path, os.X_OK):
                return path
        raise FileNotFoundError(f"no {name} in {self.folder}: build first (./configure && make), "
                                f"or say where with ASSENT_BUILD=FOLDER")

    def search_path(self):
        """A PATH that finds the built programs first."""
        folders = [os.path.normpath(os.path.join(self.folder, folder)) for folder in FOLDERS]
        return ":".join(folders + ["/usr/sbin:/usr/bin:/sbin:/bin"])
