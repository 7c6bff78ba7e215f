//! The commands.

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use onepassword_users_host::types::{ChangeMode, KnownUser, ListQuery, StateFilter, UserRef, UserState};
use onepassword_users_host::{Connector, Error, MAX_FIND_USERS};
use onepassword_users_simulator::{Config, Simulator};
use serde_json::json;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::args::{self, Cli, Command, Format, Global, user_ref};
use crate::confirm::confirm;
use crate::failure::{Failure, WOULD_CHANGE, exit_code, record, sentence};
use crate::output::{self, Outcome, Output, Summary};
use crate::signals::Interruption;
use crate::target::{Effect, Target, host};
use crate::{by_name, demo, users_file};

/// Runs the command line.
pub(crate) fn run() -> ExitCode {
    if let Err(problem) = args::refuse_secrets(std::env::args_os()) {
        message!("error: {problem}");
        return ExitCode::from(2);
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if !error.use_stderr() => {
            let _ = error.print();
            return help_code(io::stdout().is_terminal());
        }
        // Its words repeat what was typed, or what a script passed on.
        Err(error) => {
            let text = args::with_hint(&error);
            text.trim_end().lines().for_each(output::print_message);
            if args::asks_for_json(std::env::args_os()) {
                let problem = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
                let mut record = Failure::usage(problem).record;
                record.subject = args::subject(&error);
                let _ = output::print_json(&json!({ "error": record }), Some(Format::Ndjson));
            }
            return ExitCode::from(2);
        }
    };
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
        Err(failure) => {
            message!("error: {}", failure.message);
            if cli.global.output.is_some_and(Format::is_json) && !output::has_printed() {
                // One document each time, for those who asked for JSON.
                let _ = output::print_json(&json!({ "error": failure.record }), cli.global.output);
            }
            ExitCode::from(failure.code)
        }
    }
}

/// The exit code of help. A script that passes `--help` from an alert as a user must not take it for a suspension.
fn help_code(is_terminal: bool) -> ExitCode {
    let changes = std::env::args_os().any(|argument| argument == "suspend-user" || argument == "reactivate-user");
    if changes && !is_terminal { ExitCode::from(2) } else { ExitCode::SUCCESS }
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
    tracing_subscriber::registry().with(own).with(lines.with_ansi(output::is_styled())).init();
}

async fn command(cli: &Cli) -> Result<ExitCode, Failure> {
    let global = &cli.global;
    if global.simulated && (global.base_url.is_some() || global.account.is_some()) {
        let message = "--simulated cannot be used with --base-url or --account: it has an account of its own";
        return Err(Failure::usage(message.into()));
    }
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
            let users = users(change)?;
            let session = Session::start(global, Effect::Change).await?;
            if !yes && !change.dry_run {
                confirm(change, &users)?;
            }
            return session.change(users, change.mode(), Verb::Suspend).await;
        }
        Command::ReactivateUser { change } => {
            let users = users(change)?;
            let session = Session::start(global, Effect::Change).await?;
            return session.change(users, change.mode(), Verb::Reactivate).await;
        }
        Command::Test => by_name::test(global).await?,
        Command::Describe => by_name::describe(global).await?,
        Command::Invoke { action, arguments, yes } => return by_name::invoke(global, action, arguments, *yes).await,
        Command::Simulate { users, seed, port } => {
            simulate(Config { users: *users, seed: *seed, port: *port, ..Config::default() }).await?;
        }
        Command::Demo => demo::run(global).await?,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "onepassword-users", &mut script);
            output::print_bytes(&script)?;
        }
        Command::Man => {
            let mut page = Vec::new();
            let rendered = clap_mangen::Man::new(Cli::command()).render(&mut page);
            rendered.map_err(|error| Failure::other(format!("cannot write the manual page: {error}")))?;
            output::print_bytes(&page)?;
        }
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
        let Target { options, simulator } = Target::announced(global, effect).await?.audited(global)?;
        let connector = host(global)?.connector(options)?;
        let output = Output::new(global.output, simulator.is_some());
        Ok(Self { connector, output, _simulator: simulator })
    }

    async fn list_users(&self, query: ListQuery) -> Result<(), Failure> {
        let (users, next_page_token) = if query.limit.is_some() {
            let list = self.connector.list_users(query).await?;
            (list.users, list.next_page_token)
        } else {
            let style = ProgressStyle::with_template("{spinner} {human_pos} users")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            let progress = ProgressBar::new_spinner().with_style(style);
            if !output::is_styled() {
                progress.set_draw_target(ProgressDrawTarget::hidden());
            }
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
        if !self.output.format.is_json() {
            let other = match all - active - suspended {
                0 => String::new(),
                other => format!(", {other} other"),
            };
            message!("{all} users: {active} active, {suspended} suspended{other}");
            if let Some(token) = next_page_token {
                let token = shlex::try_quote(&token).unwrap_or_default();
                message!("There are more users: continue with --page-token={token}");
            }
        }
        Ok(())
    }

    /// Changes one user after another. A failure does not stop the others. An interruption stops after the current user, and
    /// the results so far are printed.
    async fn change(&self, inputs: Vec<String>, mode: ChangeMode, verb: Verb) -> Result<ExitCode, Failure> {
        let interruption = Interruption::watch();
        let users = self.resolve(&inputs).await;
        let (mut outcomes, mut written) = (Vec::new(), Ok(()));
        let mut left = inputs.iter().zip(users);
        while interruption.code().is_none()
            && let Some((input, user)) = left.next()
        {
            let result = match (user, verb) {
                (Ok(user), Verb::Suspend) => self.connector.suspend_user(user, mode).await,
                (Ok(user), Verb::Reactivate) => self.connector.reactivate_user(user, mode).await,
                (Err(error), _) => Err(error),
            };
            let outcome = Outcome { input: input.clone(), result };
            written = written.and(self.output.changed(&outcome));
            outcomes.push(outcome);
        }
        let left: Vec<&str> = left.map(|(input, _)| input.as_str()).collect();
        let printed = written.and(self.output.changes(&outcomes, &left));
        for Outcome { input, result } in &outcomes {
            match result {
                Err(error) => message!("error: {input}: {}", sentence(&record(error))),
                // Standard output failed, so the results go to standard error.
                Ok(done) if printed.is_err() => message!("{input}: {}", output::outcome(done.outcome)),
                Ok(_) => {}
            }
        }
        if outcomes.len() > 1 || !left.is_empty() {
            message!("{}", Summary::of(&outcomes));
        }
        printed?;
        if let (Some(code), false) = (interruption.code(), left.is_empty()) {
            message!("error: interrupted; not processed, one on each line, as --users-file reads them:");
            left.iter().for_each(|input| message!("{input}"));
            return Ok(ExitCode::from(code));
        }
        let mut codes: Vec<u8> = outcomes
            .iter()
            .filter_map(|outcome| outcome.result.as_ref().err())
            .map(|error| exit_code(&record(error)))
            .collect();
        codes.sort_unstable();
        codes.dedup();
        let would_change = Summary::of(&outcomes).would_change > 0;
        Ok(ExitCode::from(match codes.as_slice() {
            [] if would_change => WOULD_CHANGE,
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

/// The users that a command names, or those of its file.
fn users(change: &args::Change) -> Result<Vec<String>, Failure> {
    match &change.users_file {
        Some(path) => users_file::read(path),
        None => {
            let has_separator = std::env::args_os().any(|argument| argument == "--");
            args::refuse_late_options(&change.users, has_separator).map_err(Failure::usage)?;
            Ok(change.users.clone())
        }
    }
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
