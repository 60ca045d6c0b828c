// The failing findings as valgrind writes them with --xml=yes: protocol 4 of memcheck. What the gate lets pass is no
// error here, as memcheck writes none of a kind that it does not show.
//
// valgrind writes a document a process. Here all traces are in one: pid and arguments are those of the first, times
// those of the longest; <ip> is the address in the object, not in memory.
//
// Broken limits and what was not seen have no place in it: the exit status tells of them.
//
// CTest (MEMORYCHECK_TYPE Valgrind) reads memcheck's text and no XML: a comment at the end has the lines that it looks
// for, so one file serves both.
#pragma once

#include "gate/verdict.h"
#include "report/output.h"

namespace memprof {

void print_memcheck_xml(const Verdict& verdict, Output& out);

}  // namespace memprof
