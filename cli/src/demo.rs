//! A guided tour: the four actions on a simulated account, and what went over the wire.

use std::io::Write;

use onepassword_users_host::types::{ChangeOptions, ListQuery, StateFilter};
use onepassword_users_simulator::Config;

use crate::args::{Format, Global, user_ref};
use crate::failure::Failure;
use crate::output::{Outcome, Output, print};
use crate::target::{Target, host};

const WENDY: &str = "wendy.appleseed@example.com";
const LAST_OWNER: &str = "margaret.okafor@example.com";
const SHARED: &str = "helpdesk@example.com";

/// Always on a simulated account, whatever is set: a tour must not suspend anybody.
pub(crate) async fn run(global: &Global) -> Result<(), Failure> {
    let Target { options, simulator } = Target::simulated(global, Config::default()).await?;
    say!("note: this is a simulated account.");
    let connector = host(global)?.connector(options)?;
    let output = Output { format: global.output.unwrap_or(Format::Table), simulated: true };
    // Between results for programs there is no place for words.
    let tell = |text: &str| if output.format == Format::Table { print(text) } else { say(text) };
    let step = |what: &str| tell(&format!("\n— {what}\n"));

    step("List users: here the first five who are suspended. Without --limit it would be all of them.")?;
    let query = ListQuery { state: Some(StateFilter::Suspended), limit: Some(5), page_token: None };
    output.users(&connector.list_users(query).await?.users, None)?;

    step("Get a user by e-mail address. The service cannot search, so the whole account is looked through.")?;
    let wendy = connector.get_user(user_ref(WENDY)).await?;
    output.user(&wendy)?;

    for (what, options) in [
        ("Suspend her, as a dry run first: nothing is changed.", ChangeOptions::DRY_RUN),
        ("Suspend her.", ChangeOptions::empty()),
        ("Suspend her again: the answer tells that it was so already; no change was sent.", ChangeOptions::empty()),
    ] {
        step(what)?;
        let result = connector.suspend_user(user_ref(&wendy.id), options).await;
        output.changes(&[Outcome { input: WENDY.into(), result }])?;
    }

    step("Reactivate her.")?;
    let result = connector.reactivate_user(user_ref(&wendy.id), ChangeOptions::empty()).await;
    output.changes(&[Outcome { input: WENDY.into(), result }])?;

    for (what, user) in [
        ("The last owner of an account cannot be suspended, and the error says so.", LAST_OWNER),
        ("Two users bear this address. Neither is touched.", SHARED),
    ] {
        step(what)?;
        match connector.suspend_user(user_ref(user), ChangeOptions::empty()).await {
            Err(error) => tell(&format!("error: {error}\n"))?,
            Ok(_) => return Err(Failure::other(format!("{user} was suspended, which must not happen"))),
        }
    }

    step("All that went over the wire:")?;
    for record in simulator.iter().flat_map(|simulator| simulator.take_records()) {
        let target: String =
            record.target.replace(simulator.as_ref().map_or("", |simulator| simulator.account_id()), "…");
        tell(&format!("{} {:4} {target}\n", record.status, record.method))?;
    }
    Ok(())
}

fn say(text: &str) -> Result<(), Failure> {
    let _ = std::io::stderr().write_all(text.as_bytes());
    Ok(())
}
