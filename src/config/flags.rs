//! The command line: a flag for every key, `--config FILE`, and the command `config`.

use super::KEYS;
use super::error::{ConfigError, Origin};
use super::key::{Key, Kind};
use super::layers::{Layer, wrong};
use clap::{Arg, ArgAction, Command, builder::ValueParser};
use std::ffi::OsString;
use std::path::PathBuf;

/// What the command line says.
pub struct Flags {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// The keys it sets.
    pub values: Layer,
    /// `ramai config`: show, don't serve.
    pub show: bool,
}

/// Reads the arguments, without the program's name.
///
/// # Errors
/// An unknown flag or command, or a value that can't be read as its key's kind; `--help` and `--version`.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Flags, ConfigError> {
    let matches = command().try_get_matches_from(args)?;
    let mut values = Layer::new();
    for key in KEYS {
        // Beside a command, the flags before and after it are the same: they are global.
        if let Some(text) = matches.get_one::<String>(key.name) {
            let origin = Origin::Flag(format!("--{}", key.flag()));
            let value = key.value_of_text(text).map_err(|message| wrong(key, &origin, message))?;
            values.push((key, value, origin));
        }
    }
    Ok(Flags {
        file: matches.get_one::<PathBuf>("config").cloned(),
        values,
        show: matches.subcommand_name() == Some("config"),
    })
}

/// The command line as clap sees it.
fn command() -> Command {
    Command::new("ramai")
        .about("A group-call server for messaging apps")
        .after_help(
            "Every option is also a key of the configuration file and an environment variable. What is set later wins: \
             defaults, file, environment, flags. `ramai config` shows what is in force and where it came from.",
        )
        .version(env!("CARGO_PKG_VERSION"))
        .no_binary_name(true)
        .max_term_width(110)
        .next_line_help(true)
        .subcommand(
            Command::new("config").about("Print every key with its default and its value in force, as TOML; then end"),
        )
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .value_parser(ValueParser::path_buf())
                .global(true)
                .help("Configuration file, TOML [env: RAMAI_CONFIG]"),
        )
        .args(KEYS.iter().map(arg))
}

/// The flag of a key.
fn arg(key: &Key) -> Arg {
    let help = format!("{} [default: {}] [env: {}]", key.description(), key.default_words(), key.env());
    let arg = Arg::new(key.name).long(key.flag()).help(help).global(true).action(ArgAction::Set);
    match key.kind {
        Kind::Bool => arg.num_args(0..=1).require_equals(true).default_missing_value("true").value_name("BOOL"),
        Kind::Integer => arg.value_name("NUMBER"),
        Kind::List => arg.value_name("LIST"),
        Kind::Secrets => arg.value_name("NAME:SECRET"),
        Kind::Text => arg.value_name("TEXT"),
    }
}
