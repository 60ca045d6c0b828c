// Blocks that something points to at the end, or nothing: lost_and_held CASE makes some and ends; without a case it
// lists them. What memprof and memcheck say of each block must be the same.
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <functional>
#include <iostream>
#include <list>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

struct Node {
  Node* next;
  Node* other;
  long payload;
};

Node* new_node(Node* next = nullptr, Node* other = nullptr) {
  auto* const node = static_cast<Node*>(malloc(sizeof(Node)));
  *node = {next, other, 1};
  return node;
}

void* held;
void* more_held[64];
#if defined(__x86_64__)
int is_held_in_red_zone;
#endif

void lost_block() { malloc(100); }
void held_block() { held = malloc(100); }
void held_by_static() {
  static void* kept;
  kept = malloc(100);
  asm volatile("" : : "r"(&kept) : "memory");
}
void lost_list() { new_node(new_node(new_node(new_node()))); }
void held_list() { held = new_node(new_node(new_node(new_node()))); }
Node* tree(int depth) { return depth == 0 ? nullptr : new_node(tree(depth - 1), tree(depth - 1)); }
void lost_tree() { tree(5); }
void held_tree() { held = tree(5); }
void lost_tree_with_held_branch() { held = tree(5)->other; }
Node* ring(int length) {
  Node* const first = new_node();
  Node* last = first;
  for (int i = 1; i < length; ++i) last = last->next = new_node();
  last->next = first;
  return first;
}
void lost_ring() { ring(3); }
void held_ring() { held = ring(3); }
void lost_ring_with_tail() { ring(3)->other = new_node(new_node()); }
void lost_ring_behind_block() { new_node(ring(4)); }
void lost_rings_joined() {
  Node* const first = ring(2);
  first->other = ring(3);
}
void points_to_itself() {
  Node* const node = new_node();
  node->next = node;
}
void lost_diamond() {
  Node* const bottom = new_node();
  new_node(new_node(bottom), new_node(bottom));
}
void shared_by_two_lost() {
  Node* const shared = new_node();
  new_node(shared);
  new_node(shared);
}
void newer_points_to_older() {
  Node* list = nullptr;
  for (int i = 0; i < 6; ++i) list = new_node(list);
}
void held_by_middle() { held = static_cast<char*>(malloc(100)) + 40; }
void held_by_last_byte() { held = static_cast<char*>(malloc(100)) + 99; }
void held_behind_end() { held = static_cast<char*>(malloc(104)) + 104; }
void held_before_begin() { held = static_cast<char*>(malloc(100)) - 8; }
void held_by_middle_with_children() { held = &new_node(new_node(), new_node(new_node()))->payload; }
void held_by_middle_and_begin() {
  char* const block = static_cast<char*>(malloc(100));
  held = block + 50;
  more_held[0] = block;
}
void child_by_middle() { held = new_node(reinterpret_cast<Node*>(static_cast<char*>(malloc(100)) + 20)); }
void lost_child_by_middle() { new_node(reinterpret_cast<Node*>(static_cast<char*>(malloc(100)) + 20)); }
void pointer_off_word() {
  static char place[64];
  void* const block = malloc(100);
  memcpy(place + 4 + (8 - reinterpret_cast<uintptr_t>(place) % 8) % 8, &block, sizeof(block));
}
void pointer_with_tag() { held = reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(malloc(100)) | 1); }
void pointer_inverted() { held = reinterpret_cast<void*>(~reinterpret_cast<uintptr_t>(malloc(100))); }
uintptr_t number;
void pointer_as_number() { number = reinterpret_cast<uintptr_t>(malloc(100)); }
void pointer_overwritten() {
  held = malloc(100);
  held = malloc(60);
}

