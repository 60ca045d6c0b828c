// Changes traces so that they stay worth reading: in place, page by page, with every checksum put right afterwards.
// A fuzzer that flips bytes of a file never gets past the XXH3 of the header and of the sealed pages. Inputs are thus
// real trace files: memprof-analyze can be run on what a fuzzer has found.
#pragma once

#include <cstddef>
#include <cstdint>

namespace memprof::fuzz {

// For LLVMFuzzerCustomMutator. One result in eight is left unsealed: wrong checksums are inputs too.
size_t mutate_trace(uint8_t* data, size_t size, size_t max_size, unsigned seed);

}  // namespace memprof::fuzz
