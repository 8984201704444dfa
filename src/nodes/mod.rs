//! The scheduler and the simulated nodes.
//!
//! Nodes are objects like any other; [`kubelet::Kubelet`] plays the kubelet of all of them, [`register`] makes them
//! when a cluster is new, [`logs`] tells what their containers "printed", and [`shell`] plays commands in them.

pub mod attach;
pub mod container;
pub mod kubelet;
pub mod lease;
pub mod logs;
pub mod register;
pub mod scheduler;
pub mod shell;
