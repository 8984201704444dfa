//! Embedded clusters: in-process transport, HTTPS listener, data folder, certificates, life cycle.
