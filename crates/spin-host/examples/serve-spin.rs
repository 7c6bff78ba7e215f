//! Serves a Spin application of this project on loopback, by default with a simulated 1Password account.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use onepassword_users_simulator::{Config, Simulator};
use onepassword_users_spin_host::{Application, Manifest, Options, Server};

/// Serves a Spin application of this project on loopback, as Spin would
///
/// If no variable names a 1Password account, it simulates one, generates keys, and prints calls to try.
#[derive(Parser)]
#[command(name = "serve-spin")]
struct Arguments {
    /// The manifest or its folder [default: the application in spin/]
    #[arg(long, value_name = "PATH")]
    from: Option<PathBuf>,
    /// The port on 127.0.0.1, or 0 for any free port
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// A variable of the application, with @FILE for the content of a file; or set SPIN_VARIABLE_NAME in the environment
    #[arg(long = "variable", value_name = "NAME=VALUE", value_parser = pair)]
    variables: Vec<(String, String)>,
    /// The number of users in the simulated account
    #[arg(long, default_value_t = 2500)]
    users: usize,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    let value = match value.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?,
        None => value.to_owned(),
    };
    Ok((name.to_owned(), value))
}

#[tokio::main]
async fn main() -> ExitCode {
    match serve(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spin/spin.toml");
    let manifest = Manifest::read(arguments.from.as_deref().unwrap_or(&default))?;
    eprintln!("building the component…");
    manifest.build()?;

    let prefix = "SPIN_VARIABLE_";
    let mut variables: BTreeMap<String, String> = std::env::vars()
        .filter_map(|(name, value)| Some((name.strip_prefix(prefix)?.to_ascii_lowercase(), value)))
        .chain(arguments.variables)
        .collect();
    let is_real =
        ["base_url", "account_id", "client_id", "client_secret"].iter().any(|name| variables.contains_key(*name));
    // Lives as long as the server.
    let mut _simulator = None;
    let mut notes = Vec::new();
    if !is_real {
        let simulator = Simulator::start(Config { users: arguments.users, ..Config::default() }).await?;
        for (name, value) in [
            ("base_url", simulator.base_url()),
            ("account_id", simulator.account_id().into()),
            ("client_id", simulator.client_id().into()),
            ("client_secret", simulator.client_secret().into()),
        ] {
            variables.insert(name.into(), value);
        }
        notes.push(format!(
            "no account is set; simulating one with {} users at {}",
            arguments.users,
            simulator.base_url()
        ));
        _simulator = Some(simulator);
        // Generated keys are printed. Keys that are set are not.
        for (name, shell_name) in
            [("reader_keys", "READER_KEY"), ("responder_keys", "RESPONDER_KEY"), ("offboard_key", "OFFBOARD_KEY")]
        {
            if manifest.has_variable(name) && !variables.contains_key(name) {
                let key: String = std::iter::repeat_with(fastrand::alphanumeric).take(32).collect();
                notes.push(format!("export {shell_name}={key}"));
                variables.insert(name.into(), key);
            }
        }
    }
    let application = Application::load(&manifest, &variables, Options::default())?;
    let server = Server::start(application, arguments.port).await.map_err(|error| {
        format!("cannot listen on port {} of 127.0.0.1: {error}; choose another with --port", arguments.port)
    })?;
    println!("{}", server.url());
    let calls: &[(&str, &str, &str)] = if manifest.has_variable("offboard_key") {
        &[("POST", "OFFBOARD_KEY", "/offboard/wendy.appleseed@example.com")]
    } else {
        &[
            ("GET", "READER_KEY", "/v1/users?limit=2"),
            ("GET", "READER_KEY", "/v1/users/wendy.appleseed@example.com"),
            ("POST", "RESPONDER_KEY", "/v1/users/wendy.appleseed@example.com:suspend"),
        ]
    };
    notes.push("try in another terminal:".into());
    for (method, key, call) in calls {
        notes.push(format!("curl -X {method} -H \"Authorization: Bearer ${key}\" \"{}{call}\"", server.url()));
    }
    eprintln!("{}\n", notes.join("\n"));
    tokio::signal::ctrl_c().await?;
    Ok(())
}
