//! `apply --server-side`: the server merges.

use super::{Applied, Applier};
use crate::cli::error::{Error, Result};
use crate::client::Request;
use crate::object::json::to_compact;
use crate::resource::Target;

impl Applier<'_> {
    /// Sends the manifest as it is.
    pub(super) async fn on_server(&self, mut target: Target) -> Result<Applied> {
        if target.name.is_empty() {
            return Err(Error::new("resource name may not be empty"));
        }
        let path = target.path(self.args.subresource.as_deref().unwrap_or_default());
        let request = Request::patch(path, "application/apply-patch+yaml", to_compact(&target.object));
        let request = self.writer.parameters(target.about(request));
        let force = if self.args.force_conflicts { "true" } else { "false" };
        let answer = self.writer.cx.json(request.query("force", force)).await;
        let object = answer
            .map_err(|error| if error.is_reason("Conflict") { conflict(&error, &self.program) } else { error })?;
        target.refresh(object);
        let mut notes = Vec::new();
        self.warn_if_deleting(&target.object, &mut notes);
        Ok(Applied { object: target.object, operation: "serverside-applied", notes })
    }
}

/// The ways out of a conflict, in kubectl's words.
fn conflict(error: &Error, _program: &str) -> Error {
    Error::new(format!(
        "{}\nPlease review the fields above--they currently have other managers. Here\nare the ways you can resolve \
         this warning:\n* If you intend to manage all of these fields, please re-run the apply\n  command with the \
         `--force-conflicts` flag.\n* If you do not intend to manage all of the fields, please edit your\n  manifest \
         to remove references to the fields that should keep their\n  current managers.\n* You may co-own fields by \
         updating your manifest to match the existing\n  value; in this case, you'll become the manager if the other \
         manager(s)\n  stop managing the field (remove it from their configuration).\nSee \
         https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts",
        error.text()
    ))
}
