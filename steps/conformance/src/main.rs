//! Serves the conformance kit on loopback, for the runner of a driver in any language.

use std::process::ExitCode;

use clap::Parser;
use onepassword_users_conformance::cases;
use onepassword_users_conformance::control::Control;

/// Plays scripted exchanges for drivers of the component without imports, and judges them.
#[derive(Parser)]
struct Arguments {
    /// The port of the control interface on 127.0.0.1. 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
}

fn main() -> ExitCode {
    let Arguments { port } = Arguments::parse();
    match serve(port) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(port: u16) -> Result<(), Box<dyn std::error::Error>> {
    let cases = cases()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let control = Control::bind(port, cases).await?;
        println!("http://{}", control.address()?);
        control.serve().await;
        Ok(())
    })
}
