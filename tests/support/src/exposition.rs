//! The text format of Prometheus, read strictly: what a scraper would forgive is an error here.

use std::collections::BTreeMap;

/// A page of metrics: each sample by name and labels, as it is written.
pub type Samples = BTreeMap<String, f64>;

/// Reads a page.
///
/// # Errors
/// The line, and what is wrong with it: a sample without `# HELP` and `# TYPE` right before its family, a family that comes twice, a
/// counter that doesn't end with `_total`, a sample that comes twice, malformed names, labels or values.
pub fn read(page: &str) -> Result<Samples, String> {
    let mut samples = Samples::new();
    let mut families: Vec<(String, String)> = Vec::new();
    let mut helped = "";
    if !page.ends_with('\n') {
        return Err("the last line has no end".into());
    }
    for line in page.lines() {
        let wrong = |what: &str| Err(format!("{what}: {line}"));
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let Some((name, help)) = rest.split_once(' ') else { return wrong("no help") };
            if help.is_empty() || families.iter().any(|(family, _)| family == name) {
                return wrong("no help, or a family that was there before");
            }
            helped = name;
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let Some((name, kind)) = rest.split_once(' ') else { return wrong("no type") };
            if name != helped || !["counter", "gauge"].contains(&kind) {
                return wrong("a type without help, or none that we have");
            }
            if (kind == "counter") != name.ends_with("_total") || !is_name(name) {
                return wrong("not how this kind is named");
            }
            families.push((name.to_owned(), kind.to_owned()));
        } else {
            let Some((key, value)) = line.rsplit_once(' ') else { return wrong("no value") };
            let (name, labels) = match key.split_once('{') {
                Some((name, labels)) => match labels.strip_suffix('}') {
                    Some(labels) => (name, labels),
                    None => return wrong("labels without end"),
                },
                None => (key, ""),
            };
            let Some((_, kind)) = families.last().filter(|(family, _)| family == name) else {
                return wrong("not of the family before it");
            };
            if !labels.is_empty() && !labels.split(',').all(is_label) {
                return wrong("malformed labels");
            }
            match value.parse::<f64>() {
                Ok(value) if value.is_finite() && (kind == "gauge" || value >= 0.0) => {
                    if samples.insert(key.to_owned(), value).is_some() {
                        return wrong("a sample that was there before");
                    }
                }
                _ => return wrong("no such value"),
            }
        }
    }
    Ok(samples)
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn is_label(text: &str) -> bool {
    let value = |text: &str| text.len() >= 2 && text.starts_with('"') && text.ends_with('"');
    text.split_once('=').is_some_and(|(name, quoted)| {
        is_name(name) && value(quoted) && !quoted[1..quoted.len() - 1].contains(['"', '\\', '\n'])
    })
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_page_is_read_and_each_mistake_is_found() {
        let good = "# HELP a_total Some.\n# TYPE a_total counter\na_total{b=\"c\",d=\"e\"} 1\na_total 2.5\n";
        let samples = read(good).expect("well formed");
        assert_eq!((samples["a_total"], samples["a_total{b=\"c\",d=\"e\"}"]), (2.5, 1.0));
        for (from, to) in [
            ("# HELP a_total Some.\n", ""),
            ("# TYPE a_total counter\n", ""),
            ("counter", "gauge"),
            ("counter", "sum"),
            ("a_total 2.5", "b_total 2.5"),
            ("a_total 2.5", "a_total{b=\"c\",d=\"e\"} 2"),
            ("\"c\"", "c"),
            ("\"e\"}", "\"e\""),
            ("2.5\n", "2.5"),
            ("2.5", "NaN"),
            ("2.5", "-1"),
            ("2.5", ""),
        ] {
            let bad = good.replace(from, to);
            assert!(read(&bad).is_err(), "{bad}");
        }
        assert!(read(&good.repeat(2)).is_err());
    }
}
