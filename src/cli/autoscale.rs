//! `autoscale`: an autoscaler for something with replicas.

use clap::Parser;
use serde_json::{Value, json};

use super::args::{DryRun, DryRunArgs, FileArgs, OutputArgs};
use super::context::Context;
use super::create::generated::{builtin, save_typed_config};
use super::create::{WriteArgs, Writer};
use super::error::{Error, Result};
use super::targets;
use super::verb::Run;
use crate::kinds::decode;
use crate::object::meta;
use crate::object::quantity::Quantity;
use crate::resource::Target;

/// Let the number of pods follow their load.
#[derive(Parser)]
pub struct AutoscaleArgs {
    /// Type and name
    #[arg(value_name = "TYPE[/NAME]")]
    resources: Vec<String>,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    dry_run: DryRunArgs,
    #[command(flatten)]
    write: WriteArgs,
    /// Fewest pods
    #[arg(long, value_name = "COUNT", default_value_t = -1)]
    min: i32,
    /// Most pods
    #[arg(long, value_name = "COUNT", required = true)]
    max: i32,
    /// Load of the processors to aim at, in percent of what the pods request
    #[arg(long, value_name = "PERCENT", hide = true)]
    cpu_percent: Option<i32>,
    /// Load of the processors to aim at: 70% of what the pods request, or a quantity such as 500m
    #[arg(long, value_name = "LOAD", default_value = "")]
    cpu: String,
    /// Memory to aim at: 60% of what the pods request, or a quantity such as 200Mi
    #[arg(long, value_name = "LOAD", default_value = "")]
    memory: String,
    /// Name of the autoscaler
    #[arg(long, value_name = "NAME", default_value = "")]
    name: String,
    /// Accepted, without effect
    #[arg(long, hide = true)]
    record: bool,
}

/// What to aim at.
#[derive(Debug, PartialEq)]
enum Load {
    Percent(i32),
    Amount(String),
}

/// Reads a load: a percentage, a quantity, or a number in `unit`.
fn load(text: &str, resource: &str, unit: &str) -> Result<Load> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::new("empty input"));
    }
    if let Some(percent) = text.strip_suffix('%') {
        let number = percent.parse::<i32>().ok().filter(|number| *number >= 0);
        return number.map(Load::Percent).ok_or_else(|| Error::new(format!("invalid percentage value: {percent}")));
    }
    let quantity = match text.parse::<f64>() {
        Ok(number) => Quantity::parse(&format!("{number}{unit}")).map_err(|error| Error::new(error.to_string()))?,
        Err(_) => {
            Quantity::parse(text).map_err(|_| Error::new(format!("invalid resource {resource} value: {text}")))?
        }
    };
    Ok(Load::Amount(quantity.to_string()))
}

impl Load {
    fn metric(self, resource: &str) -> Value {
        let target = match self {
            Self::Percent(percent) => json!({"type": "Utilization", "averageUtilization": percent}),
            Self::Amount(amount) => json!({"type": "AverageValue", "averageValue": amount}),
        };
        json!({"type": "Resource", "resource": {"name": resource, "target": target}})
    }
}

impl AutoscaleArgs {
    fn percent(&self) -> i32 {
        self.cpu_percent.unwrap_or(-1)
    }

    fn check(&self) -> Result<()> {
        if self.max < 1 {
            return Err(Error::new(format!("--max=MAXPODS is required and must be at least 1, max: {}", self.max)));
        }
        if self.max < self.min {
            return Err(Error::new(format!(
                "--max=MAXPODS must be larger or equal to --min=MINPODS, max: {}, min: {}",
                self.max, self.min
            )));
        }
        if self.percent() > 0 && !self.cpu.is_empty() {
            return Err(Error::new("--cpu-percent and --cpu are mutually exclusive"));
        }
        self.loads().map(drop)
    }

    /// The metrics that the flags ask for.
    fn loads(&self) -> Result<Vec<Value>> {
        let mut metrics = Vec::new();
        if self.percent() > 0 {
            metrics.push(Load::Percent(self.percent()).metric("cpu"));
        }
        for (text, resource, unit) in [(&self.cpu, "cpu", "m"), (&self.memory, "memory", "Mi")] {
            if !text.is_empty() {
                metrics.push(load(text, resource, unit)?.metric(resource));
            }
        }
        Ok(metrics)
    }

