"""What calls of memprof/memprof.h take in a program without memprof."""
import statistics

import analysis
import analysis_table

CALLS = ("track_alloc", "track_free", "push_tag", "pop_tag", "mark", "set_type", "is_active")
PARTS = {"calls": ("most_ns", *(f"{call}_ns" for call in CALLS))}  # and the figures below that each finds
Figure = analysis_table.Figure
# The one place where these figures stand.
REACH = {"most_ns": Figure("the dearest of these calls without memprof, ns", 1, 0.5, "{:.2f}", True)}
# What helps to understand them.
ALSO = {f"{call}_ns": Figure(f"memprof_{call}(), ns") for call in CALLS}
ROUNDS = 200_000_000
QUICK_ROUNDS = 10_000_000


class ClientApi(analysis.Analysis):
    """Goes through the parts as the analysis does."""

    parts = PARTS

    def __init__(self, options, scratch, progress):
        super().__init__(options, scratch, progress)
        self.sizes = {"calls": QUICK_ROUNDS if options.quick else ROUNDS}

    def calls(self):
        """The program says what a loop with each call takes, and one without."""
        program = self.options.build / "tests" / "bench" / "client_calls"
        samples = self.take_turns("calls", {"alone": lambda: self.launch([program, str(self.sizes["calls"])])},
                                  self.options.runs)
        runs = [dict(line.split() for line in sample["output"].splitlines()) for sample in samples["alone"]]
        took = {call: statistics.median(float(run[call]) - float(run["nothing"]) for run in runs) for call in CALLS}
        return {"most_ns": max(took.values())} | {f"{call}_ns": ns for call, ns in took.items()}
