//! `--overrides`: changes to an object made from flags.

use clap::Args;

use crate::cli::error::{Error, Result};
use crate::kinds::{Schemas, decode};
use crate::object::{Value, json, meta};
use crate::patch::{self, JsonPatch, PatchSchema, json_merge, strategic};

/// `--overrides` and `--override-type`.
#[derive(Args, Clone, Debug, Default)]
pub struct OverrideArgs {
    /// JSON that changes the generated object
    #[arg(long, value_name = "JSON", default_value = "")]
    overrides: String,
    /// How it does: json, merge or strategic
    #[arg(long, value_name = "TYPE", default_value = "merge")]
    override_type: String,
}

impl OverrideArgs {
    /// The object as it is with the changes; fields that its kind does not have are dropped.
    ///
    /// # Errors
    /// Text that is no such patch, and a result that does not decode.
    pub fn apply(&self, object: Value) -> Result<Value> {
        if self.overrides.is_empty() {
            return Ok(object);
        }
        let failed = |error: patch::PatchError| Error::new(error.to_string());
        let text = json::to_compact(&object);
        let gvk = meta::gvk(&object);
        let patched = match self.override_type.as_str() {
            "json" => JsonPatch::decode(&self.overrides).and_then(|patch| patch.apply_text(&text)).map_err(failed)?,
            "" | "merge" => json_merge::apply_text(&text, &self.overrides).map_err(failed)?,
            "strategic" => {
                let Some(schema) = PatchSchema::of_kind(Schemas::builtin(), &gvk) else { return Ok(object) };
                let patch = patch::decode(&self.overrides).map_err(failed)?;
                json::to_compact(&strategic::apply(object, patch, schema).map_err(failed)?)
            }
            other => return Err(Error::new(format!("invalid override type: {other}"))),
        };
        let value: Value = serde_json::from_str(&patched).map_err(|error| Error::new(error.to_string()))?;
        let decoded = decode::decode(&meta::gvk(&value), value).map_err(|problem| Error::new(problem.to_string()))?;
        Ok(decoded.object)
    }
}
