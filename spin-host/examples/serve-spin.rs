//! Serves a Spin application of this project on loopback, against a simulated 1Password account unless it is told otherwise.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use onepassword_users_host::simulator::{Config, Simulator};
use onepassword_users_spin_host::{Application, Manifest, Options, Server};

/// Serves a Spin application of this project on loopback, as Spin would
///
/// With no variable set that names a 1Password account, it serves a simulated one, makes up keys, and shows calls to try.
#[derive(Parser)]
#[command(name = "serve-spin")]
struct Arguments {
    /// The manifest; that of the application in spin/ if it is left out
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// The port on 127.0.0.1; 0 for any that is free
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// A variable of the application; SPIN_VARIABLE_NAME in the environment does the same, and hides it from other users
    #[arg(long = "variable", value_name = "NAME=VALUE", value_parser = pair)]
    variables: Vec<(String, String)>,
    /// How many users the simulated account has
    #[arg(long, default_value_t = 2500)]
    users: usize,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').ok_or("it is not NAME=VALUE")?;
    Ok((pair.0.to_owned(), pair.1.to_owned()))
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
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spin/spin.toml");
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
    let mut email = String::from("wendy.appleseed@example.com");
    if !is_real {
        let simulator = Simulator::start(Config { users: arguments.users, ..Config::default() }).await?;
        email = simulator.example_email();
        for (name, value) in [
            ("base_url", simulator.base_url()),
            ("account_id", simulator.account_id().into()),
            ("client_id", simulator.client_id().into()),
            ("client_secret", simulator.client_secret().into()),
        ] {
            variables.insert(name.into(), value);
        }
        eprintln!("no account is set, so this one is simulated: {} users at {}", arguments.users, simulator.base_url());
        _simulator = Some(simulator);
        // Keys to play with; whoever sets keys is not shown them.
        for name in
            ["reader_keys", "responder_keys", "offboard_key"].into_iter().filter(|name| manifest.has_variable(name))
        {
            let key = || std::iter::repeat_with(fastrand::alphanumeric).take(32).collect();
            variables.entry(name.into()).or_insert_with(|| {
                let key: String = key();
                eprintln!("{name}: {key}");
                key
            });
        }
    }
    let server = Server::start(Application::load(&manifest, &variables, Options::default())?, arguments.port).await?;
    println!("{}", server.url());
    if arguments.from.is_none() {
        eprintln!("\ntry, with a key in KEY:");
        for (method, call) in [
            ("GET", "/v1/users?limit=2".to_owned()),
            ("GET", format!("/v1/users/{email}")),
            ("POST", format!("/v1/users/{email}:suspend")),
        ] {
            eprintln!("  curl -X {method} -H \"Authorization: Bearer $KEY\" \"{}{call}\"", server.url());
        }
        eprintln!();
    }
    tokio::signal::ctrl_c().await?;
    Ok(())
}