struct WithDestructor {
  ~WithDestructor() { value = 0; }
  long value = 7;
};
void array_held() { held = new WithDestructor[5]; }
void array_lost() { new WithDestructor[5]; }
void array_held_by_second() { held = new WithDestructor[5] + 1; }
void array_of_array_held() {
  auto** const outer = new WithDestructor*[3];
  for (int i = 0; i < 3; ++i) outer[i] = new WithDestructor[4];
  held = outer;
}

struct First {
  virtual ~First() = default;
  virtual long first() { return one; }
  long one = 1;
};
struct Second {
  virtual ~Second() = default;
  virtual long second() { return two; }
  long two = 2;
};
struct Both : First, Second {
  long first() override { return one + 1; }
  long second() override { return two + 1; }
  long three = 3;
};
struct Plain {
  long one = 1;
};
struct PlainSecond {
  long two = 2;
};
struct PlainBoth : Plain, PlainSecond {};
void second_base_held() { held = static_cast<Second*>(new Both); }
void first_base_held() { held = static_cast<First*>(new Both); }
void plain_second_base_held() { held = static_cast<PlainSecond*>(new PlainBoth); }
struct Owner : First, Second {
  explicit Owner(void* owned) : thing(owned) {}
  void* thing;
};
void second_base_held_with_child() { held = static_cast<Second*>(new Owner(malloc(77))); }

void* old_string(size_t capacity, size_t length) {
  auto* const block = static_cast<uint64_t*>(calloc(1, 24 + capacity + 1));
  block[0] = length;
  block[1] = capacity;
  return block + 3;
}
void old_string_held() { held = old_string(40, 30); }
void no_old_string_held() {
  uint64_t* const block = static_cast<uint64_t*>(malloc(90));
  memset(block, 0, 90);
  block[0] = 50;
  block[1] = 40;
  held = block + 3;
}
void length_before() {
  uint64_t* const block = static_cast<uint64_t*>(malloc(8 + 200));
  block[0] = 200;
  held = block + 1;
}
void no_length_before() {
  uint64_t* const block = static_cast<uint64_t*>(malloc(8 + 200));
  block[0] = 7;
  held = block + 1;
}

struct Global {
  std::vector<std::string> vector;
  std::map<int, std::string> map;
  std::shared_ptr<int> shared;
};
Global* global;
void containers_held() {
  global = new Global;
  for (int i = 0; i < 20; ++i) {
    global->vector.emplace_back(100, 'x');
    global->map[i] = std::string(50, 'y');
  }
  global->shared = std::make_shared<int>(5);
}
void containers_lost() {
  containers_held();
  global = nullptr;
}
struct Cyclic {
  std::shared_ptr<Cyclic> other;
  std::string name = std::string(80, 'n');
};
void lost_cycle_of_shared() {
  auto one = std::make_shared<Cyclic>(), two = std::make_shared<Cyclic>();
  one->other = two;
  two->other = one;
}
void lost_list_of_strings() {
  auto* const list = new std::list<std::string>;
  for (int i = 0; i < 10; ++i) list->push_back(std::string(60, 'z'));
}
void held_unordered_map() {
  auto* const map = new std::unordered_map<int, std::unique_ptr<Both>>;
  for (int i = 0; i < 30; ++i) (*map)[i] = std::make_unique<Both>();
  held = map;
}
void lost_function() {
  auto* const function =
      new std::function<int()>([text = std::string(90, 'f')] { return static_cast<int>(text.size()); });
  (*function)();
}

// As the kernel's lists are: links point to links, in the middle of what they link.
struct Link {
  Link* next;
};
struct Linked {
  long before[3];
  Link link;
};
void intrusive_list_held() {
  static Link head;
  for (int i = 0; i < 4; ++i) {
    auto* const linked = static_cast<Linked*>(calloc(1, sizeof(Linked)));
    linked->link.next = head.next;
    head.next = &linked->link;
  }
}

