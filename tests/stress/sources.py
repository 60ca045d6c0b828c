"""Debian source packages, for the tests that are in no binary package, and programs that are built of them. Nothing of the
system's own lists is changed.

sources.py DIRECTORY builds all programs there, once each, and says on standard error which cannot be had.
"""
import pathlib
import subprocess
import sys

HOSTS = pathlib.Path(__file__).resolve().parent.parent / "hosts"

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


def built(package, directory, product, commands):
    """What the commands make in the source of a package, once."""
    directory.mkdir(parents=True, exist_ok=True)
    source = unpacked(package, f"{package}-*", directory)
    if not (source / product).exists():
        for command in commands:
            done = subprocess.run(command, cwd=source, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, check=False)
            if done.returncode != 0:
                last = done.stdout.decode(errors="replace").strip().splitlines()[-3:]
                raise Unavailable(f"{package} cannot be built: {' '.join(last)}")
    return source / product


def mimalloc_host(directory):
    """The host `allocators` with mimalloc linked in, in place of malloc."""
    return built("mimalloc", directory, "memprof-host", [
        ["cc", "-O2", "-DNDEBUG", "-DMI_MALLOC_OVERRIDE", "-Iinclude", "-c", "src/static.c", "-o", "static.o"],
        ["c++", "-std=c++20", "-O1", "-g", "-fno-builtin", f"-I{HOSTS}", str(HOSTS / "allocators.cpp"), "static.o",
         "-o", "memprof-host", "-lpthread"]])


def redis_server(directory):
    """redis with its own jemalloc: without Debian's patches, which take the system's."""
    return built("redis", directory, "pristine/src/redis-server", [
        ["sh", "-c", "rm -rf pristine && dpkg-source --skip-patches -x ../redis_*.dsc pristine"],
        ["make", "-C", "pristine/src", "-j2", "redis-server", "MALLOC=jemalloc", "BUILD_TLS=no", "OPTIMIZATION=-O1"]])


def main():
    directory = pathlib.Path(sys.argv[1]).resolve()
    for build in (mimalloc_host, redis_server):
        try:
            build(directory)
        except Unavailable as error:
            print(f"sources: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
