// The whole verdict as one JSON document, schema "memprof.check/1". Keys are added, never renamed.
#pragma once

#include "gate/verdict.h"
#include "report/output.h"

namespace memprof {

void print_check_json(const Verdict& verdict, Output& out);

}  // namespace memprof
