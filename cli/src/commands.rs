//! The commands.

use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use onepassword_users_host::types::{KnownUser, ListQuery, StateFilter, UserRef, UserState};
use onepassword_users_host::{Connector, Error, MAX_FIND_USERS};
use onepassword_users_simulator::{Config, Simulator};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::args::{self, Cli, Command, Global, user_ref};
use crate::failure::{Failure, exit_code, record, sentence};
use crate::output::{self, Outcome, Output};
use crate::target::{Effect, Target, host};
use crate::{by_name, demo};

/// Runs the command line.
pub(crate) fn run() -> ExitCode {
    if let Err(problem) = args::refuse_secrets(std::env::args_os()) {
        message!("error: {problem}");
        return ExitCode::from(2);
    }
    let cli = Cli::parse();
    log(cli.global.verbose);
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            message!("error: cannot start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(command(&cli));
    // Work that blocks, such as a slow read of a file, must not hold up the end.
    runtime.shutdown_background();
    match result {
        Ok(code) => code,
        Err(Failure { message, code }) => {
            message!("error: {message}");
            ExitCode::from(code)
        }
    }
}

/// Sets up logging of this project's events only: those of other crates might contain secrets.
fn log(verbose: u8) {
    let level = match verbose {
        0 => tracing::Level::WARN,
        1 => tracing::Level::INFO,
        _ => tracing::Level::DEBUG,
    };
    let own = tracing_subscriber::filter::Targets::new()
        .with_targets([("onepassword_users_host", level), ("onepassword_users_simulator", level)]);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_target(false)
        .without_time()
        .log_internal_errors(false);
    tracing_subscriber::registry().with(own).with(lines.with_ansi(io::stderr().is_terminal())).init();
}

async fn command(cli: &Cli) -> Result<ExitCode, Failure> {
    let global = &cli.global;
    if global.insecure {
        message!("warning: TLS certificates are not verified; anyone on the network path can read the credentials.");
    }
    match &cli.command {
        Command::ListUsers { state, limit, page_token } => {
            let query =
                ListQuery { state: state.map(StateFilter::from), limit: *limit, page_token: page_token.clone() };
            let session = Session::start(global, Effect::Read).await?;
            session.list_users(query).await?;
        }
        Command::GetUser { user } => {
            let session = Session::start(global, Effect::Read).await?;
            session.output.user(session.connector.get_user(user_ref(user)).await?)?;
        }
        Command::SuspendUser { change, yes } => {
            let session = Session::start(global, Effect::Change).await?;
            if !yes && !change.dry_run && !confirmed(&format!("Suspend {}?", change.users.join(", ")))? {
                return Err(Failure { message: "not confirmed; nothing was changed".into(), code: 12 });
            }
            return session.change(change, Verb::Suspend).await;
        }
        Command::ReactivateUser { change } => {
            let session = Session::start(global, Effect::Change).await?;
            return session.change(change, Verb::Reactivate).await;
        }
        Command::Test => by_name::test(global).await?,
        Command::Describe => by_name::describe(global).await?,
        Command::Invoke { action, arguments, yes } => by_name::invoke(global, action, arguments, *yes).await?,
        Command::Simulate { users, seed, port } => {
            simulate(Config { users: *users, seed: *seed, port: *port, ..Config::default() }).await?;
        }
        Command::Demo => demo::run(global).await?,
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Clone, Copy)]
enum Verb {
    Suspend,
    Reactivate,
}

/// A connector to the chosen target, and the output for its results.
struct Session {
    connector: Connector,
    output: Output,
    /// Serves the simulated account until it is dropped.
    _simulator: Option<Simulator>,
}

impl Session {
    async fn start(global: &Global, effect: Effect) -> Result<Self, Failure> {
        let Target { options, simulator } = Target::announced(global, effect).await?;
        let connector = host(global)?.connector(options)?;
        let output = Output::new(global.output, simulator.is_some());
        Ok(Self { connector, output, _simulator: simulator })
    }

    async fn list_users(&self, query: ListQuery) -> Result<(), Failure> {
        let (users, next_page_token) = if query.limit.is_some() {
            let list = self.connector.list_users(query).await?;
            (list.users, list.next_page_token)
        } else {
            // Hidden if standard error is not a terminal.
            let style = ProgressStyle::with_template("{spinner} {human_pos} users")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            let progress = ProgressBar::new_spinner().with_style(style);
            progress.enable_steady_tick(Duration::from_millis(100));
            let users = self
                .connector
                .list_all_users(query.state, query.page_token, |count| progress.set_position(count as u64))
                .await;
            progress.finish_and_clear();
            (users?, None)
        };
        let count = |state: UserState| users.iter().filter(|user| user.state == state).count();
        let (all, active, suspended) = (users.len(), count(UserState::Active), count(UserState::Suspended));
        self.output.users(users, next_page_token.as_deref())?;
        if self.output.format != args::Format::Json {
            let other = match all - active - suspended {
                0 => String::new(),
                other => format!(", {other} other"),
            };
            message!("{all} users: {active} active, {suspended} suspended{other}");
            if let Some(token) = next_page_token {
                message!("There are more users: continue with --page-token {token}");
            }
        }
        Ok(())
    }

    /// Changes one user after another. A failure does not stop the others. An interruption stops after the current user, and
    /// the results so far are printed.
    async fn change(&self, change: &args::Change, verb: Verb) -> Result<ExitCode, Failure> {
        let interrupted = interruption();
        let users = self.resolve(&change.users).await;
        let mut outcomes = Vec::new();
        let mut left = change.users.iter().zip(users);
        while !interrupted.load(Ordering::Relaxed)
            && let Some((input, user)) = left.next()
        {
            let result = match (user, verb) {
                (Ok(user), Verb::Suspend) => self.connector.suspend_user(user, change.mode()).await,
                (Ok(user), Verb::Reactivate) => self.connector.reactivate_user(user, change.mode()).await,
                (Err(error), _) => Err(error),
            };
            outcomes.push(Outcome { input: input.clone(), result });
        }
        let printed = self.output.changes(&outcomes);
        for Outcome { input, result } in &outcomes {
            match result {
                Err(error) => {
                    message!("error: {input}: {}", sentence(&record(error)));
                }
                // Standard output failed, so the results go to standard error.
                Ok(done) if printed.is_err() => {
                    message!("{input}: {}", output::outcome(done.outcome));
                }
                Ok(_) => {}
            }
        }
        printed?;
        let left: Vec<&str> = left.map(|(input, _)| input.as_str()).collect();
        if !left.is_empty() {
            return Err(Failure { message: format!("interrupted; not processed: {}", left.join(", ")), code: 130 });
        }
        let mut codes: Vec<u8> = outcomes
            .iter()
            .filter_map(|outcome| outcome.result.as_ref().err())
            .map(|error| exit_code(&record(error)))
            .collect();
        codes.dedup();
        Ok(ExitCode::from(match codes.as_slice() {
            [] => 0,
            [code] => *code,
            _ => 1,
        }))
    }

    /// Turns what was typed into references. Several addresses are found with one search; each user is then changed as a known
    /// one, so that the address is checked again.
    async fn resolve(&self, inputs: &[String]) -> Vec<Result<UserRef, Error>> {
        let users: Vec<UserRef> = inputs.iter().map(|input| user_ref(input)).collect();
        let addresses: Vec<UserRef> = users.iter().filter(|user| matches!(user, UserRef::Email(_))).cloned().collect();
        if addresses.len() < 2 {
            return users.into_iter().map(Ok).collect();
        }
        let mut found = Vec::new();
        for chunk in addresses.chunks(MAX_FIND_USERS) {
            match self.connector.find_users(chunk.to_vec()).await {
                Ok(results) => found.extend(results.into_iter().map(|result| result.map_err(Error::Action))),
                Err(error) => found.extend(chunk.iter().map(|_| Err(error.clone()))),
            }
        }
        let mut found = found.into_iter();
        let resolve = |user| match user {
            UserRef::Email(email) => match found.next() {
                Some(Ok(user)) => Ok(UserRef::Known(KnownUser { id: user.id, email })),
                Some(Err(error)) => Err(error),
                None => Ok(UserRef::Email(email)),
            },
            user => Ok(user),
        };
        users.into_iter().map(resolve).collect()
    }
}

/// Asks for confirmation if standard input is a terminal. A script is not asked.
pub(crate) fn confirmed(question: &str) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Ok(true);
    }
    if !io::stderr().is_terminal() {
        let message = "cannot prompt: standard error is not a terminal; pass --yes";
        return Err(Failure { message: message.into(), code: 12 });
    }
    let mut answer = String::new();
    let prompt = write!(io::stderr(), "{question} [y/N] ");
    let read = prompt.and_then(|()| io::stderr().flush()).and_then(|()| io::stdin().lock().read_line(&mut answer));
    read.map_err(|error| Failure::other(format!("cannot read the answer: {error}")))?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// A flag that the first Ctrl+C sets. The second Ctrl+C ends the process immediately.
fn interruption() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = flag.clone();
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            if set.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
            message!("interrupted: stopping after the current user; press Ctrl+C again to stop now");
        }
    });
    flag
}

async fn simulate(config: Config) -> Result<(), Failure> {
    let (users, seed) = (config.users, config.seed);
    let simulator = Simulator::start(config)
        .await
        .map_err(|error| Failure::other(format!("cannot start the simulated service: {error}")))?;
    output::print(&format!(
        "# A simulated 1Password Users API: {users} users, seed {seed}. Point a client at it:\n\
         export ONEPASSWORD_BASE_URL={}\n\
         export ONEPASSWORD_ACCOUNT_ID={}\n\
         export ONEPASSWORD_CLIENT_ID={}\n\
         export ONEPASSWORD_CLIENT_SECRET={}\n\
         # Then, for example: cargo run -- get-user {}\n\
         # Ctrl+C stops it; -v logs the requests.\n",
        simulator.base_url(),
        simulator.account_id(),
        simulator.client_id(),
        simulator.client_secret(),
        simulator.example_email(),
    ))?;
    tokio::signal::ctrl_c().await.map_err(|error| Failure::other(format!("cannot wait for Ctrl+C: {error}")))
}
