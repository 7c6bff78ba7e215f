//! The 1Password Users API: its routes, the bodies of its responses, and the words of its errors.

pub(crate) mod body;
pub(crate) mod call;
pub(crate) mod page;
pub(crate) mod parse;
pub(crate) mod refusal;
pub(crate) mod service_error;
