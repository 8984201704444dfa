//! Field ownership of every write.

use chrono::{DateTime, Utc};

use crate::object::Value;

use super::context::Request;

/// Who writes.
pub struct Writer {
    /// Field manager.
    pub manager: String,
    /// Subresource, or empty.
    pub subresource: String,
    /// The time of the write.
    pub now: DateTime<Utc>,
}

impl Writer {
    /// The writer of a request.
    pub fn of(request: &Request, options: &super::options::WriteOptions) -> Self {
        Self {
            manager: options.manager(request),
            subresource: request.info.subresource.clone(),
            now: request.core.now(),
        }
    }
}

/// Brings `metadata.managedFields` of `object` up to date after an update by `writer`; both objects are in the
/// resource's form.
pub fn update(_request: &Request, _object: &mut Value, _old: Option<&Value>, _writer: &Writer) {}
