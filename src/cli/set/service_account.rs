//! `set serviceaccount`.

use clap::Parser;

use super::{LOCAL_OR_SERVER, Manner, SetArgs, plan};
use crate::cli::args::DryRun;
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::mutate::pod_spec_path;
use crate::cli::verb::Run;
use crate::object::meta;

/// Set the service account that pods run under.
#[derive(Parser)]
pub struct ServiceAccountArgs {
    /// Types and names, then the account
    #[arg(value_name = "TYPE[/NAME] SERVICEACCOUNT")]
    words: Vec<String>,
    #[command(flatten)]
    common: SetArgs,
}

impl Run for ServiceAccountArgs {
    async fn run(mut self, cx: &Context) -> Result<()> {
        let setting = self.common.begin(cx, "serviceaccount updated")?;
        if self.common.local && setting.dry_run() == DryRun::Server {
            return Err(Error::new(LOCAL_OR_SERVER));
        }
        let account = self.words.pop().ok_or_else(|| Error::new("serviceaccount is required"))?;
        if self.common.local {
            self.words.clear();
        }
        let targets = self.common.find(cx, &self.words, "").await?;
        let planned = plan(targets, |object| {
            let path = pod_spec_path(object)?;
            let name: Vec<&str> = path.iter().copied().chain(["serviceAccountName"]).collect();
            meta::set(object, &name, account.clone());
            Ok(true)
        });
        let manner = Manner { failure: "failed to patch ServiceAccountName ", send_empty: true };
        setting.finish(planned, &manner, Vec::new()).await
    }
}
