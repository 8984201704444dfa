//! Helpers for tests and benches: a test cluster, bodies of fuzz targets.

pub mod cluster;
pub mod fuzz;
pub mod scripted;
