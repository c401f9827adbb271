//! `ramai config`: every key with its words, its default and its value in force, as a file that the server would take.

use super::KEYS;
use super::key::Kind;
use super::layers::Layers;
use std::fmt::Write;
use toml::Value;

/// The text. Secrets are not in it.
pub fn render(layers: &Layers) -> String {
    let mut text = String::new();
    for key in KEYS {
        let (value, origin) = layers.value(key.name);
        for line in key.doc {
            let _ = writeln!(text, "#{line}");
        }
        let _ =
            writeln!(text, "# Default: {}. Environment: {}. Flag: --{}.", key.default_words(), key.env(), key.flag());
        if key.kind == Kind::Secrets {
            let _ = writeln!(text, "# {} = {{{}}}  # {origin}\n", key.name, names(value));
        } else {
            let _ = writeln!(text, "{} = {value}  # {origin}\n", key.name);
        }
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// The names of the API keys, each with its secret hidden. The line is a comment, so that nobody takes the placeholder for a secret.
fn names(value: &Value) -> String {
    let names =
        value.as_table().map(|table| table.keys().map(|name| format!(" {name} = (hidden)")).collect::<Vec<_>>());
    match names {
        Some(names) if !names.is_empty() => names.join(",") + " ",
        _ => String::new(),
    }
}
