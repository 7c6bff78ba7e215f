//! The work of the actions.

pub(crate) mod change;
pub(crate) mod list;
pub(crate) mod lookup;
pub(crate) mod test;
