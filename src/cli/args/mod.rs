//! Groups of flags that several verbs share, and the types of their values.

mod duration;
mod global;

pub use duration::GoDuration;
pub use global::GlobalArgs;
