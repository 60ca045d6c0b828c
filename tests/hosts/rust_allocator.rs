// A Rust program whose global allocator is jemalloc, as the crate tikv-jemallocator has it: linked in, its functions
// prefixed and exported to nobody.
use std::alloc::{GlobalAlloc, Layout};

extern "C" {
    fn _rjem_mallocx(size: usize, flags: i32) -> *mut u8;
    fn _rjem_rallocx(block: *mut u8, size: usize, flags: i32) -> *mut u8;
    fn _rjem_sdallocx(block: *mut u8, size: usize, flags: i32);
}

struct Jemalloc;

unsafe impl GlobalAlloc for Jemalloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        _rjem_mallocx(layout.size(), 0)
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        _rjem_sdallocx(block, layout.size(), 0)
    }
    unsafe fn realloc(&self, block: *mut u8, _: Layout, size: usize) -> *mut u8 {
        _rjem_rallocx(block, size, 0)
    }
}

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

struct Widget {
    _parts: [u64; 50],
}

fn main() {
    let mut texts: Vec<String> = Vec::with_capacity(3);
    for i in 0..3 {
        texts.push("x".repeat(1001 + i));
    }
    let workers: Vec<_> = texts
        .into_iter()
        .map(|text| std::thread::spawn(move || text.len()))
        .collect();
    let total: usize = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
    let mut shelf: Vec<Widget> = Vec::with_capacity(3);
    shelf.push(Widget { _parts: [1; 50] });
    std::mem::forget(shelf);
    std::mem::forget(std::hint::black_box(Box::new(Widget { _parts: [2; 50] })));
    let kept = vec![0u8; 7777].into_boxed_slice();
    println!("{} {}", total, Box::leak(kept).len());
}
