//! Persistent volumes and claims: binding them, and keeping those in use from going away.

mod binder;
pub mod ephemeral;
mod expand;
pub mod matching;
mod protection;
mod provision;

pub use binder::{VolumeBinder, keep};
pub use expand::VolumeExpander;
pub use protection::{ClaimProtection, VolumeProtection};

use super::runtime::Resource;

fn claims() -> Resource {
    Resource::new("", "v1", "persistentvolumeclaims")
}

fn volumes() -> Resource {
    Resource::new("", "v1", "persistentvolumes")
}

fn pods() -> Resource {
    Resource::new("", "v1", "pods")
}
