//! The runtime of a component without the standard library: an allocator, a panic handler, and `cabi_realloc`.

#![allow(unsafe_code, reason = "raw memory of the canonical ABI")]

use alloc::alloc::{Layout, alloc, realloc};

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

// `memcpy`, `memcmp` and the like. Links statically and adds no import.
#[link(name = "c")]
unsafe extern "C" {}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// Allocates memory for values from the host. The C library's version has an allocator of its own, and memory of one must not be
/// freed by the other.
///
/// # Safety
///
/// Only the canonical ABI may call this. Either `old_size` is 0, or `old` is an earlier allocation with this size and alignment.
#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_realloc(old: *mut u8, old_size: usize, align: usize, new_size: usize) -> *mut u8 {
    if new_size == 0 {
        return core::ptr::without_provenance_mut(align);
    }
    // SAFETY: the canonical ABI gives a power of two for `align` and sizes within the address space.
    let memory = unsafe {
        if old_size == 0 {
            alloc(Layout::from_size_align_unchecked(new_size, align))
        } else {
            realloc(old, Layout::from_size_align_unchecked(old_size, align), new_size)
        }
    };
    if memory.is_null() {
        core::arch::wasm32::unreachable()
    }
    memory
}
