//! Types that cannot hold a bad value: settings, arguments and results.

pub(crate) mod base_url;
pub(crate) mod change;
pub(crate) mod email;
pub(crate) mod page_token;
pub(crate) mod protected;
pub(crate) mod query;
pub(crate) mod report;
pub(crate) mod settings;
pub(crate) mod user;
