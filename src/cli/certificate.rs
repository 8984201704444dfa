//! `certificate`: decides on certificate signing requests.

use clap::Parser;
use serde_json::json;

use super::args::{FileArgs, OutputArgs, Printer};
use super::context::Context;
use super::error::{Error, Result};
use super::targets;
use super::verb::{self, Group, Run, Verb};
use super::{VERBS, help};
use crate::client::Request;
use crate::object::go::quote;
use crate::object::{Value, meta, time};
use crate::resource::{Plan, Target};

/// `certificate`.
pub const VERB: Verb = Verb::of::<CertificateArgs>("certificate", Group::Cluster).children(CHILDREN);

const CHILDREN: &[Verb] =
    &[Verb::of::<ApproveArgs>("approve", Group::Cluster), Verb::of::<DenyArgs>("deny", Group::Cluster)];

/// Where requests for certificates are found.
const REQUESTS: &str = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
const GROUP: &str = "certificates.k8s.io";
const KIND: &str = "CertificateSigningRequest";
/// How often a decision is tried anew when somebody else has changed the request.
const CONFLICTS: usize = 10;

/// Decide on certificate signing requests.
#[derive(Parser)]
pub struct CertificateArgs {
    #[arg(hide = true)]
    words: Vec<String>,
}

impl Run for CertificateArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        match verb::find(VERBS, "certificate") {
            Some(verb) => help::verb(cx, verb, &cx.command_path),
            None => Ok(()),
        }
    }
}

/// Approve certificate signing requests.
///
/// The signer then issues a certificate with what the request asks for: look first whom it will be taken for.
#[derive(Parser)]
pub struct ApproveArgs {
    #[command(flatten)]
    which: WhichArgs,
}

/// Deny certificate signing requests.
#[derive(Parser)]
pub struct DenyArgs {
    #[command(flatten)]
    which: WhichArgs,
}

#[derive(clap::Args)]
struct WhichArgs {
    /// Names of certificate signing requests
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    files: FileArgs,
    /// Write the request even where it has been decided so before
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// A decision on a request.
struct Decision {
    /// The condition that says so.
    condition: &'static str,
    /// The condition that says the opposite.
    opposite: &'static str,
    reason: &'static str,
    message: &'static str,
    /// What is told of it.
    operation: &'static str,
}

const APPROVE: Decision = Decision {
    condition: "Approved",
    opposite: "Denied",
    reason: "KubectlApprove",
    message: "This CSR was approved by kubectl certificate approve.",
    operation: "approved",
};
const DENY: Decision = Decision {
    condition: "Denied",
    opposite: "Approved",
    reason: "KubectlDeny",
    message: "This CSR was denied by kubectl certificate deny.",
    operation: "denied",
};

impl Run for ApproveArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        self.which.decide(cx, &APPROVE).await
    }
}

impl Run for DenyArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        self.which.decide(cx, &DENY).await
    }
}

impl WhichArgs {
    async fn decide(&self, cx: &Context, decision: &Decision) -> Result<()> {
        let printer = self.output.printer(decision.operation)?;
        cx.client()?;
        if self.names.is_empty() && self.files.is_empty() {
            return Err(Error::new("one or more CSRs must be specified as <name> or -f <filename>"));
        }
        let typed = |name: &String| {
            if name.contains('/') { name.clone() } else { format!("certificatesigningrequests/{name}") }
        };
        let names = self.names.iter().map(typed).collect();
        let selection = cx.selection(names, self.files.options())?;
        let plan = cx.plan(&selection).await?;
        let (targets, mut errors) = match plan {
            Plan::Documents { documents, .. } => {
                let found = targets::of_documents(cx, &selection, documents, false).await;
                (found.targets, found.errors)
            }
            Plan::Names { targets, .. } => (targets, Vec::new()),
            Plan::Queries(_) => (Vec::new(), Vec::new()),
        };
        let mut found = 0;
        for target in targets {
            match self.decide_one(cx, &target, decision, &printer).await {
                Ok(()) => found += 1,
                Err(error) => errors.push(error),
            }
        }
        if found == 0 && errors.is_empty() {
            cx.line("No resources found")?;
        }
        Error::many(errors)
    }

    async fn decide_one(&self, cx: &Context, target: &Target, decision: &Decision, printer: &Printer) -> Result<()> {
        let object = targets::get(cx.client()?, target, "", "application/json", &[]).await?;
        let kind = target.kind.group_kind();
        if (kind.group.as_str(), kind.kind.as_str()) != (GROUP, KIND) {
            return Err(Error::new(format!("can only handle {KIND}.{GROUP} objects, got {kind}")));
        }
        let mut conflicts = 0;
        let mut request = object.clone();
        loop {
            if meta::api_version(&request) != "certificates.k8s.io/v1" || conflicts > 0 {
                request = current(cx, &target.name).await?;
            }
            let decided = decision.stands(&request)?;
            if decided && !self.force {
                break;
            }
            if !decided {
                decision.write(&mut request, cx.now());
            }
            let path = format!("{REQUESTS}/{}/approval", target.name);
            match cx.json(target.about(Request::put(path, &request))).await {
                Ok(_) => break,
                Err(error) if error.is_reason("Conflict") && conflicts < CONFLICTS => conflicts += 1,
                Err(error) => return Err(error),
            }
        }
        // What is printed is the object as it was found.
        printer.print(cx, &object)
    }
}

async fn current(cx: &Context, name: &str) -> Result<Value> {
    let request = Request::get(format!("{REQUESTS}/{name}"));
    let found = cx.json(request.on(format!("certificatesigningrequests.{GROUP}"), name)).await;
    found.map_err(|error| match error.is_not_found() {
        true => Error::new(format!("could not find v1 version of {name}: {}", error.text())),
        false => error,
    })
}

impl Decision {
    /// Whether the request is decided so already.
    fn stands(&self, request: &Value) -> Result<bool> {
        let mut stands = false;
        for condition in meta::list_at(request, &["status", "conditions"]) {
            let type_ = meta::str_at(condition, &["type"]);
            if type_ == self.opposite {
                let name = quote(meta::name(request));
                return Err(Error::new(format!("certificate signing request {name} is already {type_}")));
            }
            stands |= type_ == self.condition;
        }
        Ok(stands)
    }

    fn write(&self, request: &mut Value, now: time::Time) {
        let condition = json!({
            "type": self.condition, "status": "True", "reason": self.reason, "message": self.message,
            "lastUpdateTime": time::format(now), "lastTransitionTime": null,
        });
        let mut conditions = meta::list_at(request, &["status", "conditions"]).to_vec();
        conditions.push(condition);
        meta::set(request, &["status", "conditions"], conditions);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_stands_or_is_contradicted() {
        let request = |types: &[&str]| {
            let conditions: Vec<Value> = types.iter().map(|type_| json!({"type": type_})).collect();
            json!({"metadata": {"name": "a"}, "status": {"conditions": conditions}})
        };
        let stands = |types: &[&str]| APPROVE.stands(&request(types)).map_err(|error| error.text());
        assert_eq!(stands(&[]), Ok(false));
        assert_eq!(stands(&["Failed", "Approved"]), Ok(true));
        assert_eq!(stands(&["Denied"]), Err("certificate signing request \"a\" is already Denied".into()));
        let mut undecided = json!({"metadata": {"name": "a"}, "status": {}});
        DENY.write(&mut undecided, time::Time::default());
        assert_eq!(DENY.stands(&undecided).ok(), Some(true));
    }
}
