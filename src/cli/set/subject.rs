//! `set subject`.

use clap::Parser;
use serde_json::{Value, json};

use super::{ALL_OR_SELECTOR, LOCAL_OR_SERVER, Manner, SelectorFlag, SetArgs, plan};
use crate::cli::args::{DryRun, SubjectFlags};
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::mutate::sorted;
use crate::cli::verb::Run;
use crate::object::meta;
use crate::resource::Target;

/// Add users, groups and service accounts to bindings of roles.
#[derive(Parser)]
pub struct SubjectArgs {
    /// Types and names
    #[arg(value_name = "TYPE[/NAME]")]
    resources: Vec<String>,
    #[command(flatten)]
    common: SetArgs,
    #[command(flatten)]
    selector: SelectorFlag,
    #[command(flatten)]
    who: SubjectFlags,
}

const RBAC: &str = "rbac.authorization.k8s.io";

impl SubjectArgs {
    fn check(&self, targets: &[Target], dry_run: DryRun) -> Result<()> {
        if self.common.local && dry_run == DryRun::Server {
            return Err(Error::new(LOCAL_OR_SERVER));
        }
        if self.common.all && !self.selector.selector.is_empty() {
            return Err(Error::new(ALL_OR_SELECTOR));
        }
        if self.who.users.is_empty() && self.who.groups.is_empty() && self.who.accounts.is_empty() {
            return Err(Error::new("you must specify at least one value of user, group or serviceaccount"));
        }
        let everywhere = targets.iter().any(|target| meta::kind(&target.object) == "ClusterRoleBinding");
        for account in &self.who.accounts {
            let parts: Vec<&str> = account.split(':').collect();
            match parts.as_slice() {
                ["", name] if !name.is_empty() && everywhere => {
                    return Err(Error::new("serviceaccount must be <namespace>:<name>, namespace must be specified"));
                }
                [_, name] if !name.is_empty() => {}
                _ => return Err(Error::new("serviceaccount must be <namespace>:<name>")),
            }
        }
        Ok(())
    }

    fn subjects(&self, default_namespace: &str) -> Vec<Value> {
        let named = |kind: &'static str| move |name: &String| json!({"kind": kind, "apiGroup": RBAC, "name": name});
        let mut subjects: Vec<Value> = sorted(&self.who.users).map(named("User")).collect();
        subjects.extend(sorted(&self.who.groups).map(named("Group")));
        subjects.extend(sorted(&self.who.accounts).filter_map(|account| {
            let (namespace, name) = account.split_once(':')?;
            let namespace = if namespace.is_empty() { default_namespace } else { namespace };
            Some(json!({"kind": "ServiceAccount", "namespace": namespace, "name": name}))
        }));
        subjects
    }
}

impl Run for SubjectArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let setting = self.common.begin(cx, "subjects updated")?;
        let (namespace, _) = cx.namespace()?;
        let targets = self.common.find(cx, &self.resources, &self.selector.selector).await?;
        self.check(&targets, setting.dry_run())?;
        let wanted = self.subjects(&namespace);
        let planned = plan(targets, |object| {
            let kind = meta::gvk(object);
            if kind.group != RBAC || !matches!(kind.kind.as_str(), "RoleBinding" | "ClusterRoleBinding") {
                return Err(Error::new("setting subjects is only supported for RoleBinding/ClusterRoleBinding"));
            }
            let mut subjects = meta::list_at(object, &["subjects"]).to_vec();
            let before = subjects.len();
            let present = subjects.clone();
            subjects.extend(wanted.iter().filter(|subject| !present.contains(subject)).cloned());
            let changed = subjects.len() > before;
            object["subjects"] = subjects.into();
            Ok(changed)
        });
        let manner = Manner { failure: "failed to patch subjects to rolebinding: ", send_empty: false };
        setting.finish(planned, &manner, Vec::new()).await
    }
}
