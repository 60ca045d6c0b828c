#include "gate/builtin_suppressions.h"

namespace memprof {

std::string_view builtin_suppressions() {
  return R"(
{
   thread-local data of threads, kept for the next one
   Memcheck:Leak
   match-leak-kinds: all
   ...
   fun:_dl_allocate_tls
   ...
}
{
   thread-local data of libraries
   Memcheck:Leak
   match-leak-kinds: all
   ...
   fun:_dl_resize_dtv
   ...
}
{
   what the loader knows of libraries
   Memcheck:Leak
   match-leak-kinds: possible,reachable
   fun:*alloc
   obj:*/ld-linux*.so*
   ...
}
{
   buffers of standard streams
   Memcheck:Leak
   match-leak-kinds: reachable
   ...
   fun:_IO_file_doallocate
   ...
}
{
   what tcmalloc keeps for itself
   Memcheck:Leak
   match-leak-kinds: all
   fun:*
   obj:*/libtcmalloc*.so*
   ...
}
{
   memory for exceptions when there is none
   Memcheck:Leak
   match-leak-kinds: reachable
   fun:malloc
   obj:*/libstdc++.so*
   fun:call_init*
   ...
}
)";
}

}  // namespace memprof
