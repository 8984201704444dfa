//! Controllers: one file each, level-triggered, clients of the API like any other.
//!
//! A controller is a pure function from the cached state, a key and the time to [`runtime::Action`]s
//! (see [`runtime::Controller`]); the runtime lists, watches, queues, writes and retries. A new one is a file here and a
//! line in [`housekeeping`] or [`workloads`].

pub mod accounts;
pub mod cronjob;
pub mod csr;
pub mod csr_approver;
pub mod csr_cleaner;
pub mod daemonset;
pub mod deployment;
pub mod disruption;
pub mod endpoints;
pub mod eviction;
pub mod garbage;
mod history;
pub mod job;
pub mod namespaces;
pub mod node_taints;
pub mod placement;
pub mod podautoscaler;
pub mod pods;
pub mod policy_status;
pub mod quota;
pub mod replicaset;
pub mod roles;
pub mod runtime;
pub mod statefulset;
pub mod tokens;
pub mod volumes;

use runtime::Controller;

/// What the controllers need to know of their cluster.
#[derive(Clone, Default)]
pub struct Settings {
    /// The certificate of the cluster's authority (PEM), published in every namespace.
    pub root_certificate: String,
    /// The key of that certificate (PEM), with which certificates are signed.
    pub root_key: String,
}

/// The controllers that keep namespaces, accounts and ownership in order and start nothing.
pub fn housekeeping(settings: &Settings) -> Vec<Box<dyn Controller>> {
    vec![
        Box::new(namespaces::Namespaces),
        Box::new(accounts::ServiceAccounts),
        Box::new(accounts::RootCertificates { certificate: settings.root_certificate.clone() }),
        Box::new(tokens::Tokens { certificate: settings.root_certificate.clone() }),
        Box::new(garbage::GarbageCollector),
        Box::new(roles::ClusterRoleAggregation),
        Box::new(volumes::ClaimProtection),
        Box::new(volumes::VolumeProtection),
        Box::new(accounts::ControllerAccounts { names: accounts::OF_HOUSEKEEPING }),
    ]
}

/// The controllers of workloads, services, quotas and certificates.
pub fn workloads(settings: &Settings) -> Vec<Box<dyn Controller>> {
    vec![
        Box::new(accounts::ControllerAccounts { names: accounts::OF_WORKLOADS }),
        Box::new(replicaset::ReplicaSets::of_replica_sets()),
        Box::new(replicaset::ReplicaSets::of_replication_controllers()),
        Box::new(deployment::Deployments),
        Box::new(job::Jobs),
        Box::new(daemonset::DaemonSets),
        Box::new(statefulset::StatefulSets),
        Box::new(cronjob::CronJobs),
        Box::new(disruption::Disruptions),
        Box::new(podautoscaler::PodAutoscalers),
        Box::new(quota::Quotas),
        Box::new(csr::CertificateSigner {
            certificate: settings.root_certificate.clone(),
            key: settings.root_key.clone(),
        }),
        Box::new(csr_approver::CertificateApprover),
        Box::new(csr_cleaner::CertificateCleaner),
        Box::new(policy_status::PolicyStatus),
        Box::new(endpoints::Endpoints),
        Box::new(endpoints::EndpointSlices),
        Box::new(endpoints::EndpointSliceMirroring),
        Box::new(volumes::VolumeBinder),
        Box::new(volumes::ephemeral::EphemeralVolumes),
        Box::new(volumes::VolumeExpander),
        Box::new(node_taints::NodeTaints),
        Box::new(node_taints::NodeTtl),
        Box::new(eviction::TaintEviction),
        Box::new(eviction::PodGarbage),
    ]
}
