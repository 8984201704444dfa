//! Volumes of pods and sources of persistent volumes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use regex::Regex;
use serde_json::json;

use super::{Options, env};
use crate::kinds::rules::value::Fields;
use crate::kinds::rules::{check, internal, quantity, storage};
use crate::object::field::{Error, ErrorList, Path};
use crate::object::{Value, names};

const ONE_TYPE: &str = "may not specify more than 1 volume type";

/// How one type of volume is validated.
type Validate = fn(&mut ErrorList, &Path, &Value, &Place<'_>);

/// What a source may need to know of the volume that it belongs to.
pub struct Place<'a> {
    /// Name of the volume.
    pub volume: &'a str,
    /// Name of the pod, empty for templates.
    pub pod: &'a str,
    /// Validation options.
    pub options: &'a Options,
}

/// One type of volume: its field, the field that its errors name, and its rule. The order is that of the checks.
struct Source {
    field: &'static str,
    many_path: &'static str,
    path: &'static str,
    check: Validate,
}

const fn source(field: &'static str, check: Validate) -> Source {
    Source { field, many_path: field, path: field, check }
}

const SOURCES: &[Source] = &[
    source("emptyDir", |errors, path, volume, _| {
        if volume.has("sizeLimit") && quantity::of(volume.at("sizeLimit")).sign() < 0 {
            let message = "SizeLimit field must be a valid resource quantity";
            errors.push(Error::forbidden(&path.child("sizeLimit"), message));
        }
    }),
    source("hostPath", |errors, path, volume, _| host_path(errors, path, volume)),
    source("gitRepo", |errors, path, volume, _| {
        check::required_fields(errors, path, volume, &["repository"]);
        check::local_path(errors, &path.child("directory"), volume.text("directory"));
    }),
    Source { field: "gcePersistentDisk", many_path: "gcePersistentDisk", path: "persistentDisk", check: gce_disk },
    source("awsElasticBlockStore", aws_store),
    source("secret", |errors, path, volume, _| file_items(errors, path, volume, "secretName")),
    source("nfs", nfs),
    source("iscsi", |errors, path, volume, place| {
        iscsi(errors, path, volume);
        if volume.has("initiatorName") && place.volume.len() + 1 + volume.text("targetPortal").len() > 64 {
            errors.push(Error::invalid(&parent(path).child("name"), place.volume, ISCSI_TOO_LONG));
        }
    }),
    source("glusterfs", |errors, path, volume, _| check::required_fields(errors, path, volume, &["endpoints", "path"])),
    source("flocker", flocker),
    source("persistentVolumeClaim", |errors, path, volume, _| {
        check::required_fields(errors, path, volume, &["claimName"]);
    }),
    source("rbd", rbd),
    source("cinder", |errors, path, volume, _| {
        check::required_fields(errors, path, volume, &["volumeID"]);
        secret_ref(errors, path, volume, &["name"]);
    }),
    Source { field: "cephfs", many_path: "cephFS", path: "cephfs", check: cephfs },
    source("quobyte", quobyte),
    Source { field: "downwardAPI", many_path: "downwarAPI", path: "downwardAPI", check: downward_api },
    source("fc", fibre_channel),
    source("flexVolume", flex_volume),
    source("configMap", |errors, path, volume, _| file_items(errors, path, volume, "name")),
    source("azureFile", |errors, path, volume, _| {
        check::required_fields(errors, path, volume, &["secretName", "shareName"]);
    }),
    source("vsphereVolume", |errors, path, volume, _| check::required_fields(errors, path, volume, &["volumePath"])),
    source("photonPersistentDisk", |errors, path, volume, _| check::required_fields(errors, path, volume, &["pdID"])),
    source("portworxVolume", |errors, path, volume, _| check::required_fields(errors, path, volume, &["volumeID"])),
    source("azureDisk", azure_disk),
    source("storageos", |errors, path, volume, _| storage_os(errors, path, volume, &["name"])),
    source("projected", |errors, path, volume, _| {
        check::file_mode(errors, &path.child("defaultMode"), volume.opt_int("defaultMode"));
        super::projected::sources(errors, path, volume);
    }),
    source("scaleIO", |errors, path, volume, _| {
        check::required_fields(errors, path, volume, &["gateway", "system", "volumeName"]);
    }),
    source("csi", csi),
    source("ephemeral", ephemeral),
    source("image", |errors, path, volume, place| {
        if place.options.is_pod {
            check::required_fields(errors, path, volume, &["reference"]);
        }
        super::containers::pull_policy(errors, &path.child("pullPolicy"), volume.text("pullPolicy"));
    }),
];

