//! Serves a Spin application of this project on loopback, against a simulated 1Password account unless it is told otherwise.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use onepassword_users_simulator::{Config, Simulator};
use onepassword_users_spin_host::{Application, Manifest, Options, Server};

/// Serves a Spin application of this project on loopback, as Spin would
///
/// With no variable set that names a 1Password account, it serves a simulated one, makes up keys, and shows calls to try.
#[derive(Parser)]
#[command(name = "serve-spin")]
struct Arguments {
    /// The manifest, or its folder; the application in spin/ if it is left out
    #[arg(long, value_name = "PATH")]
    from: Option<PathBuf>,
    /// The port on 127.0.0.1; 0 for any that is free
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// A variable of the application, or @FILE for the content of a file; SPIN_VARIABLE_NAME in the environment does the same
    #[arg(long = "variable", value_name = "NAME=VALUE", value_parser = pair)]
    variables: Vec<(String, String)>,
    /// How many users the simulated account has
    #[arg(long, default_value_t = 2500)]
    users: usize,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it is not NAME=VALUE")?;
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
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spin/spin.toml");
    let manifest = Manifest::read(arguments.from.as_deref().unwrap_or(&own))?;
    eprintln!("building the component…");
    manifest.build()?;

    let prefix = "SPIN_VARIABLE_";
    let mut variables: BTreeMap<String, String> = std::env::vars()
        .filter_map(|(name, value)| Some((name.strip_prefix(prefix)?.to_ascii_lowercase(), value)))
        .chain(arguments.variables)
        .collect();
    let is_real =
        ["base_url", "account_id", "client_id", "client_secret"].iter().any(|name| variables.contains_key(*name));
    // It lives as long as the server.
    let mut _simulator = None;
    let mut told = Vec::new();
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
        told.push(format!(
            "no account is set, so this one is simulated: {} users at {}",
            arguments.users,
            simulator.base_url()
        ));
        _simulator = Some(simulator);
        // Keys to play with; whoever sets keys is not shown them.
        for (name, shown) in
            [("reader_keys", "READER_KEY"), ("responder_keys", "RESPONDER_KEY"), ("offboard_key", "OFFBOARD_KEY")]
        {
            if manifest.has_variable(name) && !variables.contains_key(name) {
                let key: String = std::iter::repeat_with(fastrand::alphanumeric).take(32).collect();
                told.push(format!("export {shown}={key}"));
                variables.insert(name.into(), key);
            }
        }
    }
    let application = Application::load(&manifest, &variables, Options::default())?;
    let server = Server::start(application, arguments.port)
        .await
        .map_err(|error| format!("port {} of 127.0.0.1: {error}; choose another with --port", arguments.port))?;
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
    told.push("try, in another terminal:".into());
    for (method, key, call) in calls {
        told.push(format!("curl -X {method} -H \"Authorization: Bearer ${key}\" \"{}{call}\"", server.url()));
    }
    eprintln!("{}\n", told.join("\n"));
    tokio::signal::ctrl_c().await?;
    Ok(())
}
