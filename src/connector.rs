//! The exported interfaces for hosts that do not know this connector: the description, and actions by name.

use alloc::string::String;

use onepassword_users_core::{Action, Output};

use crate::bindings::Component;
use crate::bindings::exports::automation::connector::{connector, failures, manifest};
use crate::driver::run;
use crate::session::session;

onepassword_users_contract::convert!(failures);

impl manifest::Guest for Component {
    fn describe() -> String {
        onepassword_users_core::manifest()
    }
}

impl connector::Guest for Component {
    fn invoke(action: String, arguments: String) -> Result<connector::Output, failures::Failure> {
        output(session().invoke(&action, &arguments))
    }

    fn test() -> Result<connector::Output, failures::Failure> {
        output(session().invoke_test())
    }
}

#[inline(never)]
fn output(action: Action<Output>) -> Result<connector::Output, failures::Failure> {
    let mut output = run(action).map_err(failure)?;
    let (summary, changed) = (core::mem::take(&mut output.summary), output.changed);
    Ok(connector::Output { parts: core::iter::from_fn(|| output.next_part()).collect(), summary, changed })
}
