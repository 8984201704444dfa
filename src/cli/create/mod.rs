//! `create`: objects from files; its sub-verbs make objects from flags.

mod config;
pub mod generated;
mod key_pair;
mod network;
pub mod policy;
mod rbac;
pub mod sources;
mod token;
pub mod workloads;

use clap::Parser;
use futures_util::{StreamExt, stream};

use super::apply::waves::waves;
use super::args::{DryRun, DryRunArgs, FileArgs, OutputArgs, Printer, ValidateArgs};
use super::completion::Words;
use super::context::Context;
use super::edit;
use super::error::{Error, Result};
use super::place;
use super::targets::{self, PARALLEL};
use super::verb::{Group, Run, Verb};
use crate::client::{Request, collection_path};
use crate::kinds::Kind;
use crate::object::{Value, meta};
use crate::resource::{Document, Plan, Selection, Target};

/// `create`.
pub const VERB: Verb = Verb::of::<CreateArgs>("create", Group::Basic).children(CHILDREN);

/// One line per sub-verb.
const CHILDREN: &[Verb] = &[
    Verb::of::<policy::NamespaceArgs>("namespace", Group::Basic).aliases(&["ns"]),
    Verb::of::<policy::QuotaArgs>("quota", Group::Basic).aliases(&["resourcequota"]),
    Verb::family::<config::SecretArgs>("secret", Group::Basic, config::SECRETS),
    Verb::of::<config::ConfigMapArgs>("configmap", Group::Basic).aliases(&["cm"]),
    Verb::of::<policy::ServiceAccountArgs>("serviceaccount", Group::Basic).aliases(&["sa"]),
    Verb::family::<network::ServiceArgs>("service", Group::Basic, network::SERVICES).aliases(&["svc"]),
    Verb::of::<workloads::DeploymentArgs>("deployment", Group::Basic).aliases(&["deploy"]),
    Verb::of::<rbac::ClusterRoleArgs>("clusterrole", Group::Basic),
    Verb::of::<rbac::ClusterRoleBindingArgs>("clusterrolebinding", Group::Basic),
    Verb::of::<rbac::RoleArgs>("role", Group::Basic),
    Verb::of::<rbac::RoleBindingArgs>("rolebinding", Group::Basic),
    Verb::of::<policy::PodDisruptionBudgetArgs>("poddisruptionbudget", Group::Basic).aliases(&["pdb"]),
    Verb::of::<policy::PriorityClassArgs>("priorityclass", Group::Basic).aliases(&["pc"]),
    Verb::of::<workloads::JobArgs>("job", Group::Basic),
    Verb::of::<workloads::CronJobArgs>("cronjob", Group::Basic).aliases(&["cj"]),
    Verb::of::<network::IngressArgs>("ingress", Group::Basic).aliases(&["ing"]),
    Verb::of::<token::TokenArgs>("token", Group::Basic).words(Words::Name("serviceaccounts")),
];

/// Create objects from files, or by the commands below.
///
/// Fails where an object of the same name exists.
#[derive(Parser)]
pub struct CreateArgs {
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    dry_run: DryRunArgs,
    #[command(flatten)]
    validate: ValidateArgs,
    #[command(flatten)]
    write: WriteArgs,
    /// Edit the objects before they are created
    #[arg(long)]
    edit: bool,
    /// Post the file to this path of the server
    #[arg(long, value_name = "PATH")]
    raw: Option<String>,
    /// Only objects whose labels match
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// With --edit: ends lines as Windows does
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    windows_line_endings: Option<bool>,
    /// Accepted, without effect
    #[arg(long, hide = true)]
    record: bool,
}

/// Flags of commands that write objects.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct WriteArgs {
    /// Name under which the server keeps who manages which field
    #[arg(long, value_name = "NAME")]
    pub field_manager: Option<String>,
    /// Keep the object as it is now in its last-applied annotation
    #[arg(long)]
    pub save_config: bool,
}

/// How objects are written.
#[derive(Clone)]
pub struct Writer<'a> {
    /// The surroundings.
    pub cx: &'a Context,
    /// `kubectl-create` and the like.
    pub manager: String,
    /// `Strict`, `Warn` or `Ignore`.
    pub validation: &'static str,
    /// How far to go.
    pub dry_run: DryRun,
}

