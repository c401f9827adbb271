//! `ramai`: a group-call server for messaging apps, in one process.
#![deny(unsafe_code)]

mod config;
mod http;
mod load;
mod metrics;
mod node;
mod telemetry;
mod udp;
mod worker;

use config::Command;
use std::process::ExitCode;

fn main() -> ExitCode {
    let loaded = config::load(std::env::args_os().skip(1), std::env::vars_os(), |path| std::fs::read_to_string(path));
    let config = match loaded {
        Ok((config, Command::Serve)) => config,
        Ok((_, Command::Show(text))) => return print(&text),
        Err(error) => return error.report(),
    };
    if let Err(error) = telemetry::init(&config.log, config.log_format) {
        return fail(&error);
    }
    match node::run(&config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::print_stdout, reason = "what the command was asked to print")]
fn print(text: &str) -> ExitCode {
    print!("{text}");
    ExitCode::SUCCESS
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("ramai: {error}");
    ExitCode::FAILURE
}