/// Types of persistent volumes, in the order of their checks.
const PERSISTENT: &[Source] = &[
    source("hostPath", |errors, path, volume, _| host_path(errors, path, volume)),
    Source { field: "gcePersistentDisk", many_path: "gcePersistentDisk", path: "persistentDisk", check: gce_disk },
    source("awsElasticBlockStore", aws_store),
    source("glusterfs", |errors, path, volume, _| {
        check::required_fields(errors, path, volume, &["endpoints", "path"]);
        if let Some(namespace) = volume.opt_text("endpointsNamespace") {
            let path = path.child("endpointsNamespace");
            if namespace.is_empty() {
                let message = "if the endpointnamespace is set, it must be a valid namespace name";
                errors.push(Error::invalid(&path, namespace, message));
            } else {
                check::dns_label(errors, &path, namespace);
            }
        }
    }),
    source("flocker", flocker),
    source("nfs", nfs),
    source("rbd", rbd),
    source("quobyte", quobyte),
    Source { field: "cephfs", many_path: "cephFS", path: "cephfs", check: cephfs },
    source("iscsi", |errors, path, volume, place| {
        if volume.text("targetPortal").is_empty() {
            errors.push(Error::required(&path.child("targetPortal"), ""));
        }
        let portal = volume.text("targetPortal");
        if volume.has("initiatorName") && place.volume.len() + 1 + portal.len() > 64 {
            errors.push(Error::invalid(&path.child("targetportal"), portal, ISCSI_TOO_LONG));
        }
        iscsi_rest(errors, path, volume);
    }),
    source("cinder", |errors, path, volume, _| {
        check::required_fields(errors, path, volume, &["volumeID"]);
        secret_ref(errors, path, volume, &["name", "namespace"]);
    }),
    source("fc", fibre_channel),
    source("flexVolume", flex_volume),
    source("azureFile", |errors, path, volume, _| {
        check::required_fields(errors, path, volume, &["secretName", "shareName"]);
        if volume.opt_text("secretNamespace") == Some("") {
            errors.push(Error::required(&path.child("secretNamespace"), ""));
        }
    }),
    source("vsphereVolume", |errors, path, volume, _| check::required_fields(errors, path, volume, &["volumePath"])),
    source("photonPersistentDisk", |errors, path, volume, _| check::required_fields(errors, path, volume, &["pdID"])),
    source("portworxVolume", |errors, path, volume, _| check::required_fields(errors, path, volume, &["volumeID"])),
    source("azureDisk", azure_disk),
    source("scaleIO", |errors, path, volume, _| {
        check::required_fields(errors, path, volume, &["gateway", "system", "volumeName"]);
    }),
    source("local", |errors, path, volume, _| {
        check::required_fields(errors, path, volume, &["path"]);
        check::no_backsteps(errors, &path.child("path"), volume.text("path"));
    }),
    source("storageos", |errors, path, volume, _| storage_os(errors, path, volume, &["name", "namespace"])),
    source("csi", |errors, path, volume, _| {
        csi_driver_name(errors, &path.child("driver"), volume.text("driver"));
        check::required_fields(errors, path, volume, &["volumeHandle"]);
        for field in
            ["controllerPublishSecretRef", "controllerExpandSecretRef", "nodePublishSecretRef", "nodeExpandSecretRef"]
        {
            if let Some(reference) = volume.some(field) {
                secret_reference(errors, &path.child(field), reference);
            }
        }
    }),
];

const ISCSI_TOO_LONG: &str = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.";

