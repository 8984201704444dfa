//! Groups of flags that several verbs share, and the types of their values.

mod dry_run;
mod files;
mod global;
mod output;
mod overrides;
mod pairs;
mod string_map;
mod subjects;

pub use crate::object::duration::GoDuration;
pub use dry_run::{DryRun, DryRunArgs, ValidateArgs};
pub use files::FileArgs;
pub use global::GlobalArgs;
pub use output::{OutputArgs, Printer, name_of, strip_managed_fields, unknown_format};
pub use overrides::OverrideArgs;
pub use pairs::Pairs;
pub use string_map::StringMap;
pub use subjects::SubjectFlags;
