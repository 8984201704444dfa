//! Helpers for tests: scripted transport, fixed clock, test cluster.

pub mod fuzz;
