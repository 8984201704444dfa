//! Volumes of pods and sources of persistent volumes, from one table of what each source shows.

use super::text::{self, go_reference, present};
use super::{Writer, storage};
use crate::kinds::columns::text::quantity;
use crate::object::{Value, go, meta, quantity::Quantity};

/// How a field of a source is shown.
#[derive(Clone, Copy)]
enum Show {
    /// Text, empty when absent.
    Text,
    /// Text, or a stand-in when absent.
    TextOr(&'static str),
    /// A number, 0 when absent.
    Number,
    /// A number, or a stand-in when absent.
    NumberOr(&'static str),
    /// `true` or `false`.
    Flag,
    /// A list as Go prints it.
    List,
    /// A list with commas.
    Joined,
    /// A map as Go prints it.
    Map,
    /// A reference to a secret of the same namespace.
    LocalSecret,
    /// A reference to a secret.
    Secret,
    /// A size that counts only when above zero.
    Size,
}

/// One source of volumes: its field, its heading and its rows (title with its punctuation, path, form).
struct Source {
    field: &'static str,
    heading: &'static str,
    rows: &'static [(&'static str, &'static [&'static str], Show)],
}

const READ_ONLY: (&str, &[&str], Show) = ("ReadOnly:", &["readOnly"], Show::Flag);
const FS_TYPE: (&str, &[&str], Show) = ("FSType:", &["fsType"], Show::Text);

const ISCSI: &str =
    "ISCSI (an ISCSI Disk resource that is attached to a kubelet's host machine and then exposed to the pod)";
const GLUSTERFS: &str = "Glusterfs (a Glusterfs mount on the host that shares a pod's lifetime)";
const RBD: &str = "RBD (a Rados Block Device mount on the host that shares a pod's lifetime)";
const CINDER: &str = "Cinder (a Persistent Disk resource in OpenStack)";
const CEPHFS: &str = "CephFS (a CephFS mount on the host that shares a pod's lifetime)";
const SCALEIO: &str = "ScaleIO (a persistent volume backed by a block device in ScaleIO)";
const STORAGEOS: &str = "StorageOS (a StorageOS Persistent Disk resource)";
const AZURE_FILE: &str = "AzureFile (an Azure File Service mount on the host and bind mount to the pod)";
const FLEX: &str = "FlexVolume (a generic volume resource that is provisioned/attached using an exec based plugin)";
const CSI: &str = "CSI (a Container Storage Interface (CSI) volume source)";

/// Sources that pods and persistent volumes share.
const COMMON: &[Source] = &[
    Source {
        field: "hostPath",
        heading: "HostPath (bare host directory volume)",
        rows: &[("Path:", &["path"], Show::Text), ("HostPathType:", &["type"], Show::TextOr("<none>"))],
    },
    Source {
        field: "gcePersistentDisk",
        heading: "GCEPersistentDisk (a Persistent Disk resource in Google Compute Engine)",
        rows: &[("PDName:", &["pdName"], Show::Text), FS_TYPE, ("Partition:", &["partition"], Show::Number), READ_ONLY],
    },
    Source {
        field: "awsElasticBlockStore",
        heading: "AWSElasticBlockStore (a Persistent Disk resource in AWS)",
        rows: &[
            ("VolumeID:", &["volumeID"], Show::Text),
            FS_TYPE,
            ("Partition:", &["partition"], Show::Number),
            READ_ONLY,
        ],
    },
    Source {
        field: "nfs",
        heading: "NFS (an NFS mount that lasts the lifetime of a pod)",
        rows: &[("Server:", &["server"], Show::Text), ("Path:", &["path"], Show::Text), READ_ONLY],
    },
    Source {
        field: "quobyte",
        heading: "Quobyte (a Quobyte mount on the host that shares a pod's lifetime)",
        rows: &[("Registry:", &["registry"], Show::Text), ("Volume:", &["volume"], Show::Text), READ_ONLY],
    },
    Source {
        field: "azureDisk",
        heading: "AzureDisk (an Azure Data Disk mount on the host and bind mount to the pod)",
        rows: &[
            ("DiskName:", &["diskName"], Show::Text),
            ("DiskURI:", &["diskURI"], Show::Text),
            ("Kind: ", &["kind"], Show::Text),
            FS_TYPE,
            ("CachingMode:", &["cachingMode"], Show::Text),
            READ_ONLY,
        ],
    },
    Source {
        field: "vsphereVolume",
        heading: "vSphereVolume (a Persistent Disk resource in vSphere)",
        rows: &[
            ("VolumePath:", &["volumePath"], Show::Text),
            FS_TYPE,
            ("StoragePolicyName:", &["storagePolicyName"], Show::Text),
        ],
    },
    Source {
        field: "photonPersistentDisk",
        heading: "PhotonPersistentDisk (a Persistent Disk resource in photon platform)",
        rows: &[("PdID:", &["pdID"], Show::Text), FS_TYPE],
    },
    Source {
        field: "portworxVolume",
        heading: "PortworxVolume (a Portworx Volume resource)",
        rows: &[("VolumeID:", &["volumeID"], Show::Text)],
    },
    Source {
        field: "storageos",
        heading: STORAGEOS,
        rows: &[
            ("VolumeName:", &["volumeName"], Show::Text),
            ("VolumeNamespace:", &["volumeNamespace"], Show::Text),
            FS_TYPE,
            READ_ONLY,
        ],
    },
    Source {
        field: "fc",
        heading: "FC (a Fibre Channel disk)",
        rows: &[
            ("TargetWWNs:", &["targetWWNs"], Show::Joined),
            ("LUN:", &["lun"], Show::NumberOr("<none>")),
            FS_TYPE,
            READ_ONLY,
        ],
    },
    Source {
        field: "flocker",
        heading: "Flocker (a Flocker volume mounted by the Flocker agent)",
        rows: &[("DatasetName:", &["datasetName"], Show::Text), ("DatasetUUID:", &["datasetUUID"], Show::Text)],
    },
];

