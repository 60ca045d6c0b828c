#include "snapshot/vtables.h"

#include "snapshot/read_by_kernel.h"

namespace memprof {

void Vtables::begin(const GrowingArray<FileMapping>& files) {
  files_ = &files;
  if (files.is_empty()) return;
  lowest_ = files[0].start;
  highest_ = files.last().end;
}

const FileMapping* Vtables::file_of(uintptr_t address) const {
  size_t first = 0, count = files_->size();  // the last that begins at or before the address is among them
  while (count > 1) {
    const size_t half = count / 2;
    if ((*files_)[first + half].start <= address) first += half;
    count -= half;
  }
  const FileMapping& file = (*files_)[first];
  return address - file.start < file.end - file.start ? &file : nullptr;
}

bool Vtables::look_at(uintptr_t value) const {
  const FileMapping* const file = file_of(value);
  if (file == nullptr) return false;
  uintptr_t words[kMostWords];
  const size_t bytes = file->end - value < sizeof(words) ? file->end - value : sizeof(words);
  const long got = read_by_kernel(value, words, bytes);
  size_t functions = 0;
  for (long i = 0; i < got / static_cast<long>(sizeof(uintptr_t)); ++i) {
    if (words[i] == 0) continue;
    const FileMapping* const code = file_of(words[i]);
    if (code == nullptr || !code->is_code) return false;
    if (++functions == 2) return true;
  }
  return false;
}

}  // namespace memprof
