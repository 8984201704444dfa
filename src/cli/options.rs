//! `options`: the flags that every verb takes.

use clap::{Args, Parser};

use super::args::GlobalArgs;
use super::context::Context;
use super::error::Result;
use super::verb::Run;

/// Print the flags that every command takes.
#[derive(Parser)]
pub struct OptionsArgs {
    #[arg(hide = true)]
    words: Vec<String>,
}

impl Run for OptionsArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let command = GlobalArgs::augment_args(clap::Command::new("options")).disable_help_flag(true);
        let mut text = "The following options can be passed to any command:\n\n".to_owned();
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
            let long = arg.get_long().unwrap_or_default();
            let name = arg.get_short().map_or_else(|| format!("    --{long}"), |short| format!("-{short}, --{long}"));
            let value = arg.get_value_names().filter(|_| arg.get_action().takes_values());
            let value = value.and_then(|names| names.first()).map(|name| format!("={name}")).unwrap_or_default();
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            text.push_str(&format!("    {name}{value}:\n\t{help}\n\n"));
        }
        cx.out(&text)
    }
}
