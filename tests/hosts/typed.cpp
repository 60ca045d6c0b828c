// Blocks whose types templates name, in known numbers: 40 of a vector's, nodes, objects of make_unique and make_shared,
// strings; and 7 that nothing names.
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace {

struct Shape {
  double corners[9];
};
struct Unnamed {
  double corners[5];
};

std::vector<std::vector<Shape>> vectors;
std::map<int, Shape> shapes;
std::list<std::string> names;
std::vector<std::unique_ptr<Shape>> owned;
Unnamed* plain[7];

}  // namespace

int main() {
  vectors.reserve(40);
  owned.reserve(30);
  for (int i = 0; i < 40; ++i) vectors.emplace_back(3);
  for (int i = 0; i < 50; ++i) shapes[i].corners[0] = i;
  for (int i = 0; i < 20; ++i) names.emplace_back(100, 'x');
  for (int i = 0; i < 30; ++i) owned.push_back(std::make_unique<Shape>());
  for (Unnamed*& one : plain) one = new Unnamed;
  return plain[0] == nullptr;
}