impl Writer<'_> {
    /// The parameters of every write.
    pub fn parameters(&self, request: Request) -> Request {
        request
            .query_some("dryRun", self.dry_run.parameter())
            .query_some("fieldManager", &self.manager)
            .query_some("fieldValidation", self.validation)
    }

    /// Creates an object of a kind in a namespace; gives what the server made of it.
    pub async fn post(&self, kind: &Kind, namespace: &str, object: &Value) -> Result<Value> {
        let request = Request::post(collection_path(kind, namespace), object);
        self.cx.json(self.parameters(request).on(kind.group_resource(), "")).await
    }

    /// Creates an object; gives what the server made of it.
    pub async fn create(&self, target: &Target) -> Result<Value> {
        let request = target.about(Request::post(target.collection(), &target.object));
        self.cx.json(self.parameters(request)).await
    }

    /// Replaces an object, in its current version when it names none.
    pub async fn replace(&self, target: &Target, subresource: &str) -> Result<Value> {
        if target.name.is_empty() {
            return Err(Error::new("resource name may not be empty"));
        }
        let mut object = target.object.clone();
        if meta::resource_version(&object).is_empty() {
            // Where there is none, the server has the say of what else is wrong.
            if let Ok(live) = self.cx.json(target.about(Request::get(target.path(subresource)))).await {
                meta::set(&mut object, &["metadata", "resourceVersion"], meta::resource_version(&live));
            }
        }
        let request = target.about(Request::put(target.path(subresource), &object));
        self.cx.json(self.parameters(request)).await
    }
}

/// Puts the object as it is into its last-applied annotation: when asked, or when it has one already.
pub fn save_config(object: &mut Value, always: bool) {
    if always || meta::annotation(object, meta::LAST_APPLIED).is_some() {
        crate::patch::apply::set_last_applied(object);
    }
}

impl CreateArgs {
    fn check(&self, cx: &Context) -> Result<()> {
        if !self.words.is_empty() {
            return Err(cx.usage(format!("Unexpected args: [{}]", self.words.join(" "))));
        }
        if self.files.is_empty() {
            return Err(Error::new("must specify one of -f and -k"));
        }
        if let Some(path) = &self.raw {
            if self.edit {
                return Err(Error::new("--raw and --edit are mutually exclusive"));
            }
            if self.files.filename.len() != 1 {
                return Err(Error::new("--raw can only use a single local file or stdin"));
            }
            if ["http://", "https://"].iter().any(|scheme| self.files.filename[0].starts_with(scheme)) {
                return Err(Error::new("--raw cannot read from a url"));
            }
            if self.files.recursive {
                return Err(Error::new("--raw and --recursive are mutually exclusive"));
            }
            if self.selector.is_some() {
                return Err(Error::new("--raw and --selector (-l) are mutually exclusive"));
            }
            if !self.output.format().is_empty() {
                return Err(Error::new("--raw and --output are mutually exclusive"));
            }
            check_path(path)?;
        }
        Ok(())
    }
}

/// Refuses what is no path of a server, for `--raw`.
///
/// # Errors
/// As Go's `url.ParseRequestURI` says it.
pub fn check_path(path: &str) -> Result<()> {
    if path.starts_with('/') || path.contains("://") {
        return Ok(());
    }
    let path = crate::object::go::quote(path);
    Err(Error::new(format!("--raw must be a valid URL path: parse {path}: invalid URI for request")))
}

/// Posts or puts a file as it is, and prints the answer.
pub async fn raw(cx: &Context, method: http::Method, path: &str, file: &str) -> Result<()> {
    let body = match file {
        "" => Vec::new(),
        "-" => cx.streams.read_all()?,
        file => std::fs::read(file).map_err(|error| super::error::path_error("open", file, &error))?,
    };
    let mut request = Request::new(method, path);
    if !body.is_empty() {
        request = request.body("application/json", body);
    }
    let answer = cx.call(request).await?;
    cx.out(&String::from_utf8_lossy(&answer.body))
}

