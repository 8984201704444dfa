//! `__complete WORD…`: what may stand in the place of the last word.
//!
//! The protocol is that of cobra's completion scripts: one candidate a line, with its description after a tab, then
//! `:BITS` ([`Directive`]).

use clap::{Arg, Args, Command};

use super::directive::Directive;
use super::plugins;
use super::words::{self, Words};
use crate::cli::args::GlobalArgs;
use crate::cli::context::Context;
use crate::cli::error::Result;
use crate::cli::pflag::{self, Partial};
use crate::cli::verb::Verb;
use crate::cli::{VERBS, find, help};

/// Whether the words ask for completion, and whether with descriptions.
pub fn requested(words: &[String]) -> Option<bool> {
    match words.first().map(String::as_str) {
        Some("__complete") => Some(true),
        Some("__completeNoDesc") => Some(false),
        _ => None,
    }
}

/// Answers on standard output; what went wrong goes to the error stream, where shells do not look.
pub async fn run(cx: &mut Context, words: &[String], describe: bool) -> Result<()> {
    let (typed, before) = words.split_last().map_or(("", [].as_slice()), |(last, rest)| (last.as_str(), rest));
    let (candidates, directive) = match candidates(cx, before, typed).await {
        Ok(answer) => answer,
        Err(why) => {
            cx.err_line(format!("[Debug] [Error] {why}"))?;
            (Vec::new(), Directive::DEFAULT)
        }
    };
    for candidate in candidates {
        let line = candidate.lines().next().unwrap_or_default();
        let line = if describe { line } else { line.split('\t').next().unwrap_or_default() };
        cx.line(line.trim())?;
    }
    cx.line(format!(":{}", directive.bits()))?;
    cx.err_line(format!("Completion ended with directive: {directive}"))
}

/// The flag whose value the last word is.
struct FlagValue {
    name: String,
    typed: String,
    /// Words before it, without the flag itself.
    before: Vec<String>,
}

async fn candidates(cx: &mut Context, before: &[String], typed: &str) -> Result<words::Answer, String> {
    let found = match find(&cx.program.name.clone(), before) {
        Ok(found) => found,
        Err(_) => {
            let plugin = plugins::candidates(cx, before, typed);
            return plugin.ok_or_else(|| format!("unable to find a command for arguments: [{}]", before.join(" ")));
        }
    };
    let (verb, before) = match found {
        Some(found) => {
            cx.command_path.clone_from(&found.path);
            (Some(found.verb), found.words)
        }
        None => (None, before.to_vec()),
    };
    let command = GlobalArgs::augmented(verb.map_or_else(|| Command::new("program"), |verb| (verb.build)()));
    let value = flag_value(&command, &before, typed);
    let words = value.as_ref().map_or(&before, |value| &value.before);
    let parsed = match pflag::partial(&command, words) {
        Ok(Some(parsed)) => parsed,
        Ok(None) => return Ok((Vec::new(), Directive::NO_FILES)),
        Err(error) => return Err(format!("Error while parsing flags from args [{}]: {error}", words.join(" "))),
    };
    cx.globals = parsed.globals.clone();
    if let Some(value) = value.filter(|_| !parsed.after_dashes) {
        let Some(arg) = pflag::flag(&command, &value.name) else {
            let name = verb.map_or(cx.program.name.as_str(), |verb| verb.name);
            return Err(format!("Subcommand '{name}' does not support flag '{}'", value.name));
        };
        return Ok(values(cx, verb, arg, &parsed.words, &value.typed).await);
    }
    if typed.starts_with('-') && !typed.contains('=') && !parsed.after_dashes {
        return Ok((flags(&command, &parsed, typed), Directive::NO_FILES));
    }
    Ok(arguments(cx, verb, &command, &parsed, typed).await)
}

/// The flag whose value is being typed: the one before the last word, or the one in it before `=`.
fn flag_value(command: &Command, before: &[String], typed: &str) -> Option<FlagValue> {
    let last_letter = |group: &str| group.chars().last().map(String::from);
    if typed.starts_with('-') {
        let (flag, typed) = typed.split_once('=')?;
        let name = flag.strip_prefix("--").map(str::to_owned).or_else(|| last_letter(flag))?;
        return Some(FlagValue { name, typed: typed.to_owned(), before: before.to_vec() });
    }
    let (previous, before) = before.split_last()?;
    let is_flag = previous.len() > 1 && previous.starts_with('-') && previous != "--";
    if !is_flag || previous.contains('=') {
        return None;
    }
    let name = previous.strip_prefix("--").map(str::to_owned).or_else(|| last_letter(previous))?;
    let arg = pflag::flag(command, &name)?;
    (!pflag::optional_value(arg)).then(|| FlagValue { name, typed: typed.to_owned(), before: before.to_vec() })
}

