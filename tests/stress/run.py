"""One run of a command in a directory of its own: status, output, time, and nothing of it left behind."""
import dataclasses
import os
import pathlib
import shutil
import signal
import subprocess
import time


@dataclasses.dataclass
class Outcome:
    """How a run ended. `status` is negative for a signal, None when it took too long and was killed."""
    status: int
    out: bytes
    err: bytes
    seconds: float
    left: list  # processes that outlived it, killed since


def run(command, environment, directory, deadline_seconds):
    started = time.monotonic()
    with open(directory / "stdout", "wb") as out, open(directory / "stderr", "wb") as err:
        process = subprocess.Popen(command, cwd=directory / "work", env=plain_environment(directory) | environment,
                                   stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True)
        try:
            status = process.wait(deadline_seconds)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            seconds = time.monotonic() - started
            left = end_all(process, directory)
    return Outcome(status, (directory / "stdout").read_bytes(), (directory / "stderr").read_bytes(), seconds, left)


def plain_environment(directory):
    """Small and the same in both runs: nothing of the environment of whoever runs the tests."""
    return {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8", "HOME": str(directory / "work"),
            "TMPDIR": str(directory / "tmp"), "PYTHONHASHSEED": "0", "PERL_HASH_SEED": "0", "PERL_PERTURB_KEYS": "0"}


def fresh(directory):
    shutil.rmtree(directory, ignore_errors=True)
    for name in ("work", "tmp", "traces"):
        (directory / name).mkdir(parents=True)
    return directory


def end_all(process, directory):
    """Kills what is left of the run: its session, and what left the session but has the directory in its environment.
    A process that is just ending is given a moment."""
    give_up = time.monotonic() + 2
    while (pids := processes_of(directory)) and process.poll() is not None and time.monotonic() < give_up:
        time.sleep(0.05)
    left = []
    for pid in pids:
        try:
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
            left.append(" ".join(words).strip()[:80])
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return left


def processes_of(directory):
    marker = f"HOME={directory / 'work'}\0".encode()
    pids = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            if marker in (entry / "environ").read_bytes():
                pids.append(int(entry.name))
        except OSError:
            pass
    return pids
