"""From samples to figures, and from figures to the table, the reach and the JSON."""
import math
import statistics

MEGABYTE = 1e6


class Ratio:
    """The peer's added time over memprof's. `bound`: memprof's drowned in the noise, and the ratio is at least this."""

    def __init__(self, value, bound=False):
        self.value = value
        self.bound = bound

    def __str__(self):
        return f"{'>' if self.bound else ''}{self.value:.1f}"


def deviation(values):
    middle = statistics.median(values)
    return statistics.median(abs(value - middle) for value in values)


def figures_of(samples, ways, benchmark):
    """All figures of one benchmark, from its samples by way."""
    figures = {"name": benchmark.name, "kind": benchmark.kind, "ways": {}, "ratios": {}}
    for way in ways:
        figures["ways"][way] = {
            key: spread_of(values)
            for key in ("wall_s", "cpu_s", "user_s", "system_s", "peak_rss_bytes")
            for values in [[sample[key] for sample in samples[way]]]}
    native = figures["ways"]["native"]
    for way in ways[1:]:
        own = figures["ways"][way]
        own["added"] = {key: own[key]["median"] - native[key]["median"]
                        for key in ("wall_s", "cpu_s", "peak_rss_bytes")}
    memprof = figures["ways"]["memprof"]
    for way in ways[2:]:
        figures["ratios"][way] = {}
        for key in ("wall_s", "cpu_s"):
            noise = max(native[key]["mad"], memprof[key]["mad"], 1e-5)
            figures["ratios"][way][key] = ratio(figures["ways"][way]["added"][key], memprof["added"][key], noise)
    trace = samples["memprof"][-1]["trace"]
    trace_bytes = statistics.median(sample["trace_bytes"] for sample in samples["memprof"])
    figures["trace"] = trace | {"bytes": trace_bytes}
    figures["events_per_s"] = trace["events"] / memprof["wall_s"]["median"]
    figures["bytes_per_event"] = trace_bytes / trace["events"] if trace["events"] else None
    if benchmark.pairs:
        figures["pairs_per_thread"] = benchmark.pairs
        figures["ns_per_pair"] = {way: figures["ways"][way]["wall_s"]["median"] * 1e9 / benchmark.pairs for way in ways}
    figures["samples"] = samples
    return figures


def spread_of(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "mad": deviation(values)}


def scaling_of(one, one_sample, more, more_sample):
    """Pairs a second of `more` threads over those of `one`."""
    return (more.threads * more.pairs / more_sample["wall_s"]) / (one.pairs / one_sample["wall_s"])


def ratio(peer_added, added, noise):
    if peer_added <= noise:
        return None
    return Ratio(peer_added / added) if added > noise else Ratio(peer_added / noise, bound=True)


def table(results, peer):
    """One line a benchmark. `peer` is None when there is nothing to compare with."""
    peer_name = peer or "peer"
    columns = f"{'memprof':>9}{peer_name[:9]:>10}{'ratio':>7} |"
    lines = [f"{'':18}{'native':>8} |{'wall added, s':^27}|{'user+sys added, s':^27}|{'million':>8}"
             f"{'bytes':>8}{'bytes':>7}{'RSS':>6}{'own':>6}",
             f"{'':18}{'s':>8} |{columns}{columns}{'events/s':>8}{'/event':>8}{'/pair':>7}{'+MB':>6}{'MB':>6}"]
    for result in results:
        ways = result["ways"]
        cells = [f"{result['name']:18}{ways['native']['wall_s']['median']:8.3f} |"]
        for key in ("wall_s", "cpu_s"):
            other = ways[peer]["added"][key] if peer in ways else None
            compared = result["ratios"].get(peer, {}).get(key)
            cells.append(f"{ways['memprof']['added'][key]:9.3f}{number(other, 10, 3)}"
                         f"{'n/a' if compared is None else str(compared):>7} |")
        trace = result["trace"]
        own = trace["own_bytes"]
        cells.append(f"{result['events_per_s'] / 1e6:8.2f}{number(result['bytes_per_event'], 8, 2)}"
                     f"{number(trace['pair_bytes'], 7, 2)}"
                     f"{ways['memprof']['added']['peak_rss_bytes'] / MEGABYTE:6.1f}"
                     f"{number(own / MEGABYTE if own is not None else None, 6, 1)}")
        lines.append("".join(cells))
    return lines