fn parent(path: &Path) -> Path {
    Path::new(path.as_str().rsplit_once('.').map_or("", |(parent, _)| parent))
}

/// The sources of one volume; returns how many there are.
fn check_sources(errors: &mut ErrorList, path: &Path, volume: &Value, sources: &[Source], place: &Place<'_>) -> usize {
    let mut count = 0;
    for source in sources {
        let Some(value) = volume.some(source.field) else { continue };
        if count > 0 && source.field != "flexVolume" {
            errors.push(Error::forbidden(&path.child(source.many_path), ONE_TYPE));
            continue;
        }
        count += 1;
        (source.check)(errors, &path.child(source.path), value, place);
    }
    count
}

/// The volumes of a pod spec; returns the valid ones by name.
pub fn volumes<'a>(
    errors: &mut ErrorList,
    path: &Path,
    spec: &'a Value,
    pod: &str,
    options: &Options,
) -> BTreeMap<&'a str, &'a Value> {
    let list = spec.list("volumes");
    let created: BTreeSet<String> = list
        .iter()
        .filter(|volume| !pod.is_empty() && volume.has("ephemeral"))
        .map(|volume| format!("{pod}-{}", volume.text("name")))
        .collect();
    let mut valid = BTreeMap::new();
    for (i, volume) in list.iter().enumerate() {
        let path = path.index(i);
        let name = volume.text("name");
        let mut own = ErrorList::new();
        if check_sources(&mut own, &path, volume, SOURCES, &Place { volume: name, pod, options }) == 0 {
            own.push(Error::required(&path, "must specify a volume type"));
        }
        let name_path = path.child("name");
        if name.is_empty() {
            own.push(Error::required(&name_path, ""));
        } else {
            check::dns_label(&mut own, &name_path, name);
        }
        if valid.contains_key(name) {
            own.push(Error::duplicate(&name_path, name));
        }
        if own.is_empty() {
            valid.insert(name, volume);
        }
        errors.append(&mut own);
        let claim = volume.at("persistentVolumeClaim").text("claimName");
        if created.contains(claim) {
            errors.push(Error::invalid(
                &path.child("persistentVolumeClaim").child("claimName"),
                claim,
                "must not reference a PVC that gets created for an ephemeral volume",
            ));
        }
    }
    valid
}

/// The source of a persistent volume; returns how many there are.
pub fn persistent_source(errors: &mut ErrorList, path: &Path, spec: &Value, name: &str) -> usize {
    let options = Options::default();
    check_sources(errors, path, spec, PERSISTENT, &Place { volume: name, pod: "", options: &options })
}

/// The fields of a persistent volume's spec that are sources.
pub fn persistent_source_fields() -> impl Iterator<Item = &'static str> {
    PERSISTENT.iter().map(|source| source.field)
}

