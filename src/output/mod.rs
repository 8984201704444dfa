//! Printers: tables, YAML, JSON, KYAML, names, JSONPath, Go templates, custom columns.