    fn autoscaler(&self, target: &Target, version: &str) -> Result<Value> {
        let name = if self.name.is_empty() { &target.name } else { &self.name };
        let mut spec = json!({
            "scaleTargetRef": {"apiVersion": target.kind.api_version(), "kind": target.kind.kind, "name": target.name},
            "maxReplicas": self.max,
        });
        if self.min > 0 {
            spec["minReplicas"] = self.min.into();
        }
        if version == "autoscaling/v2" {
            spec["metrics"] = self.loads()?.into();
        } else if self.percent() >= 0 {
            spec["targetCPUUtilizationPercentage"] = self.percent().into();
        }
        let object = json!({"apiVersion": version, "kind": "HorizontalPodAutoscaler", "metadata": {"name": name},
            "spec": spec});
        Ok(object)
    }

    /// Whether the older version can hold what is asked for.
    fn fits_v1(&self) -> Result<bool> {
        let cpu = load(&self.cpu, "cpu", "m")?;
        Ok(self.memory.is_empty() && (self.percent() >= 0 || matches!(cpu, Load::Percent(_))))
    }

    async fn make(&self, writer: &Writer<'_>, mut object: Value) -> Result<()> {
        let cx = writer.cx;
        let (namespace, enforced) = cx.namespace()?;
        if enforced {
            meta::set(&mut object, &["metadata", "namespace"], namespace.clone());
        }
        decode::settle(&mut object);
        let suffix = writer.dry_run.suffix();
        if writer.dry_run == DryRun::Client {
            return self.output.printer(&format!("created{suffix}"))?.print_typed(cx, &object);
        }
        if self.write.save_config || meta::annotation(&object, meta::LAST_APPLIED).is_some() {
            save_typed_config(&mut object);
        }
        let kind = builtin(meta::api_version(&object), meta::kind(&object))?;
        let made = writer.post(kind, &namespace, &object).await?;
        self.output.printer(&format!("autoscaled{suffix}"))?.print_typed(cx, &made)
    }

    async fn autoscale(&self, writer: &Writer<'_>, target: &Target) -> Result<()> {
        if target.kind.subresource("scale").is_none() {
            let (kind, resource) = (&target.kind.kind, target.kind.gvr());
            return Err(Error::new(format!(
                "cannot autoscale a {kind}: could not find scale subresource for {resource} in discovery information"
            )));
        }
        if self.make(writer, self.autoscaler(target, "autoscaling/v2")?).await.is_ok() {
            return Ok(());
        }
        let why = match self.fits_v1() {
            Ok(true) => return self.make(writer, self.autoscaler(target, "autoscaling/v1")?).await,
            Ok(false) => "%!w(<nil>)".to_owned(),
            Err(error) => error.text(),
        };
        Err(Error::new(format!(
            "failed to create autoscaling/v2 HPA and the configuration is incompatible with autoscaling/v1: {why}"
        )))
    }
}

impl Run for AutoscaleArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        if self.cpu_percent.is_some() {
            cx.err_line(
                "Flag --cpu-percent has been deprecated, Use --cpu with percentage or resource quantity format (e.g., \
                 '70%' for utilization or '500m' for milliCPU).",
            )?;
        }
        let dry_run = self.dry_run.mode(cx)?;
        self.check()?;
        let manager = self.write.field_manager.clone().unwrap_or_else(|| "kubectl-autoscale".into());
        let writer = Writer { cx, manager, validation: "", dry_run };
        let selection = cx.selection(self.resources.clone(), self.files.options())?;
        let found = targets::find(cx, &selection, false).await?;
        let (mut count, mut errors) = (0, found.errors);
        for target in &found.targets {
            match self.autoscale(&writer, target).await {
                Ok(()) => count += 1,
                Err(error) => errors.push(error),
            }
        }
        Error::many(errors)?;
        if count == 0 {
            return Err(Error::new("no objects passed to autoscale"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads() {
        let read = |text| load(text, "cpu", "m").map_err(|error| error.text());
        assert_eq!(read("70%"), Ok(Load::Percent(70)));
        assert_eq!(read("500"), Ok(Load::Amount("500m".into())));
        assert_eq!(read("0.5"), Ok(Load::Amount("500u".into())));
        assert_eq!(read("x"), Err("invalid resource cpu value: x".into()));
        assert_eq!(read("-1%"), Err("invalid percentage value: -1".into()));
    }
}
