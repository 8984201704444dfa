//! `--dry-run` and `--validate`.

use clap::Args;

use crate::cli::context::Context;
use crate::cli::error::{Error, Result};

/// How far a command goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DryRun {
    /// All the way.
    #[default]
    None,
    /// Nothing is sent that would change anything.
    Client,
    /// The server goes through all of it but keeps nothing.
    Server,
}

impl DryRun {
    /// What follows the verb in a result.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Client => " (dry run)",
            Self::Server => " (server dry run)",
        }
    }

    /// The query parameter's value, or empty.
    pub fn parameter(self) -> &'static str {
        if self == Self::Server { "All" } else { "" }
    }
}

/// `--dry-run`.
#[derive(Args, Clone, Debug, Default)]
pub struct DryRunArgs {
    /// none, client (send nothing) or server (send, but keep nothing)
    #[arg(long, value_name = "MODE", num_args = 0..=1, require_equals = true, default_value = "none",
          default_missing_value = "unchanged")]
    dry_run: String,
}

impl DryRunArgs {
    /// The mode; old spellings are warned of.
    ///
    /// # Errors
    /// A value that is none.
    pub fn mode(&self, cx: &Context) -> Result<DryRun> {
        let mode = self.parse(cx)?;
        if mode == DryRun::Client {
            cx.set_offline();
        }
        Ok(mode)
    }

    fn parse(&self, cx: &Context) -> Result<DryRun> {
        let value = self.dry_run.as_str();
        let (mode, name) = match value {
            "none" => return Ok(DryRun::None),
            "client" => return Ok(DryRun::Client),
            "server" => return Ok(DryRun::Server),
            "unchanged" => {
                cx.log('W', "helpers.go:728", "--dry-run is deprecated and can be replaced with --dry-run=client.")?;
                return Ok(DryRun::Client);
            }
            "1" | "t" | "T" | "TRUE" | "true" | "True" => (DryRun::Client, "client"),
            "0" | "f" | "F" | "FALSE" | "false" | "False" => (DryRun::None, "none"),
            _ => {
                return Err(Error::new(format!(
                    "Invalid dry-run value ({value}). Must be \"none\", \"server\", or \"client\"."
                )));
            }
        };
        let text =
            format!("--dry-run={value} is deprecated (boolean value) and can be replaced with --dry-run={name}.");
        cx.log('W', "helpers.go:738", &text)?;
        Ok(mode)
    }
}

/// `--validate`.
#[derive(Args, Clone, Debug, Default)]
pub struct ValidateArgs {
    /// strict (refuse unknown fields), warn or ignore
    #[arg(long, value_name = "MODE", num_args = 0..=1, require_equals = true, default_value = "strict",
          default_missing_value = "strict")]
    validate: String,
}

impl ValidateArgs {
    /// The `fieldValidation` parameter: `Strict`, `Warn` or `Ignore`.
    ///
    /// # Errors
    /// A value that is none.
    pub fn directive(&self) -> Result<&'static str> {
        match self.validate.as_str() {
            "true" | "strict" => Ok("Strict"),
            "warn" => Ok("Warn"),
            "false" | "ignore" => Ok("Ignore"),
            other => Err(Error::new(format!(
                "invalid - validate option \"{other}\"; must be one of: strict (or true), warn, ignore (or false)"
            ))),
        }
    }
}
