"""From what a run left to its verdict: every test by name, and how it came out."""
import collections
import re
import xml.etree.ElementTree as ElementTree

HUNG = "None"


def junit(outcome, directory):
    """What `-m test` and pytest write with --junit-xml."""
    verdict = {"exit status": str(outcome.status)}
    try:
        cases = ElementTree.parse(directory / "work" / "results.xml").iter("testcase")
    except (OSError, ElementTree.ParseError):
        return verdict | {"results": "missing"}
    seen = collections.Counter()
    for case in cases:
        name = ".".join(filter(None, (case.get("classname"), case.get("name"))))
        seen[name] += 1
        kinds = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        # Doctests of one module share a name.
        verdict[name if seen[name] == 1 else f"{name} ({seen[name]})"] = kinds[0] if kinds else "ok"
    return verdict


TAP_LINE = re.compile(r"^(not ok|ok)\b(?: +(\d+))?([^#\n]*)(?:# *(skip|todo))?", re.IGNORECASE)


def tap(outcome, directory):
    """What prove heard, which it keeps in tap/, and the exit status of each file, which it says at its end."""
    verdict = {"exit status": str(outcome.status)}
    heard = directory / "work" / "tap"
    for file in sorted(path for path in heard.rglob("*") if path.is_file()):
        name = str(file.relative_to(heard))
        count = 0
        for line in file.read_text(errors="replace").splitlines():
            if line.startswith("1..0"):
                verdict[name] = "skipped"
            match = TAP_LINE.match(line)
            if match:
                count = int(match[2]) if match[2] else count + 1
                verdict[f"{name}:{count}"] = match[1].lower() + (f", {match[4].lower()}" if match[4] else "")
    for name, status in re.findall(r"^(\S+) +\(Wstat: (\d+)", outcome.out.decode(errors="replace"), re.MULTILINE):
        verdict[f"{name}: status"] = status
    if len(verdict) == 1:
        verdict["results"] = "missing"
    return verdict


def output(outcome, _):
    """A program that is its own test: everything it says."""
    return {"exit status": str(outcome.status), "stdout": outcome.out.decode(errors="replace"),
            "stderr": outcome.err.decode(errors="replace")}


def lines(outcome, _):
    """A program that prints one line a test, `name: result`."""
    verdict = {"exit status": str(outcome.status), "stderr": outcome.err.decode(errors="replace")}
    for line in outcome.out.decode(errors="replace").splitlines():
        name, _, result = line.partition(": ")
        verdict[name] = result
    return verdict


def differences(native, recorded):
    return {name: (native.get(name, "not run"), recorded.get(name, "not run"))
            for name in sorted(native.keys() | recorded.keys()) if native.get(name) != recorded.get(name)}


def in_short(verdict):
    """Such as "168 ok" or "0; 120 ok, 2 failure"."""
    status = verdict["exit status"]
    bad = collections.Counter(outcome for name, outcome in verdict.items()
                              if name not in ("exit status", "stdout", "stderr") and outcome != "ok")
    words = [f"{count} {outcome}" for outcome, count in bad.most_common(2) if len(outcome) < 20]
    if status == "0":
        status = "ok"
    elif status == HUNG:
        status = "hung"
    elif status.startswith("-"):
        status = f"signal {status[1:]}"
    else:
        status = f"exit {status}"
    return ", ".join([status, *words])
