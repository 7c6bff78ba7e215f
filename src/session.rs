//! The state that an instance keeps between calls.

#![allow(unsafe_code, reason = "a static in a single-threaded instance")]

use core::cell::OnceCell;

use onepassword_users_core::Session;

/// The session of this instance.
pub(crate) fn session() -> &'static Session {
    struct SingleThreaded(OnceCell<Session>);
    // SAFETY: an instance of a component has one thread, and calls to it do not overlap.
    unsafe impl Sync for SingleThreaded {}
    static SESSION: SingleThreaded = SingleThreaded(OnceCell::new());
    SESSION.0.get_or_init(Session::new)
}
