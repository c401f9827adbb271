//! Logs: `tracing` to standard error, as text for people or as JSON for programs.

use crate::config::LogFormat;
use std::io::IsTerminal;
use thiserror::Error;
use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// Why there are no logs.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The filter can't be read.
    #[error("not a log filter such as `info` or `warn,ramai=debug`: {0}")]
    Filter(#[from] ParseError),
    /// Something else in this process already takes the logs.
    #[error("logging is already set up: {0}")]
    Installed(#[from] TryInitError),
}

/// What a peer's handshake makes these libraries warn of is no news for an operator: each extension we don't know is one line.
/// A text that names them has its way.
const QUIET: &str = "rtc_dtls=error,rtc_sctp=error,rtc_datachannel=error,rtc_stun=error";

/// The filter of a text in the form of `RUST_LOG`: `info`, `warn,ramai_sfu=debug`, `info,ramai[{room=lobby}]=trace`.
///
/// # Errors
/// The text has no such form.
pub fn filter(text: &str) -> Result<EnvFilter, TelemetryError> {
    // Parsed by itself first, so that an error speaks of the text alone.
    EnvFilter::builder().parse(text)?;
    Ok(EnvFilter::builder().parse(format!("{QUIET},{text}"))?)
}

/// Sends the logs of this process to standard error from now on. Spans are shown with every line, so that a line tells its
/// room, participant and track by itself.
///
/// # Errors
/// The filter can't be read, or logging was set up before.
pub fn init(text: &str, format: LogFormat) -> Result<(), TelemetryError> {
    let builder = tracing_subscriber::fmt().with_env_filter(filter(text)?).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).with_target(true).finish().try_init()?,
        LogFormat::Json => builder.json().flatten_event(true).with_span_list(true).finish().try_init()?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_level_or_a_list_of_targets() {
        for good in ["info", "warn,ramai_sfu=debug", "info,ramai[{room=lobby}]=trace", "off"] {
            assert!(filter(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn libraries_are_quiet_unless_asked() {
        assert!(filter("info").unwrap().to_string().contains("rtc_dtls=error"));
        assert!(filter("info,rtc_dtls=debug").unwrap().to_string().contains("rtc_dtls=debug"));
        assert!(!filter("info,rtc_dtls=debug").unwrap().to_string().contains("rtc_dtls=error"));
    }

    #[test]
    fn a_bad_filter_is_said_to_be_one() {
        let error = filter("ramai=loud").unwrap_err();
        assert!(error.to_string().starts_with("not a log filter"), "{error}");
    }
}
