//! YAML and JSON with Kubernetes' rules: reading with source positions, writing as kubectl does.
