"""The table of a run of scripts/stress, and what is to be said of single items."""
import dataclasses

LONGEST = 300


def table(results):
    lines = [f"{'item':30}{'native':>24}{'recorded':>24}{'tests':>8}{'traces':>8}{'died':>6}{'events':>15}{'dropped':>10}"
             f"{'orphans':>9}{'double':>7}{'native s':>10}{'recorded s':>11}"]
    for result in results:
        if result.state == "skipped":
            lines.append(f"{result.name:30}skipped: {result.problems[0]}")
            continue
        lines.append(f"{result.name:30}{result.native:>24}{result.recorded:>24}{result.tests:>8,}{result.traces:>8,}"
                     f"{result.died:>6,}{result.events:>15,}{sum(result.dropped.values()):>10,}"
                     f"{result.unknown_orphans:>9,}{result.double_allocations:>7,}{result.native_seconds:>10.1f}"
                     f"{result.recorded_seconds:>11.1f}{'  FAILED' if result.state == 'failed' else ''}")
    return lines


def remarks(results):
    """Nothing that differs goes unsaid."""
    lines = []
    for result in results:
        if result.stacks_checked:
            lines.append(f"{result.name}: {result.stack_mismatches:,} of {result.stacks_checked:,} stacks differ from "
                         "libunwind's")
        if result.unborn:
            lines.append(f"{result.name}: {result.unborn:,} traces of processes that a signal ended while they began "
                         "the trace: nothing in it can be read")
        if result.state == "skipped":
            continue
        lines += [f"{result.name}: FAILED: {problem}" for problem in result.problems]
        lines += [f"{result.name}: FAILED: {test}: natively {short(native)}, recorded {short(recorded)}"
                  for test, (native, recorded) in result.differences.items()]
        lines += [f"{result.name}: differs, because: {test}: {why}" for test, why in result.explained.items()]
        for test, said in result.unstable.items():
            words = "; ".join(f"{way}: {', '.join(map(short, outcomes))}" for way, outcomes in said.items())
            lines.append(f"{result.name}: unstable: {test}: {words}")
    return lines


def short(text):
    return text if len(text) <= LONGEST else f"{text[:LONGEST]!r}…"


def document(results):
    return [dataclasses.asdict(result) for result in results]


def counts(results):
    states = [result.state for result in results]
    return tuple(states.count(state) for state in ("passed", "failed", "skipped"))
