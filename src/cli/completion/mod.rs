//! `completion`: scripts that make shells complete command lines, and the protocol they speak.

mod complete;
mod directive;
mod plugins;
mod words;

use clap::Parser;

use super::context::Context;
use super::error::Result;
use super::verb::{Group, Run, Verb};
use crate::object::go::quote;

pub use complete::{requested, run};
pub use words::Words;

/// `completion`.
pub const VERB: Verb = Verb::of::<CompletionArgs>("completion", Group::Settings).words(Words::Fixed(&SHELLS));

/// The shells that kubectl has scripts for; elvish is our own.
const SHELLS: [&str; 4] = ["bash", "zsh", "fish", "powershell"];

/// Print the script that makes a shell (bash, zsh, fish, powershell, elvish) complete command lines.
///
/// bash: source <(PROGRAM completion bash). zsh: the same, or a file _PROGRAM in a folder of $fpath. fish: a file
/// PROGRAM.fish in ~/.config/fish/completions. PowerShell: PROGRAM completion powershell | Out-String |
/// Invoke-Expression. elvish: eval (PROGRAM completion elvish | slurp).
#[derive(Parser)]
pub struct CompletionArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    words: Vec<String>,
}

/// The script of a shell for a program of that name.
pub fn script(shell: &str, program: &str) -> Option<String> {
    let template = match shell {
        "bash" => include_str!("scripts/bash"),
        "zsh" => include_str!("scripts/zsh"),
        "fish" => include_str!("scripts/fish"),
        "powershell" => include_str!("scripts/powershell"),
        "elvish" => include_str!("scripts/elvish"),
        _ => return None,
    };
    Some(template.replace("{{function}}", &program.replace(['-', ' '], "_")).replace("{{program}}", program))
}

impl Run for CompletionArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let shell = match self.words.as_slice() {
            [] => return Err(cx.usage("Shell not specified.")),
            [shell] => shell,
            _ => return Err(cx.usage("Too many arguments. Expected only the shell type.")),
        };
        // As a plugin the program has a name of two words, which no shell completes.
        let program = cx.program.name.split(' ').next_back().unwrap_or_default();
        match script(shell, program) {
            Some(script) => cx.out(&script),
            None => Err(cx.usage(format!("Unsupported shell type {}.", quote(shell)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `KNARR_BLESS=1 cargo test` writes the files anew.
    #[test]
    fn the_files_in_completions_are_current() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("completions");
        for (shell, file) in [
            ("bash", "knarr.bash"),
            ("zsh", "_knarr"),
            ("fish", "knarr.fish"),
            ("powershell", "_knarr.ps1"),
            ("elvish", "knarr.elv"),
        ] {
            let script = script(shell, "knarr").expect("a shell that is supported");
            let file = folder.join(file);
            if std::env::var_os("KNARR_BLESS").is_some() {
                std::fs::write(&file, &script).expect("the folder can be written");
            }
            let kept = std::fs::read_to_string(&file).unwrap_or_default();
            assert!(kept == script, "{} is stale: KNARR_BLESS=1 cargo test writes it anew", file.display());
        }
    }

    #[test]
    fn scripts_name_the_program() {
        let script = script("bash", "kubectl-x").expect("bash");
        assert!(script.contains("complete -o default -F __kubectl_x_complete kubectl-x"), "{script}");
        assert!(!script.contains("{{"));
    }
}
