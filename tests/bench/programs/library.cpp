// What the compilers compile: templates of the standard library on types of its own, for each of BENCH_PARTS (0 to 3).
#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>
#if BENCH_PARTS > 1
#include <functional>
#include <iostream>
#include <regex>
#include <sstream>
#endif

template <int number>
struct Part {
  struct Item {
    std::string name;
    long value = number;
    bool operator<(const Item& other) const { return value < other.value; }
  };
  std::map<std::string, std::vector<Item>> groups;
  std::unordered_map<long, std::shared_ptr<Item>> items;
  std::set<Item> ordered;

  void add(const std::string& name, long value) {
    auto item = std::make_shared<Item>(Item{name + std::to_string(number), value});
    items.emplace(value, item);
    groups[name].push_back(*item);
    ordered.insert(*item);
  }

  long sum() {
    long total = 0;
    for (auto& [name, group] : groups) {
      std::sort(group.begin(), group.end());
      std::stable_sort(group.begin(), group.end(), [](auto& a, auto& b) { return a.name < b.name; });
      for (const Item& item : group) total += item.value + static_cast<long>(name.size());
    }
    return total;
  }
};

template <int number>
long use_parts(const std::string& name) {
  Part<number> part;
  for (long i = 0; i < 10; ++i) part.add(name, i * number);
#if BENCH_PARTS > 1
  std::ostringstream out;
  if (std::regex_match(name, std::regex("[a-z]+([0-9]*)"))) out << name << part.sum();
  std::function<long(long)> twice = [&](long n) { return n * 2 + static_cast<long>(out.str().size()); };
  return twice(part.sum());
#else
  return part.sum();
#endif
}

long use_all(const std::string& name) {
  long total = 0;
#if BENCH_PARTS > 0
  total += use_parts<1>(name);
#endif
#if BENCH_PARTS > 1
  total += use_parts<2>(name);
#endif
#if BENCH_PARTS > 2
  total += use_parts<3>(name);
#endif
  return total;
}
