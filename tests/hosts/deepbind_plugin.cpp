// Loaded with RTLD_DEEPBIND: its own operators, and libc's malloc before anybody's.
#include <cstdlib>
#include <new>

void* operator new(std::size_t bytes) { return std::malloc(bytes); }
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }

extern "C" int plugin_churn(int count) {
  int sum = 0;
  for (int i = 0; i < count; ++i) {
    auto* number = new int(1);
    void* block = std::malloc(960);
    block = std::realloc(block, 961);
    auto* numbers = static_cast<int*>(::operator new(962));
    numbers[0] = *number;
    sum += numbers[0];
    ::operator delete(numbers);
    std::free(block);
    delete number;
  }
  return sum;
}

// Frees a block of the program's.
extern "C" void plugin_free(void* block) { std::free(block); }
