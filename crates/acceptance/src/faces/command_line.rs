//! The command line: each call is a process. Calls that no command can express run with `invoke`.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use onepassword_users_host::Environment;
use serde_json::Value;

use super::{Call, Failed, Observed, Reference, Settings, Stop, members};

/// Longer arguments go to standard input.
const MAX_ARGUMENT: usize = 16 * 1024;

#[derive(Debug)]
pub(crate) struct Face {
    pub(crate) binary: PathBuf,
}

/// The name of a setting, secret or argument on the command line.
pub(crate) fn spell(name: &str) -> String {
    match name {
        "page_token" | "limit" | "state" => format!("--{}", name.replace('_', "-")),
        name => Environment::variable(name),
    }
}

impl Face {
    pub(crate) fn session(&self, settings: &Settings) -> Session<'_> {
        Session { face: self, settings: settings.clone() }
    }
}

pub(crate) struct Session<'a> {
    face: &'a Face,
    settings: Settings,
}

/// A command, and the form of its output.
struct Invocation {
    arguments: Vec<String>,
    input: Option<String>,
    form: Form,
}

/// The form in which a command prints a result in JSON, beside the member `simulated`.
#[derive(Clone, Copy)]
enum Form {
    /// The result itself.
    Plain,
    /// The result is the member `user`.
    User,
    /// The result is the first of `results`, and so is a failure.
    Change,
    /// The result is the member `result`, beside `changed`.
    Invoked,
}

impl Invocation {
    fn new(form: Form, arguments: &[&str]) -> Self {
        Self { arguments: arguments.iter().map(ToString::to_string).collect(), input: None, form }
    }

    /// The command of a call.
    fn of(call: &Call) -> Self {
        let plain = match call.action.as_str() {
            "test" | "describe" => Some(Self::new(Form::Plain, &[&call.action])),
            "list-users" => Self::list(call),
            "get-user" => members(call, ["user"])
                .and_then(|[user]| user.and_then(Reference::parse)?.text())
                .map(|user| Self::new(Form::User, &["get-user", "--", user])),
            "suspend-user" | "reactivate-user" => Self::change(call),
            _ => None,
        };
        plain.unwrap_or_else(|| {
            let (arguments, is_long) = (call.arguments(), call.arguments().len() > MAX_ARGUMENT);
            let given = if is_long { "-".into() } else { arguments.clone() };
            let invocation = Self::new(Form::Invoked, &["invoke", &call.action, "--yes", "--arguments", &given]);
            Self { input: is_long.then_some(arguments), ..invocation }
        })
    }

    fn list(call: &Call) -> Option<Self> {
        let [state, limit, page_token] = members(call, ["state", "limit", "page_token"])?;
        let mut arguments = vec!["list-users".to_owned()];
        for (option, value) in [("--state", state), ("--page-token", page_token)] {
            arguments.extend(value.map(|value| Some(format!("{option}={}", value.as_str()?))).unwrap_or_default());
            if value.is_some_and(|value| !value.is_string()) {
                return None;
            }
        }
        if let Some(limit) = limit {
            arguments.push(format!("--limit={}", limit.is_number().then_some(limit)?));
        }
        Some(Self { arguments, input: None, form: Form::Plain })
    }

    fn change(call: &Call) -> Option<Self> {
        let [user, dry_run] = members(call, ["user", "dry_run"])?;
        let user = user.and_then(Reference::parse)?.text()?;
        let mode = match dry_run {
            None | Some(Value::Bool(false)) => None,
            Some(Value::Bool(true)) => Some("--dry-run"),
            Some(_) => return None,
        };
        let arguments: Vec<&str> = [call.action.as_str()].into_iter().chain(mode).chain(["--", user]).collect();
        Some(Self::new(Form::Change, &arguments))
    }
}

impl Session<'_> {
    pub(crate) fn set(&mut self, settings: &Settings) {
        self.settings.clone_from(settings);
    }

    pub(crate) async fn call(&self, call: &Call) -> Result<Observed, Stop> {
        let Invocation { arguments, input, form } = Invocation::of(call);
        let mut command = Command::new(&self.face.binary);
        command.args(["--output", "json"]).args(&arguments).env_clear();
        command.envs(self.settings.iter().map(|(name, value)| (Environment::variable(name), value)));
        // HOME is for the cache of compiled code.
        for name in ["HOME", "PATH"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = tokio::task::spawn_blocking(move || run(&mut command, input)).await;
        let output = output
            .map_err(|error| error.to_string())?
            .map_err(|error| format!("{}: {error}", self.face.binary.display()))?;
        let text = |bytes| String::from_utf8(bytes).map_err(|_| "a stream of the command is not UTF-8".to_owned());
        let (stdout, stderr) = (text(output.stdout)?, text(output.stderr)?);
        let printed = if stdout.is_empty() { None } else { Some(parse(&stdout)?) };
        Ok(observed(form, output.status.code(), printed, stderr)?)
    }
}

/// Runs a process to its end.
fn run(command: &mut Command, input: Option<String>) -> std::io::Result<Output> {
    let mut child = command.spawn()?;
    if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
        stdin.write_all(input.as_bytes())?;
    }
    child.wait_with_output()
}

fn parse(stdout: &str) -> Result<Value, String> {
    serde_json::from_str(stdout).map_err(|error| format!("standard output is not JSON: {error}"))
}

/// The result that a process printed.
fn observed(form: Form, exit_code: Option<i32>, printed: Option<Value>, stderr: String) -> Result<Observed, String> {
    let Some(mut printed) = printed else {
        return Ok(match exit_code {
            Some(0) => return Err("the command succeeded without a result".into()),
            exit_code => {
                let failed = Failed { words: Some(stderr), exit_code, ..Failed::default() };
                Observed { result: Err(failed), changed: None }
            }
        });
    };
    if let Some(members) = printed.as_object_mut()
        && members.remove("simulated").is_some_and(|simulated| simulated != false)
    {
        return Err("the command did not use the account that was set".into());
    }
    let mut take = |pointer: &str| printed.pointer_mut(pointer).map(Value::take);
    let no_member = || "a member of the output is missing".to_owned();
    if let Some(record) = take("/error") {
        let failed = Failed { record: Some(record), words: Some(stderr), exit_code, http_status: None };
        return Ok(Observed { result: Err(failed), changed: None });
    }
    let (result, changed) = match form {
        Form::Plain => (take("").ok_or_else(no_member)?, None),
        Form::User => (take("/user").ok_or_else(no_member)?, None),
        Form::Invoked => {
            let changed = take("/changed").and_then(|changed| changed.as_bool());
            (take("/result").ok_or_else(no_member)?, Some(changed.ok_or_else(no_member)?))
        }
        Form::Change => {
            if let Some(record) = take("/results/0/error") {
                let failed = Failed { record: Some(record), words: Some(stderr), exit_code, http_status: None };
                return Ok(Observed { result: Err(failed), changed: None });
            }
            let mut result = take("/results/0").ok_or_else(no_member)?;
            result.as_object_mut().and_then(|members| members.remove("input")).ok_or_else(no_member)?;
            let changed = result.get("outcome").is_some_and(|outcome| outcome == "changed");
            (result, Some(changed))
        }
    };
    // A dry run has an exit code of its own.
    let expected = if result.get("outcome").is_some_and(|outcome| outcome == "would-change") { 20 } else { 0 };
    if exit_code != Some(expected) || !stderr.is_empty() {
        return Err(format!("a result was printed with the exit code {exit_code:?} and the words {stderr:?}"));
    }
    Ok(Observed { result: Ok(result), changed })
}
