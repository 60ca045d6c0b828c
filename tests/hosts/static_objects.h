#pragma once

// How many blocks the library's static objects hold.
int static_blocks();