impl Run for CreateArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        self.check(cx)?;
        if let Some(path) = &self.raw {
            return raw(cx, http::Method::POST, path, &self.files.filename[0]).await;
        }
        let dry_run = self.dry_run.mode(cx)?;
        let validation = self.validate.directive()?;
        let printer = self.output.printer(&format!("created{}", dry_run.suffix()))?;
        let selection = Selection {
            labels: self.selector.clone().unwrap_or_default(),
            ..cx.selection(Vec::new(), self.files.options())?
        };
        let Plan::Documents { documents, .. } = cx.plan(&selection).await? else { return Ok(()) };
        let labels = targets::label_selector(&selection)?;
        let manager = self.write.field_manager.clone().unwrap_or_else(|| "kubectl-create".into());
        let writer = Writer { cx, manager, validation, dry_run };
        if self.edit {
            let writer = Writer { dry_run: DryRun::None, ..writer };
            return self.edit(writer, &selection, documents).await;
        }
        let mut creation = Creation { args: &self, writer, printer, waiting: Vec::new(), count: 0, errors: Vec::new() };
        let mut unread = Vec::new();
        for document in documents {
            let document = match document {
                Ok(document) => document,
                Err(error) => {
                    creation.flush().await?;
                    unread.push(cx.explain(error));
                    continue;
                }
            };
            // A document may need what another one before it has created, such as a kind.
            creation.flush_unless(|target| meta::gvk(&target.object) == meta::gvk(&document.value)).await?;
            for target in targets::of_document(cx, &selection, &document, validation != "Ignore").await {
                match target {
                    Ok(target) if labels.matches_object(&target.object) => creation.add(target).await?,
                    Ok(_) => {}
                    Err(error) => {
                        creation.flush().await?;
                        unread.push(error);
                    }
                }
            }
        }
        creation.flush().await?;
        Error::visited(creation.errors, unread)?;
        if creation.count == 0 {
            return Err(Error::new("no objects passed to create"));
        }
        Ok(())
    }
}

/// Creation in the order of the documents; neighbours of one kind are created side by side.
struct Creation<'a> {
    args: &'a CreateArgs,
    writer: Writer<'a>,
    printer: Printer,
    /// Objects of one kind that are still to be created.
    waiting: Vec<Target>,
    count: usize,
    errors: Vec<Error>,
}

impl Creation<'_> {
    /// Creates what waits, unless `like` holds for it.
    async fn flush_unless(&mut self, like: impl Fn(&Target) -> bool) -> Result<()> {
        if self.waiting.last().is_none_or(like) { Ok(()) } else { self.flush().await }
    }

    async fn add(&mut self, target: Target) -> Result<()> {
        self.flush_unless(|last| last.kind.gvk() == target.kind.gvk()).await?;
        self.waiting.push(target);
        Ok(())
    }

    /// Creates what waits and prints it in order.
    async fn flush(&mut self) -> Result<()> {
        for wave in waves(std::mem::take(&mut self.waiting)) {
            let creates = wave.into_iter().map(|target| self.args.create(&self.writer, target));
            let mut created = stream::iter(creates).buffered(PARALLEL);
            while let Some(created) = created.next().await {
                match created {
                    Ok(object) => {
                        self.count += 1;
                        self.printer.print(self.writer.cx, &object)?;
                    }
                    Err(error) => self.errors.push(error),
                }
            }
        }
        Ok(())
    }
}

impl CreateArgs {
    /// Every object in an editor of its own, to be created as it is then.
    async fn edit(
        &self,
        writer: Writer<'_>,
        selection: &Selection,
        documents: Vec<std::result::Result<Document, crate::resource::Error>>,
    ) -> Result<()> {
        let cx = writer.cx;
        let found = targets::of_documents(cx, selection, documents, false).await;
        let mut errors = found.errors;
        for target in found.targets {
            let settings = edit::Settings {
                output: self.output.clone(),
                windows_line_endings: self.windows_line_endings,
                save_config: self.write.save_config,
                outcome: edit::Outcome::Create,
            };
            let (writer, selection) = (writer.clone(), selection.clone());
            let session = edit::Session { settings, cx, writer, selection, targets: vec![target] };
            errors.extend(session.run().await.err());
        }
        Error::many(errors)
    }

    async fn create(&self, writer: &Writer<'_>, mut target: Target) -> Result<Value> {
        place::check_fields(writer.cx, &target, writer.validation)?;
        save_config(&mut target.object, self.write.save_config);
        if writer.dry_run == DryRun::Client {
            return Ok(target.object);
        }
        writer.create(&target).await.map_err(|error| place::placed(error.when("creating", &target.source), &target))
    }
}
