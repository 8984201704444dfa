//! Writes what the fields of built-in kinds mean, for `explain` and OpenAPI: `$OUT_DIR/descriptions.gz`.
//!
//! The texts come from `k8s-openapi`, which carries those of the Kubernetes API; they would be too much to keep in this
//! repository by hand. The file has one definition per line, `"name": {"": "the type", "field": "what it means"},`,
//! sorted, so that a reader can index it without parsing all of it. It also says how the program is linked.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::Value;

/// Texts of a definition by field; that of the type itself under the empty name.
type Texts = BTreeMap<String, String>;

/// Adds types, and all that they are made of, to a generator's definitions.
macro_rules! add {
    ($generator:ident: $($($module:ident)::+ { $($kind:ident),+ $(,)? })+) => {
        $({
            use k8s_openapi::$($module)::+ as module;
            $(drop($generator.subschema_for::<module::$kind>());)+
        })+
    };
}

/// Every kind that a server serves.
fn add_kinds(generator: &mut SchemaGenerator) {
    add! { generator:
    api::admissionregistration::v1 {
        MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding, MutatingWebhookConfiguration,
        ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding, ValidatingWebhookConfiguration
    }
    api::apps::v1 {
        ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet
    }
    api::authentication::v1 {
        SelfSubjectReview, TokenRequest, TokenReview
    }
    api::authorization::v1 {
        LocalSubjectAccessReview, SelfSubjectAccessReview, SelfSubjectRulesReview, SubjectAccessReview
    }
    api::autoscaling::v1 {
        HorizontalPodAutoscaler, Scale
    }
    api::autoscaling::v2 {
        HorizontalPodAutoscaler
    }
    api::batch::v1 {
        CronJob, Job
    }
    api::certificates::v1 {
        CertificateSigningRequest
    }
    api::coordination::v1 {
        Lease
    }
    api::core::v1 {
        Binding, ComponentStatus, ConfigMap, Endpoints, Event, LimitRange, Namespace, Node, PersistentVolume,
        Pod, PodTemplate, ReplicationController, ResourceQuota, Secret, Service, ServiceAccount
    }
    api::discovery::v1 {
        EndpointSlice
    }
    api::events::v1 {
        Event
    }
    api::flowcontrol::v1 {
        FlowSchema, PriorityLevelConfiguration
    }
    api::networking::v1 {
        IPAddress, Ingress, IngressClass, NetworkPolicy, ServiceCIDR
    }
    api::node::v1 {
        RuntimeClass
    }
    api::policy::v1 {
        Eviction, PodDisruptionBudget
    }
    api::rbac::v1 {
        ClusterRole, ClusterRoleBinding, Role, RoleBinding
    }
    api::resource::v1 {
        DeviceClass, ResourceClaim, ResourceClaimTemplate, ResourceSlice
    }
    api::scheduling::v1 {
        PriorityClass
    }
    api::storage::v1 {
        CSIDriver, CSINode, CSIStorageCapacity, StorageClass, VolumeAttachment, VolumeAttributesClass
    }
    apiextensions_apiserver::pkg::apis::apiextensions::v1 {
        CustomResourceDefinition
    }
    apimachinery::pkg::apis::meta::v1 {
        APIGroupList, APIResourceList, APIVersions, Patch, Status
    }
    apimachinery::pkg::version {
        Info
    }
    kube_aggregator::pkg::apis::apiregistration::v1 {
        APIService
    }
    }
}

fn texts(schema: &Value) -> Texts {
    let described = |schema: &Value| schema["description"].as_str().map(str::to_owned);
    let fields = schema["properties"].as_object().into_iter().flatten();
    let fields = fields.filter_map(|(name, field)| Some((name.clone(), described(field)?)));
    fields.chain(described(schema).map(|text| (String::new(), text))).collect()
}

/// Links the program at a fixed address, as Go's programs are on Linux: otherwise some 80,000 addresses in its tables
/// would have to be put right at every start, which takes a millisecond and 4 MB.
fn link_at_fixed_address() {
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}

/// Lets the linker keep one copy of functions that come out the same (a fiftieth of a release build), where it can do that:
/// lld, which Rust brings along for some targets, and others if flags or settings choose them.
fn fold_equal_functions() {
    const FOLD: &str = "-Wl,--icf=all";
    let var = |name: &str| std::env::var(name).ok();
    if var("PROFILE").as_deref() == Some("release") && links_with(FOLD, &var).unwrap_or(false) {
        println!("cargo::rustc-link-arg-bins={FOLD}");
    }
}

/// Whether an empty program can be linked with an argument, as this build links programs.
fn links_with(argument: &str, var: &dyn Fn(&str) -> Option<String>) -> Option<bool> {
    let folder = PathBuf::from(var("OUT_DIR")?);
    let source = folder.join("empty.rs");
    std::fs::write(&source, "fn main() {}").ok()?;
    let flags = var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let mut rustc = Command::new(var("RUSTC")?);
    rustc.args(["--target", &var("TARGET")?]).args(flags.split('\u{1f}').filter(|flag| !flag.is_empty()));
    if let Some(linker) = var("RUSTC_LINKER") {
        rustc.arg(format!("-Clinker={linker}"));
    }
    let linked = rustc.arg(format!("-Clink-arg={argument}")).arg("-o").arg(folder.join("empty")).arg(source).output();
    Some(linked.ok()?.status.success())
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    link_at_fixed_address();
    fold_equal_functions();
    let mut generator = SchemaSettings::openapi3().into_generator();
    add_kinds(&mut generator);
    let definitions = generator.take_definitions(false);
    let all: BTreeMap<&String, Texts> = definitions.iter().map(|(name, schema)| (name, texts(schema))).collect();
    let path = Path::new(&std::env::var("OUT_DIR")?).join("descriptions.gz");
    let mut file = GzEncoder::new(File::create(path)?, Compression::best());
    for (name, texts) in all {
        writeln!(file, "{}: {},", serde_json::to_string(name)?, serde_json::to_string(&texts)?)?;
    }
    file.finish()?;
    Ok(())
}
