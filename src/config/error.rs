//! What can be wrong with a configuration, said so that the reader knows what to change.

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;
use thiserror::Error;

/// Where a value came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The configuration file.
    File(PathBuf),
    /// The environment variable of this name.
    Environment(String),
    /// The flag of this name, with its dashes.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(path) => write!(f, "file {}", path.display()),
            Origin::Environment(name) => write!(f, "environment variable {name}"),
            Origin::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// Why the server doesn't start.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// Unknown flags and commands; also `--help` and `--version`, which aren't failures.
    #[error("{0}")]
    Usage(#[from] clap::Error),
    /// The file can't be read.
    #[error("cannot read the configuration file {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file isn't TOML. The line itself isn't shown: it may hold a secret.
    #[error("{path}, line {line}: {message}")]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Where in it, from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// A key that doesn't exist.
    #[error("unknown key `{name}` ({origin}){}", .near.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default())]
    UnknownKey {
        /// As it was written.
        name: String,
        /// Where.
        origin: Origin,
        /// The existing key that looks most like it.
        near: Option<String>,
    },
    /// A value that can't be.
    #[error("key `{key}` ({origin}): {message}")]
    Value {
        /// Which key.
        key: &'static str,
        /// Where its value came from.
        origin: Origin,
        /// What is wrong with it.
        message: String,
    },
    /// A server without API keys could let nobody in.
    #[error(
        "key `keys` is not set: give at least one API key and its secret, as `[keys]` with `name = \"secret\"` in the \
         configuration file or as RAMAI_KEYS=name:secret (a secret has at least 32 characters, for example from \
         `openssl rand -hex 32`); or start with --dev to try it on this machine"
    )]
    NoKeys,
}

impl ConfigError {
    /// Tells the user, on standard error (help and version go to standard output), and gives the process's exit code.
    pub fn report(&self) -> ExitCode {
        match self {
            ConfigError::Usage(usage) => {
                // Nothing is left to do where even the terminal is gone.
                let _ = usage.print();
                if usage.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
            }
            other => {
                eprintln!("ramai: {other}");
                ExitCode::from(2)
            }
        }
    }
}