/// Candidates for the value of a flag.
async fn values(cx: &Context, verb: Option<&Verb>, arg: &Arg, words: &[String], typed: &str) -> words::Answer {
    let name = arg.get_long().unwrap_or_default();
    let fixed = |words: &[&str]| {
        let found = words.iter().filter(|word| word.starts_with(typed)).map(ToString::to_string).collect();
        (found, Directive::NO_FILES)
    };
    match (verb.map_or("", |verb| verb.name), name) {
        (_, "namespace") => (words::names(cx, "namespace", typed).await, Directive::NO_FILES),
        (_, "context") => Words::Context.candidates(cx, &[], typed).await,
        (_, "cluster") => Words::Cluster.candidates(cx, &[], typed).await,
        (_, "user") => Words::User.candidates(cx, &[], typed).await,
        ("exec", "container") => match words.first() {
            Some(pod) => (words::containers(cx, pod, typed).await, Directive::NO_FILES),
            None => (Vec::new(), Directive::NO_FILES),
        },
        ("get", "output") => fixed(&GET_FORMATS),
        (_, "clusterrole") => (words::names(cx, "clusterrole", typed).await, Directive::NO_FILES),
        (_, "subresource") => fixed(&["status", "scale", "resize"]),
        (_, "filename") => (["json", "yaml", "yml"].map(String::from).to_vec(), Directive::FILE_ENDINGS),
        _ => (Vec::new(), Directive::DEFAULT),
    }
}

/// The formats of `get`, in the order in which they are offered.
const GET_FORMATS: [&str; 14] = [
    "json",
    "yaml",
    "kyaml",
    "name",
    "go-template",
    "go-template-file",
    "template",
    "templatefile",
    "jsonpath",
    "jsonpath-as-json",
    "jsonpath-file",
    "custom-columns",
    "custom-columns-file",
    "wide",
];

/// A flag's names with its description.
fn spellings(arg: &Arg, typed: &str) -> Vec<String> {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let long = arg.get_long().map(|long| format!("--{long}"));
    let short = arg.get_short().map(|short| format!("-{short}"));
    let names = long.into_iter().chain(short).filter(|name| name.starts_with(typed));
    names.map(|name| if help.is_empty() { name } else { format!("{name}\t{help}") }).collect()
}

fn required(command: &Command, parsed: &Partial, typed: &str) -> Vec<String> {
    let missing = |arg: &&Arg| !arg.is_positional() && arg.is_required_set() && !parsed.has(arg);
    command.get_arguments().filter(missing).flat_map(|arg| spellings(arg, typed)).collect()
}

/// The flags that begin so; the required ones alone while they are missing.
fn flags(command: &Command, parsed: &Partial, typed: &str) -> Vec<String> {
    let found = required(command, parsed, typed);
    if !found.is_empty() {
        return found;
    }
    let repeats = |arg: &Arg| matches!(arg.get_action(), clap::ArgAction::Append);
    let mut args: Vec<&Arg> = command
        .get_arguments()
        .filter(|arg| !arg.is_positional() && !arg.is_hide_set() && (repeats(arg) || !parsed.has(arg)))
        .collect();
    // The flags of every verb come first, each part sorted.
    let globals = GlobalArgs::augment_args(Command::new("globals"));
    let global = |arg: &Arg| globals.get_arguments().any(|other| other.get_id() == arg.get_id());
    args.sort_by_key(|arg| (!global(arg), arg.get_long().unwrap_or_default().to_owned()));
    args.into_iter().flat_map(|arg| spellings(arg, typed)).collect()
}

/// Whether a built-in verb has that name.
fn is_built_in(word: &str) -> bool {
    crate::cli::verb::find(VERBS, word).is_some()
}

/// Candidates for a word that is no flag.
async fn arguments(
    cx: &Context,
    verb: Option<&Verb>,
    command: &Command,
    parsed: &Partial,
    typed: &str,
) -> words::Answer {
    let mut found = Vec::new();
    let mut directive = Directive::DEFAULT;
    let children = verb.map_or(VERBS, |verb| verb.children);
    let own_flags = verb.is_some_and(|verb| (verb.build)().get_arguments().any(|arg| parsed.has(arg)));
    if parsed.words.is_empty() && !own_flags && !children.is_empty() {
        let mut children: Vec<&Verb> =
            children.iter().filter(|child| !child.hidden || (verb.is_none() && child.name == "help")).collect();
        children.sort_by_key(|child| child.name);
        let begun = children.into_iter().filter(|child| child.name.starts_with(typed));
        found.extend(begun.map(|child| format!("{}\t{}", child.name, help::about(child))));
        if verb.is_none() {
            let known = |line: &String| is_built_in(line.split('\t').next().unwrap_or_default());
            found.extend(plugins::first_words(cx, typed).into_iter().filter(|line| !known(line)));
            found.sort_by(|a, b| a.split('\t').next().cmp(&b.split('\t').next()));
        }
        directive = Directive::NO_FILES;
    }
    found.extend(required(command, parsed, typed));
    let words = verb.map(|verb| verb.words).unwrap_or_default();
    if words != Words::Any {
        let (more, chosen) = words.candidates(cx, &parsed.words, typed).await;
        found.extend(more);
        directive = chosen;
    }
    (found, directive)
}
