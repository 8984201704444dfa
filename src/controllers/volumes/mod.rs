//! Persistent volumes and claims: binding them, and keeping those in use from going away.

mod binder;
mod protection;

pub use binder::VolumeBinder;
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
