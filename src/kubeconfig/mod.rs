//! Kubeconfig files: loading, merging, editing, writing; credentials.