macro_rules! iscsi {
    ($secret:expr) => {
        Source {
            field: "iscsi",
            heading: ISCSI,
            rows: &[
                ("TargetPortal:", &["targetPortal"], Show::Text),
                ("IQN:", &["iqn"], Show::Text),
                ("Lun:", &["lun"], Show::Number),
                ("ISCSIInterface", &["iscsiInterface"], Show::Text),
                FS_TYPE,
                READ_ONLY,
                ("Portals:", &["portals"], Show::List),
                ("DiscoveryCHAPAuth:", &["chapAuthDiscovery"], Show::Flag),
                ("SessionCHAPAuth:", &["chapAuthSession"], Show::Flag),
                ("SecretRef:", &["secretRef"], $secret),
                ("InitiatorName:", &["initiatorName"], Show::TextOr("<none>")),
            ],
        }
    };
}

macro_rules! rbd {
    ($secret:expr) => {
        Source {
            field: "rbd",
            heading: RBD,
            rows: &[
                ("CephMonitors:", &["monitors"], Show::List),
                ("RBDImage:", &["image"], Show::Text),
                FS_TYPE,
                ("RBDPool:", &["pool"], Show::Text),
                ("RadosUser:", &["user"], Show::Text),
                ("Keyring:", &["keyring"], Show::Text),
                ("SecretRef:", &["secretRef"], $secret),
                READ_ONLY,
            ],
        }
    };
}

macro_rules! cinder {
    ($secret:expr) => {
        Source {
            field: "cinder",
            heading: CINDER,
            rows: &[
                ("VolumeID:", &["volumeID"], Show::Text),
                FS_TYPE,
                READ_ONLY,
                ("SecretRef:", &["secretRef"], $secret),
            ],
        }
    };
}

macro_rules! cephfs {
    ($secret:expr) => {
        Source {
            field: "cephfs",
            heading: CEPHFS,
            rows: &[
                ("Monitors:", &["monitors"], Show::List),
                ("Path:", &["path"], Show::Text),
                ("User:", &["user"], Show::Text),
                ("SecretFile:", &["secretFile"], Show::Text),
                ("SecretRef:", &["secretRef"], $secret),
                READ_ONLY,
            ],
        }
    };
}

macro_rules! flex {
    ($secret:expr) => {
        Source {
            field: "flexVolume",
            heading: FLEX,
            rows: &[
                ("Driver:", &["driver"], Show::Text),
                FS_TYPE,
                ("SecretRef:", &["secretRef"], $secret),
                READ_ONLY,
                ("Options:", &["options"], Show::Map),
            ],
        }
    };
}

