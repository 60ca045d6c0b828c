// An empty directory for the files that a test makes, removed at its end.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

#include "trace_builder.h"

namespace memprof::test {

class NewDirectory {
 public:
  NewDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "memprof-new-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path_ = name;
  }
  NewDirectory(const NewDirectory&) = delete;
  NewDirectory& operator=(const NewDirectory&) = delete;
  ~NewDirectory() { std::filesystem::remove_all(path_); }

  std::string at(const char* name) const { return (path_ / name).string(); }
  Bytes read(const char* name) const {
    std::ifstream file(path_ / name, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
    return Bytes(bytes, bytes + text.size());
  }

 private:
  std::filesystem::path path_;
};

}  // namespace memprof::test
