//! `auth reconcile`: makes roles and bindings have at least what files say.

mod outcome;

use clap::Parser;

use crate::cli::args::{DryRun, DryRunArgs, FileArgs, OutputArgs, Printer};
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::verb::Run;
use crate::client::Request;
use crate::kinds::{Schemas, decode};
use crate::object::go::quote;
use crate::object::{Value, meta};
use crate::resource::{Plan, Target, local_targets};
use outcome::{Operation, Outcome};
use serde_json::json;

const GROUP: &str = "rbac.authorization.k8s.io";
/// How often a write is tried that others get in the way of.
const CONFLICTS: usize = 3;

/// Make roles and bindings have what files say of them.
///
/// Missing objects are created with their namespaces; existing ones get the rules and subjects that they lack. Rules
/// are compared by what they allow, not by how they are written. Bindings to another role are made anew. Objects with
/// the annotation rbac.authorization.kubernetes.io/autoupdate: "false" are left as they are.
#[derive(Parser)]
pub struct ReconcileArgs {
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    dry_run: DryRunArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// Take away what roles allow beyond the files
    #[arg(long)]
    remove_extra_permissions: bool,
    /// Take away what subjects bindings have beyond the files
    #[arg(long)]
    remove_extra_subjects: bool,
}

impl Run for ReconcileArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        if self.files.is_empty() {
            return Err(Error::new("must specify one of -f and -k"));
        }
        if !self.words.is_empty() {
            return Err(Error::new("no arguments are allowed"));
        }
        let mode = self.dry_run.mode(cx).map_err(|error| {
            error.map_message(|text| format!("error accessing --dry-run flag for command reconcile: {text}"))
        })?;
        if mode == DryRun::Server {
            return Err(Error::new("--dry-run=server for command reconcile is not supported yet"));
        }
        let selection = cx.selection(Vec::new(), self.files.options())?;
        let Plan::Documents { documents, .. } = cx.plan(&selection).await? else { return Ok(()) };
        cx.client()?;
        let printer = self.output.printer(&format!("reconciled{}", mode.suffix()))?;
        let mut errors = Vec::new();
        for document in documents {
            let targets = match document {
                Ok(document) => local_targets(&document),
                Err(error) => vec![Err(error)],
            };
            for target in targets {
                let done = match target {
                    Ok(target) => self.reconcile(cx, target, mode, &printer).await,
                    Err(error) => Err(cx.explain(error)),
                };
                errors.extend(done.err());
            }
        }
        Error::many(errors)
    }
}

/// The object as a typed client holds it; `None` for kinds that are no business of this command.
fn expected(target: &Target) -> Result<Option<Value>> {
    let gvk = meta::gvk(&target.object);
    let unable = |why: String| Error::new(format!("unable to decode {}: {why}", quote(&target.source)));
    let is_rbac = gvk.group == GROUP
        && matches!(gvk.kind.as_str(), "Role" | "RoleBinding" | "ClusterRole" | "ClusterRoleBinding");
    if is_rbac && matches!(gvk.version.as_str(), "v1beta1" | "v1alpha1") {
        let (version, kind) = (&gvk.version, &gvk.kind);
        return Err(Error::new(format!("only {GROUP}/v1 is supported: not *{version}.{kind}")));
    }
    if Schemas::builtin().name_of_kind(&gvk).is_none() {
        let (kind, version) = (quote(&gvk.kind), quote(&gvk.api_version()));
        return Err(unable(format!(
            "no kind {kind} is registered for version {version} in scheme \"k8s.io/kubectl/pkg/scheme/scheme.go:28\""
        )));
    }
    if !is_rbac {
        return Ok(None);
    }
    let decoded = decode::decode(&gvk, target.object.clone()).map_err(|problem| unable(problem.to_string()))?;
    Ok(Some(decoded.object))
}