/// Sources of pods.
const OF_PODS: &[Source] = &[
    Source {
        field: "emptyDir",
        heading: "EmptyDir (a temporary directory that shares a pod's lifetime)",
        rows: &[("Medium:", &["medium"], Show::Text), ("SizeLimit:", &["sizeLimit"], Show::Size)],
    },
    Source {
        field: "gitRepo",
        heading: "GitRepo (a volume that is pulled from git when the pod is created)",
        rows: &[("Repository:", &["repository"], Show::Text), ("Revision:", &["revision"], Show::Text)],
    },
    Source {
        field: "secret",
        heading: "Secret (a volume populated by a Secret)",
        rows: &[("SecretName:", &["secretName"], Show::Text), ("Optional:", &["optional"], Show::Flag)],
    },
    Source {
        field: "configMap",
        heading: "ConfigMap (a volume populated by a ConfigMap)",
        rows: &[("Name:", &["name"], Show::Text), ("Optional:", &["optional"], Show::Flag)],
    },
    Source {
        field: "glusterfs",
        heading: GLUSTERFS,
        rows: &[("EndpointsName:", &["endpoints"], Show::Text), ("Path:", &["path"], Show::Text), READ_ONLY],
    },
    Source {
        field: "persistentVolumeClaim",
        heading: "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)",
        rows: &[("ClaimName:", &["claimName"], Show::Text), READ_ONLY],
    },
    Source {
        field: "scaleIO",
        heading: SCALEIO,
        rows: &[
            ("Gateway:", &["gateway"], Show::Text),
            ("System:", &["system"], Show::Text),
            ("Protection Domain:", &["protectionDomain"], Show::Text),
            ("Storage Pool:", &["storagePool"], Show::Text),
            ("Storage Mode:", &["storageMode"], Show::Text),
            ("VolumeName:", &["volumeName"], Show::Text),
            FS_TYPE,
            READ_ONLY,
        ],
    },
    Source {
        field: "azureFile",
        heading: AZURE_FILE,
        rows: &[("SecretName:", &["secretName"], Show::Text), ("ShareName:", &["shareName"], Show::Text), READ_ONLY],
    },
    Source { field: "csi", heading: CSI, rows: &[("Driver:", &["driver"], Show::Text), FS_TYPE, READ_ONLY] },
    Source {
        field: "image",
        heading: "Image (a container image or OCI artifact)",
        rows: &[("Reference:", &["reference"], Show::Text), ("PullPolicy:", &["pullPolicy"], Show::Text)],
    },
    iscsi!(Show::LocalSecret),
    rbd!(Show::LocalSecret),
    cinder!(Show::LocalSecret),
    cephfs!(Show::LocalSecret),
    flex!(Show::LocalSecret),
];

/// Sources of persistent volumes.
const OF_VOLUMES: &[Source] = &[
    Source {
        field: "glusterfs",
        heading: GLUSTERFS,
        rows: &[
            ("EndpointsName:", &["endpoints"], Show::Text),
            ("EndpointsNamespace:", &["endpointsNamespace"], Show::TextOr("<unset>")),
            ("Path:", &["path"], Show::Text),
            READ_ONLY,
        ],
    },
    Source {
        field: "scaleIO",
        heading: SCALEIO,
        rows: &[
            ("Gateway:", &["gateway"], Show::Text),
            ("System:", &["system"], Show::Text),
            ("Protection Domain:", &["protectionDomain"], Show::Text),
            ("Storage Pool:", &["storagePool"], Show::Text),
            ("Storage Mode:", &["storageMode"], Show::Text),
            ("VolumeName:", &["volumeName"], Show::Text),
            ("SecretName:", &["secretRef", "name"], Show::Text),
            ("SecretNamespace:", &["secretRef", "namespace"], Show::Text),
            FS_TYPE,
            READ_ONLY,
        ],
    },
    Source {
        field: "local",
        heading: "LocalVolume (a persistent volume backed by local storage on a node)",
        rows: &[("Path:", &["path"], Show::Text)],
    },
    Source {
        field: "azureFile",
        heading: AZURE_FILE,
        rows: &[
            ("SecretName:", &["secretName"], Show::Text),
            ("SecretNamespace:", &["secretNamespace"], Show::Text),
            ("ShareName:", &["shareName"], Show::Text),
            READ_ONLY,
        ],
    },
    Source {
        field: "csi",
        heading: CSI,
        rows: &[
            ("Driver:", &["driver"], Show::Text),
            FS_TYPE,
            ("VolumeHandle:", &["volumeHandle"], Show::Text),
            READ_ONLY,
        ],
    },
    iscsi!(Show::Secret),
    rbd!(Show::Secret),
    cinder!(Show::Secret),
    cephfs!(Show::Secret),
    flex!(Show::Secret),
];