fn host_path(errors: &mut ErrorList, path: &Path, volume: &Value) {
    let target = volume.text("path");
    if target.is_empty() {
        errors.push(Error::required(&path.child("path"), ""));
        return;
    }
    check::no_backsteps(errors, &path.child("path"), target);
    let supported =
        ["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];
    if let Some(type_) = volume.opt_text("type") {
        check::one_of(errors, &path.child("type"), type_, &supported);
    }
}

fn partition(errors: &mut ErrorList, path: &Path, volume: &Value) {
    let partition = volume.int("partition");
    if !(0..=255).contains(&partition) {
        errors.push(Error::invalid(&path.child("partition"), partition, names::inclusive_range_error(1, 255)));
    }
}

fn gce_disk(errors: &mut ErrorList, path: &Path, volume: &Value, _: &Place<'_>) {
    check::required_fields(errors, path, volume, &["pdName"]);
    partition(errors, path, volume);
}

fn aws_store(errors: &mut ErrorList, path: &Path, volume: &Value, _: &Place<'_>) {
    check::required_fields(errors, path, volume, &["volumeID"]);
    partition(errors, path, volume);
}

/// A secret or config map as files.
fn file_items(errors: &mut ErrorList, path: &Path, volume: &Value, name: &str) {
    check::required_fields(errors, path, volume, &[name]);
    check::file_mode(errors, &path.child("defaultMode"), volume.opt_int("defaultMode"));
    for (i, item) in volume.list("items").iter().enumerate() {
        key_to_path(errors, &path.child("items").index(i), item);
    }
}

/// One key of a secret or config map as a file.
pub fn key_to_path(errors: &mut ErrorList, path: &Path, item: &Value) {
    check::required_fields(errors, path, item, &["key", "path"]);
    check::local_free_path(errors, &path.child("path"), item.text("path"));
    check::file_mode(errors, &path.child("mode"), item.opt_int("mode"));
}

fn nfs(errors: &mut ErrorList, path: &Path, volume: &Value, _: &Place<'_>) {
    check::required_fields(errors, path, volume, &["server", "path"]);
    if !check::is_absolute(volume.text("path")) {
        errors.push(Error::invalid(&path.child("path"), volume.text("path"), "must be an absolute path"));
    }
}

fn iscsi(errors: &mut ErrorList, path: &Path, volume: &Value) {
    check::required_fields(errors, path, volume, &["targetPortal"]);
    iscsi_rest(errors, path, volume);
}

fn iscsi_rest(errors: &mut ErrorList, path: &Path, volume: &Value) {
    let iqn = volume.text("iqn");
    if iqn.is_empty() {
        errors.push(Error::required(&path.child("iqn"), ""));
    } else {
        iscsi_name(errors, &path.child("iqn"), iqn);
    }
    check::in_range(errors, &path.child("lun"), volume.int("lun"), 0, 255);
    if (volume.flag("chapAuthDiscovery") || volume.flag("chapAuthSession")) && !volume.has("secretRef") {
        errors.push(Error::required(&path.child("secretRef"), ""));
    }
    if let Some(initiator) = volume.opt_text("initiatorName") {
        iscsi_name(errors, &path.child("initiatorname"), initiator);
    }
}

fn iscsi_name(errors: &mut ErrorList, path: &Path, name: &str) {
    static FORMATS: OnceLock<Vec<(&str, Option<Regex>)>> = OnceLock::new();
    let formats = FORMATS.get_or_init(|| {
        [
            ("iqn", r"iqn\.\d{4}-\d{2}\.([[:alnum:].\-]+)(:[^,;*&$|\s]+)$"),
            ("eui", "^eui.[[:alnum:]]{16}$"),
            ("naa", "^naa.[[:alnum:]]{32}$"),
        ]
        .map(|(prefix, pattern)| (prefix, Regex::new(pattern).ok()))
        .into()
    });
    match formats.iter().find(|(prefix, _)| name.starts_with(prefix)) {
        None => errors.push(Error::invalid(path, name, "must be valid format starting with iqn, eui, or naa")),
        Some((_, Some(format))) if !format.is_match(name) => {
            errors.push(Error::invalid(path, name, "must be valid format"));
        }
        Some(_) => {}
    }
}

fn flocker(errors: &mut ErrorList, path: &Path, volume: &Value, _: &Place<'_>) {
    let (name, uuid) = (volume.text("datasetName"), volume.text("datasetUUID"));
    match (name.is_empty(), uuid.is_empty()) {
        (true, true) => errors.push(Error::required(path, "one of datasetName and datasetUUID is required")),
        (false, false) => errors.push(Error::invalid(
            path,
            "resource",
            "datasetName and datasetUUID can not be specified simultaneously",
        )),
        _ => {}
    }
    if name.contains('/') {
        errors.push(Error::invalid(&path.child("datasetName"), name, "must not contain '/'"));
    }
}

fn rbd(errors: &mut ErrorList, path: &Path, volume: &Value, _: &Place<'_>) {
    if volume.list("monitors").is_empty() {
        errors.push(Error::required(&path.child("monitors"), ""));
    }
    check::required_fields(errors, path, volume, &["image"]);
}

fn cephfs(errors: &mut ErrorList, path: &Path, volume: &Value, _: &Place<'_>) {
    if volume.list("monitors").is_empty() {
        errors.push(Error::required(&path.child("monitors"), ""));
    }
}

fn secret_ref(errors: &mut ErrorList, path: &Path, volume: &Value, fields: &[&str]) {
    if let Some(reference) = volume.some("secretRef") {
        check::required_fields(errors, &path.child("secretRef"), reference, fields);
    }
}

fn quobyte(errors: &mut ErrorList, path: &Path, volume: &Value, _: &Place<'_>) {
    const PAIRS: &str = "must be a host:port pair or multiple pairs separated by commas";
    let registry = volume.text("registry");
    if registry.is_empty() {
        errors.push(Error::required(&path.child("registry"), PAIRS));
    } else if volume.text("tenant").len() >= 65 {
        let message = "must be a UUID and may not exceed a length of 64 characters";
        errors.push(Error::required(&path.child("tenant"), message));
    } else {
        for _ in registry.split(',').filter(|pair| !pair.contains(':')) {
            errors.push(Error::invalid(&path.child("registry"), registry, PAIRS));
        }
    }
    check::required_fields(errors, path, volume, &["volume"]);
}

fn downward_api(errors: &mut ErrorList, path: &Path, volume: &Value, _: &Place<'_>) {
    check::file_mode(errors, &path.child("defaultMode"), volume.opt_int("defaultMode"));
    for file in volume.list("items") {
        downward_api_file(errors, path, file);
    }
}

/// One file of the downward API.
pub fn downward_api_file(errors: &mut ErrorList, path: &Path, file: &Value) {
    check::required_fields(errors, path, file, &["path"]);
    check::local_free_path(errors, &path.child("path"), file.text("path"));
    if let Some(field) = file.some("fieldRef") {
        env::object_field(errors, &path.child("fieldRef"), field, env::VOLUME_FIELDS);
        if file.has("resourceFieldRef") {
            let message = "fieldRef and resourceFieldRef can not be specified simultaneously";
            errors.push(Error::invalid(path, "resource", message));
        }
    } else if let Some(resource) = file.some("resourceFieldRef") {
        env::resource_field(errors, &path.child("resourceFieldRef"), resource, true);
    } else {
        errors.push(Error::required(path, "one of fieldRef and resourceFieldRef is required"));
    }
    check::file_mode(errors, &path.child("mode"), file.opt_int("mode"));
}

fn fibre_channel(errors: &mut ErrorList, path: &Path, volume: &Value, _: &Place<'_>) {
    let (targets, wwids) = (volume.list("targetWWNs"), volume.list("wwids"));
    let path_of_targets = path.child("targetWWNs");
    match (targets.is_empty(), wwids.is_empty()) {
        (true, true) => {
            errors.push(Error::required(&path_of_targets, "must specify either targetWWNs or wwids, but not both"));
        }
        (false, false) => errors.push(Error::invalid(
            &path_of_targets,
            Value::Array(targets.to_vec()),
            "targetWWNs and wwids can not be specified simultaneously",
        )),
        _ => {}
    }
    if !targets.is_empty() {
        match volume.opt_int("lun") {
            None => errors.push(Error::required(&path.child("lun"), "lun is required if targetWWNs is specified")),
            Some(lun) => check::in_range(errors, &path.child("lun"), lun, 0, 255),
        }
    }
}

fn flex_volume(errors: &mut ErrorList, path: &Path, volume: &Value, _: &Place<'_>) {
    check::required_fields(errors, path, volume, &["driver"]);
    for (key, _) in volume.entries("options") {
        let namespace = key.split_once('/').map_or(key, |(namespace, _)| namespace);
        let normal = format!(".{}", namespace.to_lowercase());
        if normal.ends_with(".kubernetes.io") || normal.ends_with(".k8s.io") {
            let message = "kubernetes.io and k8s.io namespaces are reserved";
            errors.push(Error::invalid(&path.child("options").key(key), key, message));
        }
    }
}

fn azure_disk(errors: &mut ErrorList, path: &Path, volume: &Value, _: &Place<'_>) {
    check::required_fields(errors, path, volume, &["diskName", "diskURI"]);
    if let Some(mode) = volume.opt_text("cachingMode") {
        check::one_of(errors, &path.child("cachingMode"), mode, &["None", "ReadOnly", "ReadWrite"]);
    }
    let Some(kind) = volume.opt_text("kind") else { return };
    check::one_of(errors, &path.child("kind"), kind, &["Dedicated", "Managed", "Shared"]);
    let (prefix, form) = if kind == "Managed" {
        (
            "/subscriptions/",
            "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}",
        )
    } else {
        ("https://", "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd")
    };
    if !volume.text("diskURI").starts_with(prefix) {
        errors.push(Error::not_supported(&path.child("diskURI"), volume.text("diskURI"), &[form]));
    }
}

fn storage_os(errors: &mut ErrorList, path: &Path, volume: &Value, secret: &[&str]) {
    let name = volume.text("volumeName");
    if name.is_empty() {
        errors.push(Error::required(&path.child("volumeName"), ""));
    } else {
        check::dns_label(errors, &path.child("volumeName"), name);
    }
    if !volume.text("volumeNamespace").is_empty() {
        check::dns_label(errors, &path.child("volumeNamespace"), volume.text("volumeNamespace"));
    }
    secret_ref(errors, path, volume, secret);
}

/// The name of a CSI driver.
pub fn csi_driver_name(errors: &mut ErrorList, path: &Path, driver: &str) {
    check::required(errors, path, driver);
    if driver.is_empty() {
        return;
    }
    if driver.len() > 63 {
        errors.push(Error::too_long(path, 63));
    }
    check::messages(errors, path, driver, names::is_dns1123_subdomain(&driver.to_lowercase()));
}

fn csi(errors: &mut ErrorList, path: &Path, volume: &Value, _: &Place<'_>) {
    csi_driver_name(errors, &path.child("driver"), volume.text("driver"));
    if let Some(secret) = volume.some("nodePublishSecretRef") {
        let name = secret.text("name");
        if name.is_empty() {
            errors.push(Error::required(&path.child("nodePublishSecretRef").child("name"), ""));
        } else {
            check::dns_subdomain(errors, &path.child("name"), name);
        }
    }
}

fn secret_reference(errors: &mut ErrorList, path: &Path, reference: &Value) {
    let (name, namespace) = (reference.text("name"), reference.text("namespace"));
    if name.is_empty() {
        errors.push(Error::required(&path.child("name"), ""));
    } else {
        check::dns_subdomain(errors, &path.child("name"), name);
    }
    if namespace.is_empty() {
        errors.push(Error::required(&path.child("namespace"), ""));
    } else {
        check::dns_label(errors, &path.child("namespace"), namespace);
    }
}

fn ephemeral(errors: &mut ErrorList, path: &Path, volume: &Value, place: &Place<'_>) {
    match volume.some("volumeClaimTemplate") {
        None => errors.push(Error::required(&path.child("volumeClaimTemplate"), "")),
        Some(template) => claim_template(errors, &path.child("volumeClaimTemplate"), template),
    }
    if !place.pod.is_empty() && !place.volume.is_empty() {
        let claim = format!("{}-{}", place.pod, place.volume);
        for message in names::is_dns1123_subdomain(&claim) {
            let message = format!("PVC name \"{claim}\": {message}");
            errors.push(Error::invalid(&parent(path).child("name"), place.volume, message));
        }
    }
}

fn claim_template(errors: &mut ErrorList, path: &Path, template: &Value) {
    let metadata = template.at("metadata");
    let meta_path = path.child("metadata");
    check::annotations(errors, &meta_path.child("annotations"), metadata);
    check::labels(errors, &meta_path.child("labels"), metadata, "labels");
    for field in internal::object_meta_fields() {
        if metadata.has(field) && !matches!(field, "annotations" | "labels") {
            errors.push(Error::forbidden(&meta_path.child(field), "cannot be set"));
        }
    }
    storage::claim_spec(errors, &path.child("spec"), template.at("spec"), &json!(null));
}
