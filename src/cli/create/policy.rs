//! `create namespace`, `serviceaccount`, `quota`, `poddisruptionbudget`, `priorityclass`.

use clap::Parser;
use serde_json::{Map, Value, json};

use super::generated::GeneratedArgs;
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::labels;
use crate::cli::verb::Run;
use crate::object::intstr;
use crate::object::quantity::Quantity;

/// Create a namespace.
#[derive(Parser)]
pub struct NamespaceArgs {
    /// Name
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    common: GeneratedArgs,
}

impl Run for NamespaceArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let making = self.common.begin(cx, &self.words)?;
        making.check_name()?;
        making.finish(making.object("v1", "Namespace")?, "").await
    }
}

/// Create a service account.
#[derive(Parser)]
pub struct ServiceAccountArgs {
    /// Name
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    common: GeneratedArgs,
}

impl Run for ServiceAccountArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let making = self.common.begin(cx, &self.words)?;
        making.check_name()?;
        making.finish(making.object("v1", "ServiceAccount")?, "failed to create serviceaccount: ").await
    }
}

/// Create a quota.
#[derive(Parser)]
pub struct QuotaArgs {
    /// Name
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    common: GeneratedArgs,
    /// Limits: RESOURCE=QUANTITY, separated by commas
    #[arg(long, value_name = "LIMITS", default_value = "")]
    hard: String,
    /// Scopes that all must match, separated by commas
    #[arg(long, value_name = "SCOPES", default_value = "")]
    scopes: String,
}

/// Resources with their quantities: `cpu=1,memory=1Gi`.
///
/// # Errors
/// Items of another form, and text that is no quantity.
pub fn resource_list(text: &str) -> Result<Option<Value>> {
    if text.is_empty() {
        return Ok(None);
    }
    let mut list = Map::new();
    for item in text.split(',') {
        let parts: Vec<&str> = item.split('=').collect();
        let [name, amount] = parts.as_slice() else {
            return Err(Error::new(format!("Invalid argument syntax {item}, expected <resource>=<value>")));
        };
        let amount = Quantity::parse(amount).map_err(|error| Error::new(error.to_string()))?;
        list.insert((*name).to_owned(), amount.to_string().into());
    }
    Ok(Some(Value::Object(list)))
}

impl Run for QuotaArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let making = self.common.begin(cx, &self.words)?;
        making.check_name()?;
        let mut object = making.object("v1", "ResourceQuota")?;
        object["spec"] = json!({});
        if let Some(hard) = resource_list(&self.hard)? {
            object["spec"]["hard"] = hard;
        }
        if !self.scopes.is_empty() {
            let scopes: Vec<&str> = self.scopes.split(',').collect();
            if scopes.contains(&"") {
                return Err(Error::new("invalid resource quota scope \"\""));
            }
            object["spec"]["scopes"] = json!(scopes);
        }
        making.finish(object, "failed to create quota: ").await
    }
}

/// Create a pod disruption budget.
#[derive(Parser)]
pub struct PodDisruptionBudgetArgs {
    /// Name
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    common: GeneratedArgs,
    /// Pods that must stay available: a number or a percentage
    #[arg(long, value_name = "COUNT", default_value = "")]
    min_available: String,
    /// Pods that may be unavailable: a number or a percentage
    #[arg(long, value_name = "COUNT", default_value = "")]
    max_unavailable: String,
    /// Labels of the pods
    #[arg(long, value_name = "SELECTOR", default_value = "")]
    selector: String,
}

fn is_amount(text: &str) -> bool {
    let digits = text.strip_suffix('%').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// A number where the text is one, else the text.
pub fn int_or_string(text: &str) -> Value {
    intstr::atoi(text).ok().filter(|number| i32::try_from(*number).is_ok()).map_or_else(|| text.into(), Value::from)
}

impl PodDisruptionBudgetArgs {
    fn check(&self) -> Result<()> {
        let wrong = match (self.min_available.as_str(), self.max_unavailable.as_str()) {
            _ if self.selector.is_empty() => "a selector must be specified",
            ("", "") => "one of min-available or max-unavailable must be specified",
            (min, "") if is_amount(min) => return Ok(()),
            ("", max) if is_amount(max) => return Ok(()),
            (_, "") => "invalid format specified for min-available",
            ("", _) => "invalid format specified for max-unavailable",
            _ => "min-available and max-unavailable cannot be both specified",
        };
        Err(Error::new(wrong))
    }
}

impl Run for PodDisruptionBudgetArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let making = self.common.begin(cx, &self.words)?;
        making.check_name()?;
        self.check()?;
        let mut object = making.object("policy/v1", "PodDisruptionBudget")?;
        object["spec"] = json!({"selector": labels::to_selector(&self.selector)?});
        if self.min_available.is_empty() {
            object["spec"]["maxUnavailable"] = int_or_string(&self.max_unavailable);
        } else {
            object["spec"]["minAvailable"] = int_or_string(&self.min_available);
        }
        making.finish(object, "failed to create poddisruptionbudgets: ").await
    }
}

/// Create a priority class.
#[derive(Parser)]
pub struct PriorityClassArgs {
    /// Name
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    common: GeneratedArgs,
    /// The priority
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    value: i32,
    /// Pods that name no class get this one
    #[arg(long)]
    global_default: bool,
    /// What it is for
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
    /// PreemptLowerPriority or Never
    #[arg(long, value_name = "POLICY", default_value = "PreemptLowerPriority")]
    preemption_policy: String,
}

impl Run for PriorityClassArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let making = self.common.begin(cx, &self.words)?;
        let mut object = making.object("scheduling.k8s.io/v1", "PriorityClass")?;
        object["value"] = self.value.into();
        object["globalDefault"] = self.global_default.into();
        object["description"] = self.description.into();
        object["preemptionPolicy"] = self.preemption_policy.into();
        making.finish(object, "failed to create priorityclass: ").await
    }
}
