//! The command-line arguments.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use onepassword_users_host::types::{ChangeMode, StateFilter, UserRef};
use onepassword_users_host::{Environment, Proxy, Subject, SubjectKind, catalogue};

/// The options that set a setting. The others are set by their variables only.
const FLAGS: [(&str, &str); 4] = [
    ("base-url", "--base-url"),
    ("account-id", "--account"),
    ("api-version", "--api-version"),
    ("timeout", "--timeout"),
];

/// The heading of the options that decide where requests and secrets go. They are accepted before the command only, so that text
/// from an alert, which a script passes as a user, cannot become one of them.
const TARGET: &str = "Target (before the command only)";

/// The end of the help text: the variables and the exit codes, from the catalogue.
fn after_help() -> String {
    let mut text = String::from(
        "Settings and secrets (an option overrides its variable; NAME_FILE names a file with the value):\n",
    );
    for value in catalogue::SETTINGS.iter().chain(&catalogue::SECRETS) {
        let flag = FLAGS.iter().find(|(name, _)| *name == value.name).map(|(_, flag)| format!("{flag}: "));
        let default = value.default.map(|default| format!(" [default: {default}]"));
        let help = value.help.replace('`', "");
        text += &format!(
            "  {}\n      {}{help}{}\n",
            Environment::variable(value.name),
            flag.unwrap_or_default(),
            default.unwrap_or_default()
        );
    }
    text += "  ONEPASSWORD_PROXY\n      --proxy: a proxy URL may hold a password here\n\n\
             Secrets have no options: others can read a command line. If account, base URL and secrets are all unset, \
             read-only commands use a simulated account.\n\nExit codes:\n";
    let mut codes = std::collections::BTreeMap::from([
        (0, vec!["success"]),
        (1, vec!["several users failed differently"]),
        (2, vec!["invalid usage"]),
        (12, vec!["not confirmed"]),
        (20, vec!["a dry run would change something, and nothing failed"]),
        (129, vec!["hung up"]),
        (130, vec!["interrupted"]),
        (143, vec!["terminated"]),
    ]);
    for code in catalogue::ERRORS {
        codes.entry(code.entry().exit_code).or_default().push(code.name());
    }
    for (code, names) in codes {
        text += &format!("{code:>5}  {}\n", names.join(", "));
    }
    text
}

/// List, get, suspend and reactivate 1Password users, from inside a WebAssembly sandbox.
#[derive(Debug, Parser)]
#[command(name = "onepassword-users", version, after_help = after_help(), arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) global: Global,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the users of the account
    ListUsers {
        /// Only users in this state
        #[arg(long, value_name = "STATE")]
        state: Option<State>,
        /// At most this many users (default: all)
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=250_000))]
        limit: Option<u32>,
        /// Continue an earlier list from its page token
        #[arg(long, value_name = "TOKEN", allow_hyphen_values = true)]
        page_token: Option<String>,
    },
    /// Show one user
    GetUser {
        /// Id or e-mail address
        user: String,
    },
    /// Suspend users, who can then no longer sign in
    SuspendUser {
        #[command(flatten)]
        change: Change,
        /// Do not ask for confirmation, which is asked for on a terminal, and needed with users from standard input
        #[arg(long, short)]
        yes: bool,
    },
    /// Reactivate suspended users, who can then sign in again
    ReactivateUser {
        #[command(flatten)]
        change: Change,
    },
    /// Check settings, credentials and the permission to list users
    Test,
    /// Describe the connector: its settings, secrets, actions and failures
    Describe,
    /// Run an action by its name, with arguments and result in JSON
    #[command(
        after_help = "Values of another connector: a setting comes from --setting or from a variable, and a secret from a \
        variable only. The name\nof a variable is that of the connector and that of the value, such as BADGE_ACCESS_API_KEY for \
        api-key of badge-access;\nwith _FILE behind it, it names a file with the value. describe lists them."
    )]
    Invoke {
        /// Name of the action, as `describe` lists it
        action: String,
        /// Arguments: a JSON object, @FILE to read them from a file, or - for standard input
        #[arg(long, value_name = "JSON|@FILE|-", default_value = "{}")]
        arguments: String,
        /// Do not ask for confirmation
        #[arg(long, short)]
        yes: bool,
    },
    /// Run the simulated service until it is interrupted
    Simulate {
        /// Number of users in the account
        #[arg(long, value_name = "N", default_value_t = 2500)]
        users: usize,
        /// Seed of the account: the same seed generates the same account
        #[arg(long, value_name = "N", default_value_t = 1)]
        seed: u64,
        /// Port on 127.0.0.1; 0 for any free port
        #[arg(long, value_name = "PORT", default_value_t = 0)]
        port: u16,
    },
    /// A guided tour of the actions on a simulated account
    Demo,
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, in roff
    Man,
}

