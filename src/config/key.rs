//! One key of the configuration: its name, its words, its kind, and how its text becomes a value.

use super::Deserialize;
use super::secret::Keys;
use std::borrow::Cow;
use toml::Value;

/// What a key's text looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Integer,
    /// Any text.
    Text,
    /// Comma-separated texts; in TOML an array or such a string.
    List,
    /// `name:secret` pairs; in TOML a table.
    Secrets,
}

/// One key.
#[derive(Debug)]
pub struct Key {
    /// As in the file; flags write it with dashes, the environment as `RAMAI_` and capitals.
    pub name: &'static str,
    /// The lines of its description.
    pub doc: &'static [&'static str],
    /// How its text is read.
    pub kind: Kind,
    /// Its value when nobody sets it.
    pub default: &'static str,
    /// The same with `dev`.
    pub dev_default: &'static str,
}

impl Key {
    /// The key of this name.
    pub fn find(name: &str) -> Option<&'static Key> {
        super::KEYS.iter().find(|key| key.name == name)
    }

    /// Its environment variable.
    pub fn env(&self) -> String {
        format!("RAMAI_{}", self.name.to_uppercase())
    }

    /// Its flag, without the dashes before it.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// Its description in one line.
    pub fn description(&self) -> String {
        self.doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
    }

    /// Its default in words: `7880`, or `0.0.0.0, with dev 127.0.0.1`.
    pub fn default_words(&self) -> Cow<'static, str> {
        let word = |text: &'static str| match (text, self.kind) {
            ("", Kind::Secrets) => "none",
            ("", _) => "empty",
            (text, _) => text,
        };
        if self.default == self.dev_default {
            Cow::Borrowed(word(self.default))
        } else {
            Cow::Owned(format!("{}, with dev {}", word(self.default), word(self.dev_default)))
        }
    }

    /// The value behind the text of a flag, a variable or a default.
    ///
    /// # Errors
    /// What is expected instead, in words.
    pub fn value_of_text(&self, text: &str) -> Result<Value, String> {
        let text = text.trim();
        match self.kind {
            Kind::Bool => match text {
                "true" | "1" | "yes" | "on" => Ok(Value::Boolean(true)),
                "false" | "0" | "no" | "off" => Ok(Value::Boolean(false)),
                _ => Err(format!("`{text}` is neither true nor false")),
            },
            Kind::Integer => text.parse().map(Value::Integer).map_err(|_| format!("`{text}` is not a whole number")),
            Kind::Text => Ok(Value::String(text.to_owned())),
            Kind::List => Ok(Value::Array(
                text.split(',').map(str::trim).filter(|t| !t.is_empty()).map(|t| Value::String(t.to_owned())).collect(),
            )),
            Kind::Secrets => Keys::table_of_text(text),
        }
    }

    /// The value behind what a file says: what may be written as one string there is taken apart.
    ///
    /// # Errors
    /// As [`Key::value_of_text`].
    pub fn value_of_toml(&self, value: Value) -> Result<Value, String> {
        match (self.kind, &value) {
            (Kind::List, Value::String(text)) => self.value_of_text(text),
            _ => Ok(value),
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
}
