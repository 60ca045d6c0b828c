"""What the analysis is to reach, and the table of what it does."""
import dataclasses


@dataclasses.dataclass
class Figure:
    what: str
    at_least: float = None  # None: only told
    goal: float = None
    form: str = "{:.2f}"
    small_is_good: bool = False
    of_large: bool = False  # it counts at the full size alone

    def met(self, value, is_quick):
        if value is None or self.at_least is None or (is_quick and self.of_large):
            return "-"
        reached = [value <= bound if self.small_is_good else value >= bound for bound in (self.at_least, self.goal)]
        return "goal" if reached[1] else "yes" if reached[0] else "no"

    def bound(self, value):
        return "" if value is None else ("≤" if self.small_is_good else "≥") + self.form.format(value)


# The one place where these figures stand.
REACH = {
    "summary_ratio": Figure("summary of the CPython trace, times as fast as heaptrack_interpret + heaptrack_print",
                            6, 15, "{:.1f}"),
    "pairing_rate": Figure("million events a second, one core, pairing with sites, CPython trace", 15, 40, "{:.1f}"),
    "pairing_scaling": Figure("the same, two cores ÷ one", 1.7, 1.95),
    "large_rss": Figure("peak RSS of {events:,} events with {live:,} live, MB", 512, 256, "{:.0f}", True, True),
    "window_percent": Figure("a window of 1 % of that trace, % of the full time", 5, 2, "{:.2f}", True, True),
    "compressed_pair": Figure("compressed CPython trace, bytes an alloc+free pair, all of the file", 4, 2.5, "{:.2f}",
                              True),
}
# What helps to understand them.
ALSO = {
    "summary_cpu_ratio": Figure("summary of the CPython trace, times as fast, by user+sys", form="{:.1f}"),
    "summary_s": Figure("summary of the CPython trace, s", form="{:.3f}"),
    "summary_warm_s": Figure("the same with MEMPROF_CACHE as an earlier summary left it, s", form="{:.3f}"),
    "interpret_s": Figure("heaptrack_interpret | zstd, s", form="{:.3f}"),
    "print_s": Figure("heaptrack_print, s", form="{:.3f}"),
    "pairing_ns": Figure("ns an event, one core, CPython trace", form="{:.1f}"),
    "large_s": Figure("summary of {events:,} events, s", form="{:.1f}"),
    "large_rate": Figure("the same, million events a second, all cores", form="{:.1f}"),
    "large_one_rate": Figure("the same, one core, jobs 1", form="{:.1f}"),
    "large_scaling": Figure("the same, two cores ÷ one"),
    "window_first_percent": Figure("the window before any full pass, % of the full time"),
    "trace_pair": Figure("CPython trace as recorded, bytes an alloc+free pair, all of the file"),
    "compress_rate": Figure("compress, MB a second", form="{:.0f}"),
}


def rows(figures, values, errors, sizes, is_quick):
    """One row a figure: `values` and `errors` are by key; what is in neither was not asked for."""
    return [{"key": key, "what": figure.what.format(**sizes), "value": values.get(key), "error": errors.get(key),
             "at_least": figure.at_least, "goal": figure.goal, "met": figure.met(values.get(key), is_quick)}
            for key, figure in figures.items() if key in values or key in errors]


def table(title, figures, found):
    """The lines of some rows: with bounds where the figures have any."""
    if not found:
        return []
    has_bounds = any(figure.at_least is not None for figure in figures.values())
    width = max(len(title), *(len(row["what"]) for row in found))
    bounds = f"{'at least':>10}{'goal':>8}{'met?':>6}" if has_bounds else ""
    lines = [f"{title:{width}}{'measured':>15}{bounds}"]
    for row in found:
        figure = figures[row["key"]]
        measured = "could not run" if row["value"] is None else figure.form.format(row["value"])
        line = f"{row['what']:{width}}{measured:>15}"
        if has_bounds:
            line += f"{figure.bound(figure.at_least):>10}{figure.bound(figure.goal):>8}{row['met']:>6}"
        lines.append(line)
    return lines
