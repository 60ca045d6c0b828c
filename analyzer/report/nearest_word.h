// For "did you mean".
#pragma once

#include <string>
#include <vector>

namespace memprof {

// The candidate that a typing error may have turned into `word`; empty when none is near.
std::string nearest_word(const std::string& word, const std::vector<std::string>& candidates);

// ", did you mean X?", or nothing.
std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace memprof
