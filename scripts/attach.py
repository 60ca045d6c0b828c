# Run by gdb for scripts/memprof --pid and --detach: loads libmemprof.so into a running program and calls it, or calls
# it to end the recording. In the environment: MEMPROF_ATTACH_PID, _DO (attach or detach), _LIBRARY, _SETTINGS (lines)
# and _RESULT, a file: its first line is "done", "failed" or "no-access", the others what there is to say.
#
# What must hold, and where it is seen to:
#   * The thread that makes the calls is neither in the loader nor in an allocator: it would wait for itself. Best is
#     one that waits in a system call. While it loads the library the others run on, so that a lock that one of them
#     holds comes free.
#   * While functions are changed, the others stand still, none in the loader, and the library is told where each is.
#   * The thread's own stack may be small (a fiber's): the calls have one that is mapped for them, and unmapped after.
#   * What is not so at one moment may be so a moment later: let go, and come again.
import os
import re
import struct
import time

import gdb

PID = int(os.environ["MEMPROF_ATTACH_PID"])
LIBRARY = os.environ["MEMPROF_ATTACH_LIBRARY"]
TRIES = 100
DONE, AGAIN, REFUSED = 0, 1, 2  # Answer in preload/interpose/attach.cpp
STACK_BYTES = 1 << 20
TEXT_BYTES = 1 << 16
MOST_FRAMES = 200
SYS_MMAP, SYS_MUNMAP = 9, 11
RTLD_NOW = 2

IN_THE_HEAP = re.compile(
    r"(malloc|calloc|realloc|free|memalign|aligned_alloc|valloc|mallopt|mallinfo|_int_|tcache|arena_get|sysmalloc"
    r"|systrim|fork|pthread_create|allocate_stack|dl_iterate_phdr|dlopen|dlclose|dlsym|dladdr|dlmopen|tls_get_addr)"
)
ALLOCATORS = re.compile(r"(jemalloc|tcmalloc|mimalloc|tbbmalloc)")
LOADER = re.compile(r"^ld(-linux.*|-[0-9.]+|64)?\.so")


class Refused(Exception):
    pass


class InTheWay(Exception):
    pass


class Thread:
    def __init__(self, thread):
        self.thread = thread
        self.number = thread.ptid[1]
        thread.switch()
        self.frames = []  # (pc, function, library)
        frame = gdb.newest_frame()
        try:
            while frame is not None and len(self.frames) < MOST_FRAMES:
                pc = frame.pc()
                self.frames.append((pc, frame.name() or "", os.path.basename(gdb.solib_name(pc) or "")))
                frame = frame.older()
        except gdb.error:
            pass  # the rest of the stack cannot be told

    def is_in_loader(self):
        return any(LOADER.match(library) or name == "dl_iterate_phdr" for _, name, library in self.frames)

    def waits(self):
        try:
            return bytes(gdb.selected_inferior().read_memory(self.frames[0][0] - 2, 2)) == b"\x0f\x05"
        except gdb.error:
            return False

    def may_call(self):
        if not self.frames or self.is_in_loader():
            return False
        if any(IN_THE_HEAP.search(name) or ALLOCATORS.search(library) for _, name, library in self.frames):
            return False
        # Of libc's own insides there may be no names. What it does between two threads' lives is libc's alone.
        is_libc = [library.startswith("libc.so") or library.startswith("libc-") for _, _, library in self.frames]
        if all(is_libc) or self.frames[0][2] == "libmemprof.so":
            return False
        return not is_libc[0] or self.waits()


def address_of(name):
    try:
        return int(gdb.parse_and_eval(f"(long) &{name}"))
    except gdb.error:
        return 0


def call(function, *arguments):
    types = ", ".join(["long"] * len(arguments))
    values = ", ".join(str(argument) for argument in arguments)
    return int(gdb.parse_and_eval(f"((long (*)({types})) {function})({values})"))


