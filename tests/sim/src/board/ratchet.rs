//! The ratchet: what once was met must stay so.

use super::Result;
use std::collections::BTreeSet;
use std::path::Path;

/// Criteria that must hold, by id: one a line in a file of the repository.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ratchet {
    ids: BTreeSet<String>,
}

impl Ratchet {
    /// Reads the file; none is an empty ratchet.
    pub fn read(path: &Path) -> Self {
        Self::parse(&std::fs::read_to_string(path).unwrap_or_default())
    }

    fn parse(text: &str) -> Self {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self { ids: lines.map(str::to_owned).collect() }
    }

    /// Whether a criterion must hold.
    pub fn holds(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    /// Criteria that must hold and don't.
    pub fn broken<'a>(&self, results: &'a [Result]) -> Vec<&'a str> {
        all(results).filter(|(id, met)| !met && self.holds(id)).map(|(id, _)| id).collect()
    }

    /// Criteria that hold and needn't yet.
    pub fn gained<'a>(&self, results: &'a [Result]) -> Vec<&'a str> {
        all(results).filter(|(id, met)| *met && !self.holds(id)).map(|(id, _)| id).collect()
    }

    /// Adds criteria, and writes the file.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn keep(&mut self, ids: &[&str], path: &Path) -> std::io::Result<()> {
        self.ids.extend(ids.iter().map(|id| (*id).to_owned()));
        let head = "# Criteria of the simulator's scoreboard that were met for every seed once, and must stay so.\n\
                    # `make sim ARGS=--keep` adds those that are met now.\n";
        let lines: String = self.ids.iter().map(|id| format!("{id}\n")).collect();
        std::fs::write(path, format!("{head}{lines}"))
    }
}

fn all(results: &[Result]) -> impl Iterator<Item = (&str, bool)> {
    results.iter().flat_map(|result| {
        (0..).zip(result.row.criteria).map(|(n, criterion)| (criterion.id, result.good(n) == result.outcomes.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Criterion, Outcome, Row, Target};
    use super::*;

    fn result(values: &[f64]) -> Vec<Result> {
        const CRITERIA: &[Criterion] = &[Criterion { id: "a", what: "", unit: "", target: Target::AtMost(1.0) }];
        let row = Row { id: "r", situation: "", criteria: CRITERIA, run: |_| Outcome::default(), max_seeds: 9 };
        let outcome = |value: &f64| Outcome { values: vec![*value], ..Outcome::default() };
        vec![Result { row, outcomes: values.iter().map(outcome).collect() }]
    }

    #[test]
    fn one_bad_seed_breaks_what_must_hold_and_keeps_the_rest_out() {
        let (must, needs_not) = (Ratchet::parse("# words\na\n"), Ratchet::default());
        assert_eq!(must.broken(&result(&[0.5, 1.5])), ["a"]);
        assert!(must.broken(&result(&[0.5, 1.0])).is_empty());
        assert_eq!(needs_not.gained(&result(&[0.5, 1.0])), ["a"]);
        assert!(needs_not.gained(&result(&[0.5, f64::INFINITY])).is_empty());
        assert!(needs_not.broken(&result(&[9.0])).is_empty());
    }
}
