//! What goes wrong when applying.

use super::managed::{DecodeError, ManagerId};
use super::updater::Conflict;
use crate::object::Status;
use crate::object::status::{Cause, Details};

/// Why a configuration was not applied, or an update not tracked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Other managers own fields that would change.
    #[error("{}", conflict_message(.0))]
    Conflicts(Vec<Conflict>),
    /// The request itself is wrong.
    #[error("{0}")]
    BadRequest(String),
    /// An object does not fit its schema.
    #[error("{0}")]
    Typed(String),
    /// The live object's `managedFields` cannot be read.
    #[error("failed to decode managed fields: {0}")]
    ManagedFields(#[from] DecodeError),
}

impl Error {
    /// The error as the API answers it: conflicts are 409, bad requests 400; all else is 500 without a reason.
    pub fn to_status(&self) -> Status {
        let message = self.to_string();
        match self {
            Self::Conflicts(conflicts) => Status::failure(409, "Conflict", message)
                .with_details(Details { causes: conflicts.iter().map(cause).collect(), ..Details::default() }),
            Self::BadRequest(_) => Status::bad_request(message),
            Self::Typed(_) | Self::ManagedFields(_) => Status::failure(500, "", message),
        }
    }
}

fn cause(conflict: &Conflict) -> Cause {
    Cause {
        reason: "FieldManagerConflict".into(),
        message: format!("conflict with {}", conflict.manager),
        field: conflict.path.to_string(),
    }
}

/// One conflict in a sentence, several as a list by manager.
fn conflict_message(conflicts: &[Conflict]) -> String {
    if let [only] = conflicts {
        return format!("Apply failed with 1 conflict: conflict with {}: {}", only.manager, only.path);
    }
    let mut lines = Vec::new();
    let mut manager: Option<&ManagerId> = None;
    // Conflicts stand in the order of their managers.
    for conflict in conflicts {
        if manager != Some(&conflict.manager) {
            manager = Some(&conflict.manager);
            lines.push(format!("conflicts with {}:", conflict.manager));
        }
        lines.push(format!("- {}", conflict.path));
    }
    format!("Apply failed with {} conflicts: {}", conflicts.len(), lines.join("\n"))
}