fn shown(source: &Value, path: &[&str], show: Show) -> String {
    let value = present(source, path);
    match show {
        Show::Text => meta::str_at(source, path).to_owned(),
        Show::TextOr(otherwise) => value.and_then(Value::as_str).unwrap_or(otherwise).to_owned(),
        Show::Number => meta::int_at(source, path).unwrap_or_default().to_string(),
        Show::NumberOr(otherwise) => value.map_or_else(|| otherwise.to_owned(), Value::to_string),
        Show::Flag => meta::bool_at(source, path).to_string(),
        Show::List => go::list_text(meta::list_at(source, path)),
        Show::Joined => text::texts(source, path).join(", "),
        Show::Map => meta::map_at(source, path).map_or_else(|| "map[]".to_owned(), go::map_text),
        Show::LocalSecret => go_reference(value, "LocalObjectReference", &[("Name", "name")]),
        Show::Secret => go_reference(value, "SecretReference", &[("Name", "name"), ("Namespace", "namespace")]),
        Show::Size => {
            let positive = value.and_then(Value::as_str).and_then(|size| Quantity::parse(size).ok());
            match positive.filter(|size| size.sign() > 0) {
                Some(_) => quantity(value),
                None => "<unset>".to_owned(),
            }
        }
    }
}

/// Writes the first source of a table that a volume has; false when it has none.
fn from_table(w: &mut Writer, volume: &Value, tables: [&[Source]; 2]) -> bool {
    let found = tables.into_iter().flatten().find_map(|source| Some((source, present(volume, &[source.field])?)));
    let Some((source, value)) = found else { return false };
    w.line(2, format_args!("Type:\t{}", source.heading));
    for (title, path, show) in source.rows {
        w.line(2, format_args!("{title}\t{}", shown(value, path, *show)));
    }
    if source.field == "csi" {
        text::attributes(w, "VolumeAttributes", meta::map_at(value, &["volumeAttributes"]));
    }
    true
}

/// Writes the source of a persistent volume.
pub(super) fn persistent(w: &mut Writer, spec: &Value) {
    if !from_table(w, spec, [COMMON, OF_VOLUMES]) {
        w.line(1, "<unknown>");
    }
}

/// Writes the volumes of a pod; `space` indents those of a template.
pub(super) fn of_pod(w: &mut Writer, pod_spec: Option<&Value>, space: &str) {
    let volumes = pod_spec.map(|spec| meta::list_at(spec, &["volumes"])).unwrap_or_default();
    if volumes.is_empty() {
        w.line(0, format_args!("{space}Volumes:\t<none>"));
        return;
    }
    w.line(0, format_args!("{space}Volumes:"));
    let indent = if space.is_empty() { "" } else { " " };
    for volume in volumes {
        w.line(1, format_args!("{indent}{}:", meta::str_at(volume, &["name"])));
        if let Some(projected) = present(volume, &["projected"]) {
            projection(w, projected);
        } else if let Some(downward) = present(volume, &["downwardAPI"]) {
            downward_api(w, downward);
        } else if let Some(ephemeral) = present(volume, &["ephemeral"]) {
            w.line(
                2,
                "Type:\tEphemeralVolume (an inline specification for a volume that gets created and deleted with the pod)",
            );
            if let Some(template) = present(ephemeral, &["volumeClaimTemplate"]) {
                w.nested(2, |w| storage::claim(w, template, None));
            }
        } else if !from_table(w, volume, [COMMON, OF_PODS]) {
            w.line(1, "<unknown>");
        }
    }
}

fn projection(w: &mut Writer, projected: &Value) {
    w.line(2, "Type:\tProjected (a volume that contains injected data from multiple sources)");
    let named = |w: &mut Writer, title: &str, source: &Value| {
        w.field(2, title, meta::str_at(source, &["name"]));
        w.field(2, "Optional", meta::bool_at(source, &["optional"]));
    };
    for source in meta::list_at(projected, &["sources"]) {
        if let Some(secret) = present(source, &["secret"]) {
            named(w, "SecretName", secret);
        } else if present(source, &["downwardAPI"]).is_some() {
            w.field(2, "DownwardAPI", true);
        } else if let Some(config) = present(source, &["configMap"]) {
            named(w, "ConfigMapName", config);
        } else if let Some(token) = present(source, &["serviceAccountToken"]) {
            let seconds = meta::int_at(token, &["expirationSeconds"]).unwrap_or_default();
            w.field(2, "TokenExpirationSeconds", seconds);
        }
    }
}

fn downward_api(w: &mut Writer, source: &Value) {
    w.line(2, "Type:\tDownwardAPI (a volume populated by information about the pod)\n    Items:");
    for item in meta::list_at(source, &["items"]) {
        let path = meta::str_at(item, &["path"]);
        for origin in [["fieldRef", "fieldPath"], ["resourceFieldRef", "resource"]] {
            if present(item, &origin[..1]).is_some() {
                w.line(3, format_args!("{} -> {path}", meta::str_at(item, &origin)));
            }
        }
    }
}
