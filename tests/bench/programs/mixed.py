"""mixed.py ROUNDS: what Python programs do: objects, dicts, strings, JSON, sorting, regular expressions."""
import collections
import json
import re
import sys


class Order:
    def __init__(self, number, customer, lines):
        self.number = number
        self.customer = customer
        self.lines = lines

    def total(self):
        return sum(price * count for _, price, count in self.lines)


def make_orders(seed, count):
    orders = []
    for i in range(count):
        lines = [("article %d" % ((seed + i * j) % 97), 1.5 * (i % 13) + j, j + 1) for j in range(i % 6 + 1)]
        orders.append(Order(seed * count + i, "customer %d" % (i * 7919 % 211), lines))
    return orders


def work(seed):
    orders = make_orders(seed, 700)
    by_customer = collections.defaultdict(list)
    for order in orders:
        by_customer[order.customer].append(order)
    ranking = sorted(by_customer.items(), key=lambda item: (-sum(o.total() for o in item[1]), item[0]))
    text = json.dumps([{"customer": name, "orders": [vars(o) for o in own]} for name, own in ranking])
    parsed = json.loads(text)
    words = collections.Counter(match.group(1) for match in re.finditer(r'"article ([0-9]+)"', text))
    report = "\n".join("{:>12}: {:8.2f}".format(name, sum(o.total() for o in own)) for name, own in ranking)
    lengths = {line.strip().upper(): len(line.split(":")) for line in report.splitlines()}
    return len(text) + len(parsed) + len(lengths) + sum(words.values())


print(sum(work(seed) for seed in range(int(sys.argv[1]))))
