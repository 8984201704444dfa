//! The version of Kubernetes whose behaviour this is, as `/version` reports it.

use std::sync::OnceLock;

use serde_json::{Map, Value};

/// Fields of the version, by name. They are apart from the table of kinds so that to tell them takes none of it.
const FIELDS: [(&str, &str); 13] = [
    ("major", "1"),
    ("minor", "36"),
    ("emulationMajor", "1"),
    ("emulationMinor", "36"),
    ("minCompatibilityMajor", "1"),
    ("minCompatibilityMinor", "35"),
    ("gitVersion", "v1.36.2"),
    ("gitCommit", "$Format:%H$"),
    ("gitTreeState", ""),
    ("buildDate", "1970-01-01T00:00:00Z"),
    ("goVersion", "go1.26.6"),
    ("compiler", "gc"),
    ("platform", "linux/amd64"),
];

/// What a server reports, field by field.
pub fn info() -> &'static Map<String, Value> {
    static INFO: OnceLock<Map<String, Value>> = OnceLock::new();
    INFO.get_or_init(|| FIELDS.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect())
}

/// One field of the version; empty where there is none of that name.
pub fn field(name: &str) -> &'static str {
    FIELDS.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_told_alone_and_together() {
        assert_eq!(field("gitVersion"), "v1.36.2");
        assert_eq!(field("nosuch"), "");
        assert_eq!(info().len(), FIELDS.len());
        assert_eq!(info()["major"], field("major"));
    }
}
