//! Objects made from flags: what all of `create`'s sub-verbs share.

use serde_json::{Value, json};

use super::{WriteArgs, Writer};
use crate::cli::args::{DryRun, DryRunArgs, OutputArgs, Printer, ValidateArgs};
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::kinds::{Kind, Kinds, decode, go_json};
use crate::object::{GroupVersion, meta};

/// Flags of every command that makes an object from flags.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct GeneratedArgs {
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    dry_run: DryRunArgs,
    #[command(flatten)]
    validate: ValidateArgs,
    #[command(flatten)]
    write: WriteArgs,
}

/// An object in the making.
pub struct Making<'a> {
    /// Its name.
    pub name: String,
    /// The namespace of the command.
    pub namespace: String,
    /// Whether a flag chose the namespace.
    pub enforce_namespace: bool,
    /// How it is written.
    pub writer: Writer<'a>,
    printer: Printer,
    save_config: bool,
}

/// The one name among the words before `--`.
///
/// # Errors
/// None, or several.
pub fn one_name<'a>(cx: &Context, words: &'a [String]) -> Result<&'a str> {
    match (cx.dash_at.unwrap_or(words.len()), words.first()) {
        (1, Some(name)) => Ok(name),
        (count, _) => Err(cx.usage(format!("exactly one NAME is required, got {count}"))),
    }
}

/// The built-in kind of that version and name.
///
/// # Errors
/// There is none.
pub fn builtin(api_version: &str, kind: &str) -> Result<&'static Kind> {
    let gvk = GroupVersion::parse(api_version).map(|version| version.with_kind(kind));
    let found = gvk.and_then(|gvk| Kinds::builtin().by_gvk(&gvk));
    found
        .map(|kind| &**kind)
        .ok_or_else(|| Error::new(format!("no matches for kind \"{kind}\" in version \"{api_version}\"")))
}

/// Puts the object into its own last-applied annotation, in the form in which Go writes its struct.
pub fn save_typed_config(object: &mut Value) {
    let path = ["metadata", "annotations", meta::LAST_APPLIED];
    meta::remove(object, &path);
    if meta::map_at(object, &path[..2]).is_some_and(serde_json::Map::is_empty) {
        meta::remove(object, &path[..2]);
    }
    let text = format!("{}\n", go_json::to_json(object, None));
    meta::set(object, &path, text);
}

impl GeneratedArgs {
    /// Starts with the name among the words.
    ///
    /// # Errors
    /// No name, or flags that do not go together.
    pub fn begin<'a>(&self, cx: &'a Context, words: &[String]) -> Result<Making<'a>> {
        let name = one_name(cx, words)?.to_owned();
        let dry_run = self.dry_run.mode(cx)?;
        let printer = self.output.printer(&format!("created{}", dry_run.suffix()))?;
        let validation = self.validate.directive()?;
        let (namespace, enforce_namespace) = cx.namespace()?;
        let manager = self.write.field_manager.clone().unwrap_or_else(|| "kubectl-create".into());
        let writer = Writer { cx, manager, validation, dry_run };
        Ok(Making { name, namespace, enforce_namespace, writer, printer, save_config: self.write.save_config })
    }
}

impl Making<'_> {
    /// Fails where the name is empty.
    pub fn check_name(&self) -> Result<()> {
        if self.name.is_empty() { Err(Error::new("name must be specified")) } else { Ok(()) }
    }

    /// The object with its type, name and, where a flag chose one, namespace.
    pub fn object(&self, api_version: &str, kind: &str) -> Result<Value> {
        let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": self.name}});
        if self.enforce_namespace && builtin(api_version, kind)?.namespaced {
            meta::set(&mut object, &["metadata", "namespace"], self.namespace.clone());
        }
        Ok(object)
    }

    /// Creates the object as far as the flags want it and prints the outcome; `failure` begins the text of the
    /// server's refusal, and where it is empty the refusal stands for itself.
    pub async fn finish(&self, mut object: Value, failure: &str) -> Result<()> {
        decode::settle(&mut object);
        if self.save_config || meta::annotation(&object, meta::LAST_APPLIED).is_some() {
            save_typed_config(&mut object);
        }
        if self.writer.dry_run != DryRun::Client {
            let kind = builtin(meta::api_version(&object), meta::kind(&object))?;
            object = match self.writer.post(kind, &self.namespace, &object).await {
                Ok(object) => object,
                Err(error) if failure.is_empty() => return Err(error),
                Err(error) => return Err(Error::new(format!("{failure}{}", error.text()))),
            };
        }
        self.printer.print_typed(self.writer.cx, &object)
    }
}