class Caller:
    """A thread, with a stack and room for texts that are not the program's."""

    def __init__(self, thread):
        self.thread = thread
        self.syscall = address_of("syscall")
        thread.thread.switch()
        gdb.newest_frame().select()
        self.stack_pointer = int(gdb.parse_and_eval("(long) $rsp"))
        bytes_ = STACK_BYTES + 4 * TEXT_BYTES
        self.base = call(self.syscall, SYS_MMAP, 0, bytes_, 3, 0x22, -1, 0)
        if -4096 < self.base <= 0:
            raise Refused("the program has no address space left")
        self.message = self.base
        self.text = self.base + TEXT_BYTES
        self.bytes = bytes_

    def __enter__(self):
        gdb.execute(f"set $rsp = {self.base + self.bytes - 4096}")
        return self

    def __exit__(self, *unused):
        self.select()
        gdb.execute(f"set $rsp = {self.stack_pointer}")
        call(self.syscall, SYS_MUNMAP, self.base, self.bytes)

    def select(self):
        self.thread.thread.switch()
        gdb.newest_frame().select()

    def put(self, data):
        if len(data) > 3 * TEXT_BYTES:
            raise Refused("too many threads, or settings that are too long")
        gdb.selected_inferior().write_memory(self.text, data)
        return self.text

    def read(self, at):
        return gdb.selected_inferior().read_memory(at, TEXT_BYTES).tobytes().split(b"\0")[0].decode(errors="replace")

    # The answer, and what the library says.
    def ask(self, name, *arguments):
        function = address_of(name)
        if function == 0:
            raise Refused(f"{name} is not in the library that the program has loaded")
        gdb.selected_inferior().write_memory(self.message, b"\0")
        self.select()
        answer = call(function, *arguments, self.message, TEXT_BYTES) & 0xFFFFFFFF
        said = self.read(self.message).strip("\n")
        if answer == REFUSED:
            raise Refused(said)
        if answer == AGAIN:
            raise InTheWay("a thread is about to enter a function that is to be hooked")
        return said

    # While the program runs, gdb has breakpoints of its own in functions that memprof hooks (of the loader, longjmp).
    # So the library is told what is below them, and tells what is to be there when they are gone (memprof_code).
    def ask_below_breakpoints(self, name, *arguments):
        inferior = gdb.selected_inferior()
        table = address_of("memprof_code")
        entry = struct.Struct("Q8s")
        places = []
        while True:
            at = entry.unpack(inferior.read_memory(table + len(places) * entry.size, entry.size))[0]
            if at == 0:
                break
            code = inferior.read_memory(at, 8).tobytes()
            inferior.write_memory(table + len(places) * entry.size, entry.pack(at, code))
            places.append((at, code))
        try:
            return self.ask(name, *arguments)
        finally:
            for number, (at, _) in enumerate(places):
                code = entry.unpack(inferior.read_memory(table + number * entry.size, entry.size))[1]
                if code != inferior.read_memory(at, 8).tobytes():
                    inferior.write_memory(at, code)

    def load(self):
        opens = address_of("dlopen") or address_of("__libc_dlopen_mode")
        if opens == 0:
            raise Refused("it has no dlopen: is it linked statically?")
        path = self.put(os.fsencode(LIBRARY) + b"\0")
        self.select()
        if call(opens, path, RTLD_NOW) == 0:
            why = call(address_of("dlerror")) if address_of("dlerror") else 0
            raise Refused("libmemprof.so cannot be loaded: " + (self.read(why) if why else "dlopen failed"))
        gdb.execute("sharedlibrary libmemprof", to_string=True)


def all_threads():
    return [Thread(thread) for thread in gdb.selected_inferior().threads()]


def choose(threads):
    fit = [thread for thread in threads if thread.may_call()]
    if not fit:
        raise InTheWay("all its threads are in the loader, in an allocator or where it cannot be told")
    return next((thread for thread in fit if thread.waits()), fit[0])


# Where all but the caller stand, in the order of the library's array.
def stopped_places(caller):
    places = []
    for thread in all_threads():
        if thread.number == caller.number:
            continue
        if thread.is_in_loader():
            raise InTheWay(f"thread {thread.number} is in the loader")
        places += [pc for pc, _, _ in thread.frames]
    return places


class OthersStopped:
    def __enter__(self):
        gdb.execute("set scheduler-locking on")

    def __exit__(self, *unused):
        gdb.execute("set scheduler-locking off")


def begin():
    threads = all_threads()
    with Caller(choose(threads)) as caller:
        if address_of("memprof_prepare") == 0:
            caller.load()
        warnings = caller.ask("memprof_prepare", caller.put(os.fsencode(os.environ["MEMPROF_ATTACH_SETTINGS"]) + b"\0"))
        places = stopped_places(caller.thread)
        with OthersStopped():
            data = struct.pack(f"{len(places)}Q", *places)
            said = caller.ask_below_breakpoints("memprof_attach", caller.put(data), len(places))
        return "\n".join(filter(None, [warnings, said]))


def end():
    with Caller(choose(all_threads())) as caller:
        stopped_places(caller.thread)
        with OthersStopped():
            caller.ask_below_breakpoints("memprof_unhook")
        return caller.ask("memprof_detach")


def result(word, text):
    with open(os.environ["MEMPROF_ATTACH_RESULT"], "w", encoding="utf-8", errors="replace") as file:
        file.write(f"{word}\n{text}\n")


def run():
    work = begin if os.environ["MEMPROF_ATTACH_DO"] == "attach" else end
    for attempt in range(TRIES):
        try:
            gdb.execute(f"attach {PID}", to_string=True)
        except gdb.error as error:
            return result("no-access" if "not permitted" in str(error) else "failed", str(error).strip())
        try:
            said = work()
            gdb.execute("detach", to_string=True)
            return result("done", said)
        except InTheWay as error:
            why = str(error)
        except (Refused, gdb.error) as error:
            gdb.execute("detach", to_string=True)
            return result("failed", str(error).strip())
        gdb.execute("detach", to_string=True)
        time.sleep(0.001 * min(attempt + 1, 50))
    return result("failed", f"no moment was found at which it could be done: {why}")


for setting in (
    "confirm off",
    "pagination off",
    "unwindonsignal on",
    "backtrace past-main on",
    "print thread-events off",
):
    gdb.execute("set " + setting)
gdb.execute("handle all nostop noprint pass", to_string=True)
run()
