"""Tests whose verdict differs under the preload for a reason that is no defect: the item, the test, why."""

DIFFERS = {}


def reason(item, test):
    return DIFFERS.get((item, test))
