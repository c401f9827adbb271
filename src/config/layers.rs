//! The layers of the configuration, merged: for each key the value of the last layer that has it, and where that came from.

use super::KEYS;
use super::error::{ConfigError, Origin};
use super::key::{Key, Kind};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use toml::Value;

/// Every variable of ours begins so.
const PREFIX: &str = "RAMAI_";
/// Names the file; the only variable that isn't a key.
const FILE_VARIABLE: &str = "RAMAI_CONFIG";
/// Below this likeness (Jaro-Winkler, 0 to 1) a suggestion would be a guess.
const NEAR: f64 = 0.8;

/// One layer: values that were set, with where.
pub type Layer = Vec<(&'static Key, Value, Origin)>;

/// What the environment says.
pub struct Environment {
    /// The file it names.
    pub file: Option<PathBuf>,
    /// The keys it sets.
    pub values: Layer,
}

/// The merged layers.
#[derive(Default)]
pub struct Layers {
    values: BTreeMap<&'static str, (Value, Origin)>,
}

impl Layers {
    /// Lays one over what is there.
    pub fn add(&mut self, layer: Layer) {
        for (key, value, origin) in layer {
            self.values.insert(key.name, (value, origin));
        }
    }

    /// Lays a TOML file over what is there.
    ///
    /// # Errors
    /// It can't be read, isn't TOML, or has a key that we don't.
    pub fn add_file(
        &mut self,
        path: &Path,
        read: impl FnOnce(&Path) -> std::io::Result<String>,
    ) -> Result<(), ConfigError> {
        let text = read(path).map_err(|source| ConfigError::File { path: path.to_owned(), source })?;
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| ConfigError::Syntax {
            path: path.to_owned(),
            line: line_of(&text, error.span().map_or(0, |span| span.start)),
            message: error.message().to_owned(),
        })?;
        let origin = Origin::File(path.to_owned());
        let mut layer = Layer::new();
        for (name, value) in table {
            let Some(key) = Key::find(&name) else {
                let near = nearest(&name, KEYS.iter().map(|key| key.name.to_owned()));
                return Err(ConfigError::UnknownKey { name, origin, near });
            };
            let value = key.value_of_toml(value).map_err(|message| wrong(key, &origin, message))?;
            layer.push((key, value, origin.clone()));
        }
        self.add(layer);
        Ok(())
    }

    /// Gives every key that nobody set its default. They depend on `dev`, so this comes last.
    ///
    /// # Errors
    /// `dev` is not a truth value.
    pub fn add_defaults(&mut self) -> Result<(), ConfigError> {
        let dev = if self.values.contains_key("dev") { self.get::<bool>("dev")? } else { false };
        for key in KEYS.iter().filter(|key| !self.values.contains_key(key.name)).collect::<Vec<_>>() {
            let text = if dev { key.dev_default } else { key.default };
            let value = key.value_of_text(text).map_err(|message| wrong(key, &Origin::Default, message))?;
            self.values.insert(key.name, (value, Origin::Default));
        }
        Ok(())
    }

    /// A key's value as its type.
    ///
    /// # Errors
    /// It isn't one of that type.
    pub fn get<T: DeserializeOwned>(&self, name: &'static str) -> Result<T, ConfigError> {
        let (value, _) = self.value(name);
        value
            .clone()
            .try_into()
            .map_err(|error: toml::de::Error| self.wrong(name, reason(name, value, error.message())))
    }

    /// A key's value, and where it came from.
    pub fn value(&self, name: &str) -> (&Value, &Origin) {
        const NOTHING: &(Value, Origin) = &(Value::Boolean(false), Origin::Default);
        let (value, origin) = self.values.get(name).unwrap_or(NOTHING);
        (value, origin)
    }

    /// The error that says what is wrong with a key's value.
    pub fn wrong(&self, key: &'static str, message: impl Into<String>) -> ConfigError {
        ConfigError::Value { key, origin: self.value(key).1.clone(), message: message.into() }
    }
}

/// What the environment says. Variables that don't begin with `RAMAI_` aren't ours to judge.
///
/// # Errors
/// A variable of ours that is no key, isn't Unicode, or can't be read as its key's kind.
pub fn environment(env: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Environment, ConfigError> {
    let mut environment = Environment { file: None, values: Layer::new() };
    let mut ours: Vec<_> = env
        .into_iter()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect();
    // Which of two mistakes is named must not depend on the order of the environment.
    ours.sort();
    for (name, value) in ours {
        if name == FILE_VARIABLE {
            environment.file = Some(PathBuf::from(value)).filter(|path| !path.as_os_str().is_empty());
            continue;
        }
        let origin = Origin::Environment(name.clone());
        let Some(key) = KEYS.iter().find(|key| key.env() == name) else {
            let near = nearest(&name, KEYS.iter().map(Key::env).chain([FILE_VARIABLE.to_owned()]));
            return Err(ConfigError::UnknownKey { name, origin, near });
        };
        let value = value
            .to_str()
            .ok_or_else(|| "the value is not valid UTF-8".to_owned())
            .and_then(|text| key.value_of_text(text))
            .map_err(|message| wrong(key, &origin, message))?;
        environment.values.push((key, value, origin));
    }
    Ok(environment)
}

/// The error for a value that has no layer yet.
pub fn wrong(key: &Key, origin: &Origin, message: String) -> ConfigError {
    ConfigError::Value { key: key.name, origin: origin.clone(), message }
}

/// What serde says of a value, with the value where that is a plain one.
fn reason(name: &str, value: &Value, message: &str) -> String {
    match value {
        Value::String(text)
            if Key::find(name).is_none_or(|key| key.kind != Kind::Secrets) && !message.contains(text) =>
        {
            format!("`{text}`: {message}")
        }
        _ => message.to_owned(),
    }
}

/// The line of a byte, from 1.
fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count().saturating_add(1)
}

/// The name that was probably meant.
fn nearest(name: &str, known: impl Iterator<Item = String>) -> Option<String> {
    known
        .map(|known| (strsim::jaro_winkler(name, &known), known))
        .filter(|(likeness, _)| *likeness > NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}