sem_t ready;
void* wait_with_block(void* argument) {
  void* volatile on_stack = malloc(reinterpret_cast<uintptr_t>(argument));
  sem_post(&ready);
  for (;;) pause();
  return on_stack;
}
void start(void* (*function)(void*), void* argument) {
  pthread_t thread;
  pthread_create(&thread, nullptr, function, argument);
  sem_wait(&ready);
}
void held_by_stacks_of_threads() {
  for (uintptr_t i = 0; i < 3; ++i) start(wait_with_block, reinterpret_cast<void*>(100 + i));
}
thread_local void* of_thread;
void held_by_main_thread_local() { of_thread = malloc(100); }
thread_local void* kept_of_thread;
void* wait_with_thread_local(void*) {
  kept_of_thread = malloc(120);
  asm volatile("" : : "r"(&kept_of_thread) : "memory");
  sem_post(&ready);
  for (;;) pause();
}
void held_by_thread_local() { start(wait_with_thread_local, nullptr); }
void* end_with_block(void*) {
  void* volatile on_stack = malloc(130);
  of_thread = malloc(140);
  memset(static_cast<void*>(on_stack), 1, 130);
  return nullptr;
}
void lost_by_ended_thread() {
  pthread_t thread;
  pthread_create(&thread, nullptr, end_with_block, nullptr);
  pthread_join(thread, nullptr);
}
void held_by_thread_key() {
  pthread_key_t key;
  pthread_key_create(&key, nullptr);
  pthread_setspecific(key, malloc(150));
}
#if defined(__x86_64__)
void* keep_in_register(void*) {
  void* const block = malloc(160);
  // The only pointer is in a register of a loop that nobody leaves.
  asm volatile(
      "mov %0, %%rbx\n xor %%eax, %%eax\n mov %1, %%rdi\n call sem_post@plt\n"
      "xor %%eax, %%eax\n xor %%ecx, %%ecx\n xor %%edx, %%edx\n xor %%esi, %%esi\n xor %%edi, %%edi\n"
      "xor %%r8d, %%r8d\n xor %%r9d, %%r9d\n xor %%r10d, %%r10d\n xor %%r11d, %%r11d\n xor %%r12d, %%r12d\n"
      "xor %%r13d, %%r13d\n xor %%r14d, %%r14d\n xor %%r15d, %%r15d\n"
      "1: pause\n jmp 1b\n"
      :
      : "a"(block), "d"(&ready)
      : "memory");
  return nullptr;
}
void held_by_register() { start(keep_in_register, nullptr); }
#endif
[[noreturn]] void end_with_local() {
  void* volatile local = malloc(170);
  *static_cast<char*>(local) = 1;
  exit(0);
}

