//! A guided tour: the four actions on a simulated account, and the requests that they send.

use onepassword_users_host::types::{ChangeMode, ListQuery, StateFilter};
use onepassword_users_simulator::Config;

use crate::args::{Format, Global, user_ref};
use crate::failure::{Failure, record, sentence};
use crate::output::{Outcome, Output, print, print_message};
use crate::target::{Target, host};

const WENDY: &str = "wendy.appleseed@example.com";
const LAST_OWNER: &str = "margaret.okafor@example.com";
const SHARED: &str = "helpdesk@example.com";

/// Runs the tour, always on a simulated account: it must never suspend a real user.
pub(crate) async fn run(global: &Global) -> Result<(), Failure> {
    let Target { options, simulator } = Target::simulated(global, Config::default()).await?;
    message!("note: using a simulated account.");
    let connector = host(global)?.connector(options)?;
    let output = Output { format: global.output.unwrap_or(Format::Table), simulated: true };
    // With output for programs, the narration goes to standard error.
    let narrate = |text: &str| if output.format == Format::Table { print(text) } else { print_error(text) };
    let step = |title: &str| narrate(&format!("\n— {title}\n"));

    step("List users: the first five that are suspended. Without --limit, all of them.")?;
    let query = ListQuery { state: Some(StateFilter::Suspended), limit: Some(5), page_token: None };
    output.users(connector.list_users(query).await?.users, None)?;

    step("Get a user by e-mail address. The service has no search, so this reads the whole account.")?;
    let wendy = connector.get_user(user_ref(WENDY)).await?;
    output.user(wendy.clone())?;

    for (title, mode) in [
        ("Suspend her, as a dry run: nothing changes.", ChangeMode::DryRun),
        ("Suspend her.", ChangeMode::Apply),
        ("Suspend her again: she is suspended already, so no change is sent.", ChangeMode::Apply),
    ] {
        step(title)?;
        let result = connector.suspend_user(user_ref(&wendy.id), mode).await;
        changed(&output, Outcome { input: WENDY.into(), result })?;
    }

    step("Reactivate her.")?;
    let result = connector.reactivate_user(user_ref(&wendy.id), ChangeMode::Apply).await;
    changed(&output, Outcome { input: WENDY.into(), result })?;

    for (title, user) in [
        ("Try to suspend the last owner of the account: the service refuses.", LAST_OWNER),
        ("Try to suspend by an e-mail address that two users have: neither is changed.", SHARED),
    ] {
        step(title)?;
        match connector.suspend_user(user_ref(user), ChangeMode::Apply).await {
            Err(error) => narrate(&format!("error: {}\n", sentence(&record(&error))))?,
            Ok(_) => return Err(Failure::other(format!("{user} was suspended, which must not happen"))),
        }
    }

    step("All requests that were sent:")?;
    for record in simulator.iter().flat_map(|simulator| simulator.take_records()) {
        let target: String =
            record.target.replace(simulator.as_ref().map_or("", |simulator| simulator.account_id()), "…");
        narrate(&format!("{} {:4} {target}\n", record.status, record.method))?;
    }
    Ok(())
}

fn changed(output: &Output, outcome: Outcome) -> Result<(), Failure> {
    output.changed(&outcome)?;
    output.changes(&[outcome], &[])
}

fn print_error(text: &str) -> Result<(), Failure> {
    text.trim_end_matches('\n').split('\n').for_each(print_message);
    Ok(())
}