#[derive(Debug, Args)]
pub(crate) struct Change {
    /// Ids or e-mail addresses. Everything after the first one is a user, so options stand before it
    #[arg(required_unless_present = "users_file", value_name = "USER", trailing_var_arg = true)]
    pub(crate) users: Vec<String>,
    /// Read the users from a file, or from standard input if it is -: one on each line; empty lines, and lines that begin with
    /// #, are ignored
    #[arg(long, value_name = "FILE|-", conflicts_with = "users")]
    pub(crate) users_file: Option<PathBuf>,
    /// Show the result without making the change
    #[arg(long)]
    pub(crate) dry_run: bool,
}

impl Change {
    pub(crate) fn mode(&self) -> ChangeMode {
        if self.dry_run { ChangeMode::DryRun } else { ChangeMode::Apply }
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Base URL of the service
    #[arg(long, value_name = "URL", value_parser = NonEmptyStringValueParser::new(), help_heading = TARGET)]
    pub(crate) base_url: Option<String>,
    /// Account id
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new(), help_heading = TARGET)]
    pub(crate) account: Option<String>,
    /// Version of the service's API: v1 or v1beta1
    #[arg(long, global = true, value_name = "VERSION")]
    pub(crate) api_version: Option<String>,
    /// Idle timeout: longest wait for a connection or for more of a response
    #[arg(long, global = true, value_name = "SECONDS")]
    pub(crate) timeout: Option<String>,
    /// Proxy: none, env (HTTPS_PROXY and NO_PROXY), or http://host:port [default: env]
    #[arg(long, value_name = "PROXY", help_heading = TARGET)]
    pub(crate) proxy: Option<String>,
    /// PEM file of CA certificates to trust in addition to the system's
    #[arg(long, value_name = "FILE", help_heading = TARGET)]
    pub(crate) ca_file: Option<PathBuf>,
    /// Allow private addresses for the service
    #[arg(long, help_heading = TARGET)]
    pub(crate) allow_private: bool,
    /// Accept any TLS certificate: anyone on the network path can read the credentials
    #[arg(long, help_heading = TARGET)]
    pub(crate) insecure: bool,
    /// Use a simulated account, even if credentials are set
    #[arg(long, global = true)]
    pub(crate) simulated: bool,
    /// Output format; csv puts ' before cells that a spreadsheet would run [default: table on a terminal, else json]
    #[arg(long, short, global = true, value_name = "FORMAT")]
    pub(crate) output: Option<Format>,
    /// Component to use instead of the built-in one
    #[arg(long, value_name = "FILE", help_heading = TARGET)]
    pub(crate) component: Option<PathBuf>,
    /// Setting of another connector, by its name; may be repeated. Secrets are read from variables or files only
    #[arg(long = "setting", value_name = "NAME=VALUE", help_heading = TARGET)]
    pub(crate) settings: Vec<String>,
    /// Append a line to this file before each change is sent, and one after it; without the first, nothing is changed
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) audit_log: Option<PathBuf>,
    /// Log to standard error; repeat for more detail
    #[arg(long, short, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum State {
    Active,
    Suspended,
}

impl From<State> for StateFilter {
    fn from(state: State) -> Self {
        match state {
            State::Active => Self::Active,
            State::Suspended => Self::Suspended,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    // For people. Long names are cut on a terminal.
    Table,
    // One JSON document.
    Json,
    // A line of JSON for each user, that of a change as soon as it is made, and a last one with the rest.
    Ndjson,
    // Cells that a spreadsheet would run as a formula begin with '.
    Csv,
    // All cells as they are.
    CsvRaw,
}

impl Format {
    /// True if programs read it, and find failures in it.
    pub(crate) fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::Ndjson)
    }
}

