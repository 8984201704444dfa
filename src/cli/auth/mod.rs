//! `auth`: who one is and what one may do.

mod can_i;
mod reconcile;
mod who_am_i;

use clap::Parser;

use super::verb::{Group, Verb};

/// `auth`.
pub const VERB: Verb = Verb::family::<AuthFamily>("auth", Group::Troubleshooting, CHILDREN);

const CHILDREN: &[Verb] = &[
    Verb::of::<can_i::CanIArgs>("can-i", Group::Troubleshooting),
    Verb::of::<reconcile::ReconcileArgs>("reconcile", Group::Troubleshooting),
    Verb::of::<who_am_i::WhoAmIArgs>("whoami", Group::Troubleshooting),
];

/// See who you are and what you may do.
#[derive(Parser)]
pub struct AuthFamily {
    #[arg(hide = true)]
    words: Vec<String>,
}
