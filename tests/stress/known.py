"""Tests whose verdict differs under the preload for a reason that is no defect: the item, the test, why."""

DESCRIPTOR = ("the test lists every open descriptor of a program that it starts, and that program is recorded too: its "
              "recorder keeps the trace open, under the highest number that RLIMIT_NOFILE allows")

DIFFERS = {
    ("cpython-test_subprocess",
     "test.test_subprocess.POSIXProcessTestCase.test_close_fds_when_max_fd_is_lowered"): DESCRIPTOR,
    ("cpython-test_subprocess", "test.test_subprocess.POSIXProcessTestCase.test_pass_fds_redirected"): DESCRIPTOR,
    ("cpython-test_subprocess", "exit status"): "it says that the two tests failed",
}


def reason(item, test):
    return DIFFERS.get((item, test))
