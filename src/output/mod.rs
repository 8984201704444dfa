//! Printers: tables, YAML, JSON, KYAML, names, JSONPath, Go templates, custom columns.

pub mod custom_columns;
pub mod gofmt;
pub mod gotemplate;
pub mod jsonpath;
pub mod own_table;
pub mod printer;
pub mod table;
pub mod tabwriter;