void* map_pages(int flags) { return mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0); }
void held_by_mapping() { *static_cast<void**>(map_pages(MAP_PRIVATE)) = malloc(100); }
void held_by_shared_mapping() { *static_cast<void**>(map_pages(MAP_SHARED)) = malloc(100); }
void lost_with_mapping() {
  void* const pages = map_pages(MAP_PRIVATE);
  *static_cast<void**>(pages) = malloc(100);
  munmap(pages, 8192);
}
void held_by_pool() {
  auto* const pool = static_cast<Node*>(malloc(100 * sizeof(Node)));
  for (int i = 0; i < 100; ++i) pool[i] = {new_node(), i > 0 ? &pool[i - 1] : nullptr, i};
  held = pool;
}
void lost_pool() {
  held_by_pool();
  held = nullptr;
}
void held_by_freed() {
  Node* const holder = new_node(new_node());
  held = holder;
  free(holder);
}
void realloc_moves() {
  held = realloc(malloc(100), 100'000);
  more_held[0] = realloc(malloc(50), 90);
}
void old_pointer_after_realloc() {
  held = malloc(100);
  malloc(16);
  malloc(300'000);
  asm volatile("" : : "r"(realloc(held, 200'000)));
}
void zero_bytes_lost() { malloc(0); }
void zero_bytes_held() { held = malloc(0); }
void many_held() {
  for (void*& place : more_held) place = malloc(32);
}
void every_second_held() {
  for (int i = 0; i < 64; ++i) {
    void* const block = malloc(32);
    if (i % 2 == 0) more_held[i] = block;
  }
}
void large_blocks() {
  held = malloc(1 << 20);
  malloc(2 << 20);
  more_held[0] = static_cast<char*>(malloc(3 << 20)) + (1 << 20);
}
void aligned_blocks() {
  void* block = nullptr;
  posix_memalign(&block, 4096, 5000);
  held = block;
  asm volatile("" : : "r"(aligned_alloc(256, 512)) : "memory");
  asm volatile("" : : "r"(new (std::align_val_t(128)) char[700]) : "memory");
}
void held_by_environment() {
  char* const text = static_cast<char*>(malloc(40));
  strcpy(text, "LOST_AND_HELD=held by the environment");
  putenv(text);
}
jmp_buf before;
void jump_over(void* block) {
  *static_cast<char*>(block) = 1;
  longjmp(before, 1);
}
void lost_by_long_jump() {
  if (setjmp(before) == 0) jump_over(malloc(180));
}
ucontext_t outer, fiber;
void run_fiber() {
  void* volatile on_stack = malloc(190);
  *static_cast<char*>(on_stack) = 1;
  swapcontext(&fiber, &outer);
}
void held_by_fiber() {
  getcontext(&fiber);
  fiber.uc_stack.ss_sp = held = calloc(1, 65536);
  fiber.uc_stack.ss_size = 65536;
  fiber.uc_link = &outer;
  makecontext(&fiber, run_fiber, 0);
  swapcontext(&outer, &fiber);
}
struct Registered {
  ~Registered() { free(block); }
  void* block = nullptr;
};
void freed_by_destructor() {
  static Registered registered;
  registered.block = malloc(100);
}
void stream_left_open() { held = fopen("/dev/null", "r"); }

// The frames that end the process lie where these left their words.
void lost_after_output() {
  char* const text = static_cast<char*>(malloc(24));
  snprintf(text, 24, "%d", 7);
  puts(text);
}
[[gnu::noinline]] void lost_in_dead_frames() {
  void* volatile words[4096];
  void* const block = malloc(100);
  for (auto& word : words) word = block;
}
struct Connection {
  explicit Connection(int wanted) : descriptor(wanted) {}
  std::string name = "a connection with a long name";
  int descriptor;
};
void lost_object_after_output() {
  const auto* const connection = new Connection(3);
  std::cout << connection->name << connection->descriptor << "\n";
}
void lost_large_after_output() {
  void** volatile table = static_cast<void**>(malloc(16));
  table[0] = calloc(1, 1 << 20);
  puts("table");
}

void held_where_no_fork_sees(int advice) {
  constexpr size_t kBytes = 1 << 16;
  void* const memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  madvise(memory, kBytes, advice);
  static_cast<void**>(memory)[1000] = malloc(100);
}
void held_by_unforked() { held_where_no_fork_sees(MADV_DONTFORK); }
void held_by_wiped() { held_where_no_fork_sees(MADV_WIPEONFORK); }

#if defined(__x86_64__)
// A function that calls none keeps its words below the stack pointer.
void* hold_in_red_zone(void* block) {
  asm volatile("mov %0, -64(%%rsp)\n xor %k0, %k0\n movl $1, %1\n 1: pause\n jmp 1b"
               : "+D"(block), "=m"(is_held_in_red_zone));
  return block;
}
void held_in_red_zone() {
  pthread_t thread;
  pthread_create(
      &thread, nullptr, [](void*) { return hold_in_red_zone(malloc(100)); }, nullptr);
  while (__atomic_load_n(&is_held_in_red_zone, __ATOMIC_SEQ_CST) == 0) usleep(1000);
}
#endif

struct Case {
  const char* name;
  void (*run)();
  // What lies below the stack pointer, and in registers, is left as it is.
  bool leaves_its_words;
};
#define CASE(function) \
  { #function, function, false }
const Case kCases[] = {
    CASE(lost_block),
    CASE(held_block),
    CASE(held_by_static),
    CASE(lost_list),
    CASE(held_list),
    CASE(lost_tree),
    CASE(held_tree),
    CASE(lost_tree_with_held_branch),
    CASE(lost_ring),
    CASE(held_ring),
    CASE(lost_ring_with_tail),
    CASE(lost_ring_behind_block),
    CASE(lost_rings_joined),
    CASE(points_to_itself),
    CASE(lost_diamond),
    CASE(shared_by_two_lost),
    CASE(newer_points_to_older),
    CASE(held_by_middle),
    CASE(held_by_last_byte),
    CASE(held_behind_end),
    CASE(held_before_begin),
    CASE(held_by_middle_with_children),
    CASE(held_by_middle_and_begin),
    CASE(child_by_middle),
    CASE(lost_child_by_middle),
    CASE(pointer_off_word),
    CASE(pointer_with_tag),
    CASE(pointer_inverted),
    CASE(pointer_as_number),
    CASE(pointer_overwritten),
    CASE(array_held),
    CASE(array_lost),
    CASE(array_held_by_second),
    CASE(array_of_array_held),
    CASE(second_base_held),
    CASE(first_base_held),
    CASE(plain_second_base_held),
    CASE(second_base_held_with_child),
    CASE(old_string_held),
    CASE(no_old_string_held),
    CASE(length_before),
    CASE(no_length_before),
    CASE(containers_held),
    CASE(containers_lost),
    CASE(lost_cycle_of_shared),
    CASE(lost_list_of_strings),
    CASE(held_unordered_map),
    CASE(lost_function),
    CASE(intrusive_list_held),
    CASE(held_by_stacks_of_threads),
    CASE(held_by_main_thread_local),
    CASE(held_by_thread_local),
    CASE(lost_by_ended_thread),
    CASE(held_by_thread_key),
#if defined(__x86_64__)
    CASE(held_by_register),
#endif
    CASE(end_with_local),
    CASE(held_by_mapping),
    CASE(held_by_shared_mapping),
    CASE(lost_with_mapping),
    CASE(held_by_pool),
    CASE(lost_pool),
    CASE(held_by_freed),
    CASE(realloc_moves),
    CASE(old_pointer_after_realloc),
    CASE(zero_bytes_lost),
    CASE(zero_bytes_held),
    CASE(many_held),
    CASE(every_second_held),
    CASE(large_blocks),
    CASE(aligned_blocks),
    CASE(held_by_environment),
    CASE(lost_by_long_jump),
    CASE(held_by_fiber),
    CASE(freed_by_destructor),
    CASE(stream_left_open),
    CASE(held_by_unforked),
    CASE(held_by_wiped),
    {"lost_in_dead_frames", lost_in_dead_frames, true},
    {"lost_after_output", lost_after_output, true},
    {"lost_object_after_output", lost_object_after_output, true},
    {"lost_large_after_output", lost_large_after_output, true},
#if defined(__x86_64__)
    CASE(held_in_red_zone),
#endif
};

// What the case left below the stack pointer, and in registers, is gone.
[[gnu::noinline]] void clear_stack() {
  char zeros[32 << 10];
  memset(zeros, 0, sizeof(zeros));
  asm volatile("" : : "r"(zeros) : "memory");
}

}  // namespace

int main(int count, char** arguments) {
  sem_init(&ready, 0, 0);
  for (const Case& known : kCases) {
    if (count < 2) {
      if (write(1, known.name, strlen(known.name)) < 0 || write(1, "\n", 1) < 0) return 2;
    } else if (strcmp(arguments[1], known.name) == 0) {
      known.run();
      if (!known.leaves_its_words) clear_stack();
      return 0;
    }
  }
  return count < 2 ? 0 : 2;
}
