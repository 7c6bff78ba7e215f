//! The few lines of runtime that a component without the standard library needs: an allocator, a panic handler, and
//! `cabi_realloc`.
//!
//! A guest depends on this crate and names it once, so that it is linked: `use onepassword_users_guest_runtime as _;`. On
//! any other target than WebAssembly this crate is empty.

#![no_std]
#![cfg(target_family = "wasm")]
#![allow(unsafe_code, reason = "allocation for the host")]

extern crate alloc;

use alloc::alloc::{Layout, alloc, realloc};

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

// `memcpy`, `memcmp` and their like. Links statically and adds no import.
#[link(name = "c")]
unsafe extern "C" {}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// Memory for what the host hands over. The one of the C library would be a second allocator.
///
/// # Safety
///
/// Called by the canonical ABI alone: either `old` is null and `old_size` is 0, or both describe an earlier allocation
/// with this alignment.
#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_realloc(old: *mut u8, old_size: usize, align: usize, new_size: usize) -> *mut u8 {
    if new_size == 0 {
        return core::ptr::without_provenance_mut(align);
    }
    // SAFETY: the canonical ABI gives a power of two for `align` and sizes within the address space; `old` and `old_size`
    // come from an earlier call with this alignment.
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
