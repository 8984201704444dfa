//! Help texts, made from the descriptions of the arguments.

use clap::Parser;

use super::context::Context;
use super::error::Result;
use super::verb::{self, Group, Run, Verb};
use super::{VERBS, pflag};

/// Show what a command does.
#[derive(Parser)]
pub struct HelpArgs {
    /// The command
    words: Vec<String>,
}

impl Run for HelpArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let program = &cx.program.name;
        match super::find(program, &self.words) {
            Ok(None) => cx.out(&program_text(program)),
            Ok(Some(found)) => cx.out(&text(found.verb, &found.path)),
            Err(_) => {
                let topics: Vec<String> = self.words.iter().map(|word| format!("`{word}`")).collect();
                cx.err(&format!("Unknown help topic [{}]\n{}", topics.join(" "), program_text(program)))
            }
        }
    }
}

const GROUPS: [(Group, &str); 8] = [
    (Group::Basic, "Basic Commands (Beginner):"),
    (Group::Intermediate, "Basic Commands (Intermediate):"),
    (Group::Deploy, "Deploy Commands:"),
    (Group::Cluster, "Cluster Management Commands:"),
    (Group::Troubleshooting, "Troubleshooting and Debugging Commands:"),
    (Group::Advanced, "Advanced Commands:"),
    (Group::Settings, "Settings Commands:"),
    (Group::Other, "Other Commands:"),
];

/// The first line of a verb's help.
pub fn about(verb: &Verb) -> String {
    (verb.build)().get_about().map(ToString::to_string).unwrap_or_default().trim_end_matches('.').to_owned()
}

fn listing(verbs: &[Verb], wanted: impl Fn(&&Verb) -> bool) -> String {
    let verbs: Vec<&Verb> = verbs.iter().filter(|verb| !verb.hidden).filter(wanted).collect();
    let width = verbs.iter().map(|verb| verb.name.len()).max().unwrap_or_default();
    verbs.iter().map(|verb| format!("  {:width$}  {}\n", verb.name, about(verb))).collect()
}

fn program_text(program: &str) -> String {
    let mut text = format!("{program} works with Kubernetes clusters, remote or embedded.\n\n");
    for (group, heading) in GROUPS {
        let lines = listing(VERBS, |verb| verb.group == group);
        if !lines.is_empty() {
            text.push_str(&format!("{heading}\n{lines}\n"));
        }
    }
    text.push_str(&format!(
        "Usage:\n  {program} [flags] [options]\n\nUse \"{program} <command> --help\" for more information about a given \
         command.\nUse \"{program} options\" for a list of global command-line options (applies to all commands).\n"
    ));
    text
}

/// The help of a verb.
pub fn text(verb: &Verb, path: &str) -> String {
    let program = path.split(' ').next().unwrap_or_default();
    let mut command = (verb.build)().disable_help_flag(true).no_binary_name(true).name(path.to_owned());
    let mut text = command.render_long_help().to_string();
    if !verb.children.is_empty() {
        text.push_str(&format!("\nAvailable Commands:\n{}", listing(verb.children, |_| true)));
    }
    text.push_str(&format!(
        "\nUse \"{program} options\" for a list of global command-line options (applies to all commands).\n"
    ));
    text
}

/// The verbs under their headings, as the page on commands lists them.
#[cfg(test)]
pub fn page() -> String {
    fn rows(verbs: &[Verb], path: &str, text: &mut String) {
        for verb in verbs.iter().filter(|verb| !verb.hidden) {
            let name = format!("{path}{}", verb.name);
            text.push_str(&format!("| `{name}` | {} |\n", about(verb)));
            rows(verb.children, &format!("{name} "), text);
        }
    }
    let mut page = String::new();
    for (group, heading) in GROUPS {
        page.push_str(&format!("\n### {}\n\n| command | what it does |\n|---|---|\n", heading.trim_end_matches(':')));
        for verb in VERBS.iter().filter(|verb| verb.group == group) {
            rows(std::slice::from_ref(verb), "", &mut page);
        }
    }
    page
}

/// Prints the help of a verb.
pub fn verb(cx: &Context, verb: &Verb, path: &str) -> Result<()> {
    cx.out(&text(verb, path))?;
    Ok(cx.streams.flush()?)
}

/// The program by itself: its help, unless flags are wrong.
pub fn program(cx: &Context, words: &[String]) -> Result<()> {
    use clap::Args;
    let command = super::GlobalArgs::augment_args(clap::Command::new(cx.program.name.clone()));
    pflag::parse(command, &cx.program.name, words)?;
    cx.out(&program_text(&cx.program.name))?;
    Ok(cx.streams.flush()?)
}

/// The names of all verbs and of those below them, for listings and checks.
pub fn is_verb(words: &[&str]) -> bool {
    let mut verbs = VERBS;
    words.iter().all(|word| match verb::find(verbs, word) {
        Some(found) => {
            verbs = found.children;
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    const MARK: &str = "<!-- What follows is written by the test `the_page_on_commands_is_current`. -->\n";

    /// `KNARR_BLESS=1 cargo test` writes the list anew.
    #[test]
    fn the_page_on_commands_is_current() {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/commands.md");
        let kept = std::fs::read_to_string(&file).expect("the page");
        let (before, list) = kept.split_once(MARK).expect("the mark");
        let page = super::page();
        if std::env::var_os("KNARR_BLESS").is_some() {
            std::fs::write(&file, format!("{before}{MARK}{page}")).expect("the page can be written");
        } else {
            assert!(list == page, "docs/commands.md is stale: KNARR_BLESS=1 cargo test writes it anew");
        }
    }
}
