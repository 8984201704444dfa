//! Unstructured Kubernetes objects and the small pure types around them.
//!
//! Objects stay [`serde_json::Value`]s from the manifest to the store, so that no field is ever lost;
//! typed views exist only where code needs them. Maps are sorted by key, as Go prints them.

pub mod diff;
pub mod duration;
pub mod field;
pub mod go;
pub mod go_sort;
pub mod gvk;
pub mod hash;
pub mod intstr;
pub mod json;
pub mod meta;
pub mod names;
pub mod partial;
pub mod policy;
pub mod quantity;
pub mod selector;
pub mod status;
pub mod time;
pub mod zone;

pub use gvk::{GroupKind, GroupVersion, GroupVersionKind, GroupVersionResource};
pub use serde_json::{Map, Value};
pub use status::Status;
