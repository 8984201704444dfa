//! `config`: reading and changing kubeconfig files.

use clap::Parser;

use super::verb::{Group, Verb};

/// `config`.
pub const VERB: Verb = Verb::family::<ConfigArgs>("config", Group::Settings, &[]);

/// Read and change kubeconfig files.
#[derive(Parser)]
pub struct ConfigArgs {
    #[arg(hide = true)]
    words: Vec<String>,
}