/// Text with an @ is an e-mail address, any other text an id.
pub(crate) fn user_ref(text: &str) -> UserRef {
    if text.contains('@') { UserRef::Email(text.into()) } else { UserRef::Id(text.into()) }
}

/// Parses `--proxy` or its variable. Only the variable may contain a password, since others can read a command line.
pub(crate) fn proxy(flag: Option<&str>, variable: Option<&str>) -> Result<Proxy, String> {
    if flag.is_some_and(|text| text.contains('@')) {
        return Err(
            "--proxy must not contain a password, since others can read it: set ONEPASSWORD_PROXY instead".into()
        );
    }
    match flag.or(variable) {
        None | Some("env") => Ok(Proxy::Environment),
        Some("none") => Ok(Proxy::None),
        Some(url) if url.contains("://") => Ok(Proxy::Url(url.into())),
        Some(_) => Err("the proxy must be none, env, or a URL such as http://host:port".into()),
    }
}

/// Refuses secrets on the command line, where others can read them. Runs before clap, whose errors would repeat the value.
pub(crate) fn refuse_secrets(arguments: impl Iterator<Item = OsString>) -> Result<(), String> {
    for argument in arguments {
        let argument = argument.to_string_lossy().replace('_', "-");
        let flag = argument.split('=').next().unwrap_or_default();
        let name = flag.to_ascii_lowercase();
        // A variable that was meant for the environment.
        let is_variable = argument.contains('=') && name.starts_with("onepassword-");
        let name = name.trim_start_matches("onepassword-");
        let is_secret = ["client-id", "secret", "token", "password"].iter().any(|word| name.contains(word));
        if (flag.starts_with("--") || is_variable) && is_secret && flag != "--page-token" {
            return Err("secrets must not be passed on the command line, where others can read them: set ONEPASSWORD_CLIENT_ID \
                 and ONEPASSWORD_CLIENT_SECRET, or set ONEPASSWORD_CLIENT_SECRET_FILE to the path of a file with the secret"
                .into());
        }
    }
    Ok(())
}

/// The error of an unknown option, with a hint if the option stands in the wrong place.
pub(crate) fn with_hint(error: &clap::Error) -> String {
    let mut text = error.render().to_string();
    let argument = error.get(clap::error::ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
    let name = argument.trim_start_matches('-').split('=').next().unwrap_or_default();
    let is_target = Cli::command()
        .get_arguments()
        .any(|option| option.get_help_heading() == Some(TARGET) && option.get_long().is_some_and(|long| long == name));
    if error.kind() == clap::error::ErrorKind::UnknownArgument && is_target {
        text += &format!("\n  --{name} decides where requests and secrets go, so it stands before the command only\n");
    }
    text
}

/// Refuses users that look like options. With `--` before the users, they are users.
pub(crate) fn refuse_late_options(users: &[String], has_separator: bool) -> Result<(), String> {
    match users.iter().find(|user| user.starts_with('-') && !has_separator) {
        Some(user) => Err(format!(
            "{user} stands after a user, where it would be one: put options before the first user, and -- before users that \
             begin with -"
        )),
        None => Ok(()),
    }
}

/// True if the arguments ask for JSON, also if they cannot be parsed.
pub(crate) fn asks_for_json(arguments: impl Iterator<Item = OsString>) -> bool {
    let arguments: Vec<String> = arguments
        .map(|argument| argument.to_string_lossy().into_owned())
        .take_while(|argument| argument != "--")
        .collect();
    let is_json = |format: &str| matches!(format, "json" | "ndjson");
    let attached = |argument: &String| {
        let value = argument.strip_prefix("--output=").or_else(|| argument.strip_prefix("-o"));
        value.is_some_and(|value| is_json(value.trim_start_matches('=')))
    };
    let apart = arguments.windows(2).any(|pair| match pair {
        [option, format] => (option == "-o" || option == "--output") && is_json(format),
        _ => false,
    });
    apart || arguments.iter().any(attached)
}

/// The option that an error is about, if it is about one.
pub(crate) fn subject(error: &clap::Error) -> Option<Subject> {
    let argument = error.get(clap::error::ContextKind::InvalidArg)?.to_string();
    let name = argument.split([' ', '=']).next().filter(|name| name.starts_with("--"))?.to_owned();
    Some(Subject { kind: SubjectKind::Argument, name })
}
