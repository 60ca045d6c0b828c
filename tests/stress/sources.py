"""Debian source packages, for the tests that are in no binary package. Nothing of the system's own lists is changed."""
import pathlib
import subprocess

SOURCE = """\
deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm main
"""


class Unavailable(Exception):
    """Why a source package cannot be had."""


def unpacked(package, pattern, directory):
    """The unpacked source of the package, fetched once into the directory; `pattern` is what its name looks like."""
    found = sorted(directory.glob(pattern))
    if found:
        return found[0]
    lists = directory / "lists"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    source = directory / "sources.list"
    source.write_text(SOURCE)
    options = ["-o", f"Dir::Etc::sourcelist={source}", "-o", "Dir::Etc::sourceparts=/dev/null", "-o",
               f"Dir::State::lists={lists}", "-o", "APT::Sandbox::User=root"]
    for words in (["update"], ["source", package]):
        try:
            done = subprocess.run(["apt-get", *options, *words], cwd=directory, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unavailable(f"apt-get {words[0]}: {error}") from error
        if done.returncode != 0:
            last = done.stdout.decode(errors="replace").strip().splitlines()[-1:]
            raise Unavailable(f"apt-get {' '.join(words)} failed: {' '.join(last)}")
    found = sorted(directory.glob(pattern))
    if not found:
        raise Unavailable(f"the source of {package} is no {pattern}")
    return pathlib.Path(found[0])
