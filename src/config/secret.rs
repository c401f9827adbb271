//! API keys and secrets. Their secrets are never printed, whoever formats them.

use serde::{Deserialize, Deserializer, de::Error as _};
use std::collections::BTreeMap;
use std::fmt;

/// A secret. `Debug` hides it and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps it.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself, for signing and for checking signatures.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// API keys with their secrets.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Keys(BTreeMap<String, Secret>);

impl Keys {
    /// Every key with its secret, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.0.iter().map(|(key, secret)| (key.as_str(), secret))
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys of a TOML table `name = "secret"`.
    ///
    /// # Errors
    /// Words that name the API key at fault and never its secret.
    fn from_toml(value: &toml::Value) -> Result<Self, String> {
        let table = value.as_table().ok_or("expected a table of `name = \"secret\"`")?;
        let mut keys = BTreeMap::new();
        for (name, secret) in table {
            let secret = secret.as_str().ok_or_else(|| format!("the secret of API key `{name}` must be a string"))?;
            keys.insert(name.clone(), Secret::new(secret));
        }
        Ok(Self(keys))
    }

    /// The TOML table of `name:secret,name:secret`.
    ///
    /// # Errors
    /// Words without the text itself.
    pub(super) fn table_of_text(text: &str) -> Result<toml::Value, String> {
        let mut table = toml::Table::new();
        for (index, pair) in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()).enumerate() {
            let (name, secret) = pair
                .split_once(':')
                .ok_or_else(|| format!("entry {} is not of the form `name:secret`", index.saturating_add(1)))?;
            let (name, secret) = (name.trim().to_owned(), secret.trim().to_owned());
            if table.insert(name.clone(), toml::Value::String(secret)).is_some() {
                return Err(format!("API key `{name}` is given twice"));
            }
        }
        Ok(toml::Value::Table(table))
    }
}

impl<'de> Deserialize<'de> for Keys {
    /// By hand, since what serde says of a wrong value would show it.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = toml::Value::deserialize(deserializer)?;
        Keys::from_toml(&value).map_err(D::Error::custom)
    }
}
