//! Verbs on nodes: `taint`, `cordon`, `uncordon`, `drain`.

mod cordon;
mod drain;
mod pods;
mod taint;

pub use cordon::{CordonArgs, UncordonArgs};
pub use drain::DrainArgs;
pub use taint::TaintArgs;
