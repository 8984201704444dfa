//! `knarr`: a kubectl-compatible command line with a Kubernetes API server inside.
//!
//! The library is layered; a module may use only the layers named for it in `docs/architecture.md`
//! (a test holds every `use crate::` against that table):
//!
//! | layer | modules |
//! |---|---|
//! | pure, no I/O, no async | [`object`], [`expressions`], [`manifest`], [`kinds`], [`patch`], [`output`], [`kustomize`] |
//! | talking to a server | [`kubeconfig`], [`client`], [`resource`], [`describe`] |
//! | being a server | [`apiserver`] |
//! | clients inside the cluster | [`controllers`], [`nodes`] |
//! | assembling a cluster | [`cluster`] |
//! | the command line | [`cli`] |

pub mod apiserver;
pub mod cli;
pub mod client;
pub mod cluster;
pub mod controllers;
pub mod describe;
pub mod expressions;
pub mod kinds;
pub mod kubeconfig;
pub mod kustomize;
pub mod manifest;
pub mod nodes;
pub mod object;
pub mod output;
pub mod patch;
pub mod resource;
#[doc(hidden)]
pub mod testing;