impl ReconcileArgs {
    async fn reconcile(&self, cx: &Context, mut target: Target, mode: DryRun, printer: &Printer) -> Result<()> {
        let Some(expected) = expected(&target)? else { return Ok(()) };
        target.object = expected;
        if !target.kind.namespaced {
            target.namespace.clear();
        }
        let place = Place { cx, target: &target };
        let mut tries = 1;
        let outcome = loop {
            match self.attempt(&place, mode).await {
                Err(error) if error.is_reason("Conflict") && tries < CONFLICTS => tries += 1,
                done => break done?,
            }
        };
        printer.print_typed(cx, &outcome.object)?;
        cx.err(&outcome.report(self.removes(&target.object)))
    }

    /// Whether what is too much of the object is taken away.
    fn removes(&self, object: &Value) -> bool {
        if outcome::is_binding(object) { self.remove_extra_subjects } else { self.remove_extra_permissions }
    }

    /// Compares and writes; starts again when the object comes or goes meanwhile.
    async fn attempt(&self, place: &Place<'_>, mode: DryRun) -> Result<Outcome> {
        let expected = &place.target.object;
        let attempts = if outcome::is_binding(expected) { 4 } else { 3 };
        for _ in 0..attempts {
            let existing = place.get().await?;
            let mut outcome = Outcome::of(existing.as_ref(), expected, self.removes(expected));
            if outcome.protected || mode == DryRun::Client {
                return Ok(outcome);
            }
            let written = match outcome.operation {
                Operation::None => return Ok(outcome),
                Operation::Update => match place.update(&outcome.object).await {
                    Err(error) if error.is_not_found() => continue,
                    written => written?,
                },
                Operation::Recreate if !place.clear(existing.as_ref()).await? => continue,
                Operation::Recreate | Operation::Create => match place.create(&outcome.object).await {
                    Err(error) if error.is_reason("AlreadyExists") => continue,
                    written => written?,
                },
            };
            outcome.object = written;
            return Ok(outcome);
        }
        Err(Error::new("exceeded maximum attempts"))
    }
}

/// An object's place on the server.
struct Place<'a> {
    cx: &'a Context,
    target: &'a Target,
}

impl Place<'_> {
    async fn get(&self) -> Result<Option<Value>> {
        let target = self.target;
        if target.name.is_empty() {
            return Err(Error::new("resource name may not be empty"));
        }
        match self.cx.json(target.about(Request::get(target.path("")))).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn create(&self, object: &Value) -> Result<Value> {
        if self.target.kind.namespaced {
            self.ensure_namespace().await?;
        }
        self.cx.json(self.target.about(Request::post(self.target.collection(), object))).await
    }

    async fn update(&self, object: &Value) -> Result<Value> {
        self.cx.json(self.target.about(Request::put(self.target.path(""), object))).await
    }

    /// Deletes the object that was seen; false when another one stands in its place now.
    async fn clear(&self, existing: Option<&Value>) -> Result<bool> {
        let uid = existing.map(meta::uid).unwrap_or_default();
        let options = json!({"preconditions": {"uid": uid}});
        match self.cx.json(self.target.about(Request::delete(self.target.path(""), &options))).await {
            Err(error) if error.is_reason("Conflict") => Ok(false),
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(true),
        }
    }

    /// Creates the namespace where it is missing and one may.
    async fn ensure_namespace(&self) -> Result<()> {
        let name = &self.target.namespace;
        if name.is_empty() {
            return Err(Error::new("resource name may not be empty"));
        }
        let path = format!("/api/v1/namespaces/{name}");
        match self.cx.json(Request::get(path).on("namespaces", name)).await {
            Ok(_) => return Ok(()),
            Err(error) if error.is_not_found() || error.is_reason("Forbidden") => {}
            Err(error) => return Err(error),
        }
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        match self.cx.json(Request::post("/api/v1/namespaces", &namespace).on("namespaces", name)).await {
            Err(error) if !error.is_reason("AlreadyExists") && !error.is_reason("Forbidden") => Err(error),
            _ => Ok(()),
        }
    }
}