def pair_table(results, ways):
    """ns a pair of malloc and free of one thread."""
    churn = [result for result in results if "ns_per_pair" in result]
    if not churn:
        return []
    lines = [f"{'ns a pair, one thread':24}" + "".join(f"{way:>15}" for way in ways)]
    for result in churn:
        lines.append(f"{result['name']:24}" + "".join(f"{result['ns_per_pair'][way]:15.1f}" for way in ways))
    return lines


def number(value, width, digits):
    return f"{'n/a':>{width}}" if value is None else f"{value:{width}.{digits}f}"


def reach(results, expected_real):
    """The figures that memprof is to reach: (figure, required, goal, measured as text, value, met)."""
    by_name = {result["name"]: result for result in results}
    real = [result for result in results if result["kind"] == "real"]
    rows = []

    def add(figure, required, goal, value, text, at_least=True):
        met = None if value is None else value >= required if at_least else value <= required
        sign = "≥" if at_least else "≤"
        if required == 0:
            sign = ""
        rows.append({"figure": figure, "required": f"{sign}{required}", "goal": f"{sign}{goal}", "value": value,
                     "measured": "not measured" if value is None else text, "met": met})

    def add_ratio(figure, required, goal, found):
        add(figure, required, goal, found and found.value, str(found))

    for key, title, required, goal in (("wall_s", "wall", 5, 10), ("cpu_s", "user+sys", 6, 12)):
        ratios = [r for r in (result["ratios"].get("heaptrack", {}).get(key) for result in real) if r]
        mean = mean_of(ratios)
        of = "" if len(ratios) == expected_real else f" ({len(ratios)} of {expected_real})"
        add(f"heaptrack's added time over memprof's, {title}, real programs{of}", required, goal,
            mean and mean.value, str(mean))
    for depth, threads, title, required, goal in ((30, 1, "one thread", 6, 10), (10, 2, "two threads", 8, 20)):
        churn = by_name.get(f"churn-{depth}-t{threads}")
        add_ratio(f"the same, wall, churn at depth {depth}, {title}", required, goal,
                  churn and churn["ratios"].get("heaptrack", {}).get("wall_s"))
    scaling = next((result["scaling"] for result in results if "scaling" in result), None)
    found = scaling and scaling["memprof"]["median"]
    add("events a second, two threads over one, churn at depth 10", 1.8, 2.0, found,
        f"{found or 0:.2f}, native {scaling['native']['median'] if scaling else 0:.2f}")
    for kind, title in (("real", "real program"), ("micro", "micro-benchmark")):
        pairs = {result["name"]: result["trace"]["pair_bytes"] for result in results
                 if result["kind"] == kind and result["trace"]["pair_bytes"]}
        worst = max(pairs, key=pairs.get, default=None)
        typical = statistics.median(pairs.values()) if pairs else None
        add(f"trace bytes a pair, new stacks excluded, largest {title}", 8, 5, pairs.get(worst),
            f"{pairs.get(worst, 0):.2f} {worst}", at_least=False)
        add(f"the same, median {title}", 8, 5, typical, f"{typical or 0:.2f}", at_least=False)
    python = by_name.get("python3")
    rss = python and python["ways"]["memprof"]["added"]["peak_rss_bytes"] / MEGABYTE
    add("peak RSS added on the CPython run, MB", 16, 8, rss, f"{rss or 0:.1f}", at_least=False)
    verified = [result["verify"] for result in real if result.get("verify")]
    mismatches = sum(found["mismatches"] for found in verified) if verified else None
    checked = sum(found["checked"] for found in verified)
    add("stack mismatches against libunwind, real programs", 0, 0, mismatches, f"{mismatches} of {checked:,}",
        at_least=False)
    return rows


def mean_of(ratios):
    if not ratios:
        return None
    return Ratio(math.exp(statistics.fmean(math.log(r.value) for r in ratios)), any(r.bound for r in ratios))


def reach_table(rows):
    words = {None: "-", True: "yes", False: "no"}
    return [f"{'Reach':74}{'required':>9}{'goal':>6}{'measured':>24}{'met':>5}"] + [
        f"{row['figure']:74}{row['required']:>9}{row['goal']:>6}{row['measured']:>24}{words[row['met']]:>5}"
        for row in rows]


def plain(value):
    """For json: a ratio becomes an object."""
    if isinstance(value, Ratio):
        return {"value": value.value, "bound": value.bound}
    raise TypeError(type(value).__name__)
