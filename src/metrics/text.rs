//! The text format of Prometheus (version 0.0.4): families of samples, each with its kind and a word of help.

use std::fmt::{Display, Write};

/// What `Content-Type` says.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What kind of number a family holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// It only grows, but for a restart.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// The page, as it is written. Names and labels are ours and need no escaping: they are checked by the test of the whole page.
#[derive(Default)]
pub struct Text(String);

impl Text {
    /// Begins a family. Its samples follow.
    pub fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        // Writing to a string doesn't fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One sample; `labels` as in `worker="0",reason="full"`, or empty.
    pub fn sample(&mut self, name: &str, labels: impl Display, value: f64) {
        let labels = labels.to_string();
        let _ = match labels.as_str() {
            "" => writeln!(self.0, "{name} {value}"),
            labels => writeln!(self.0, "{name}{{{labels}}} {value}"),
        };
    }

    /// A family of one sample without labels.
    pub fn single(&mut self, name: &str, kind: Kind, help: &str, value: f64) {
        self.family(name, kind, help);
        self.sample(name, "", value);
    }

    /// The page.
    pub fn finish(self) -> String {
        self.0
    }
}
