//! Printers: tables, YAML, JSON, KYAML, names, JSONPath, Go templates, custom columns.

pub mod gofmt;
pub mod table;
pub mod tabwriter;
