//! The command line: one file or folder per verb, with its arguments and its `run`.
//!
//! To add a verb: a file with a clap struct that implements [`verb::Run`], and one line in [`VERBS`].

pub mod args;
pub mod context;
pub mod error;
pub mod pflag;
pub mod streams;
pub mod verb;

mod annotate;
mod api_resources;
mod apply;
pub mod attach;
mod auth;
mod autoscale;
mod certificate;
mod change;
mod cluster;
mod cluster_info;
mod completion;
mod config;
mod cp;
mod create;
mod debug;
mod delete;
mod describe;
mod diff;
mod edit;
mod events;
mod exec;
mod explain;
mod expose;
mod get;
mod help;
mod kuberc;
mod kustomize;
mod label;
mod labels;
mod logs;
mod mutate;
mod node;
mod options;
mod patch;
mod place;
mod plugin;
mod port_forward;
mod progress;
mod proxy;
pub mod remote;
mod replace;
mod rollout;
mod run;
mod scale;
mod set;
mod targets;
mod top;
mod version;
mod wait;

use std::ffi::OsString;

use clap::FromArgMatches;
use clap::parser::ValueSource;

use args::GlobalArgs;
use completion::Words;
pub use context::{Context, Program};
pub use error::{Error, Result};
use pflag::Parsed;
pub use streams::{Env, Streams};
use verb::{Group, Verb};

/// Every verb.
pub static VERBS: &[Verb] = &[
    create::VERB,
    Verb::of::<expose::ExposeArgs>("expose", Group::Basic).words(Words::Resources(&[
        "pod",
        "service",
        "replicationcontroller",
        "deployment",
        "replicaset",
    ])),
    Verb::of::<run::RunArgs>("run", Group::Basic),
    Verb::of::<explain::ExplainArgs>("explain", Group::Intermediate),
    set::VERB,
    Verb::of::<get::GetArgs>("get", Group::Intermediate).suggest_for(&["list", "ls"]).words(Words::Resources(&[])),
    Verb::of::<delete::DeleteArgs>("delete", Group::Intermediate)
        .suggest_for(&["rm", "remove"])
        .words(Words::Resources(&[])),
    rollout::VERB,
    Verb::of::<scale::ScaleArgs>("scale", Group::Deploy).suggest_for(&["resize"]).words(Words::Resources(&[
        "deployment",
        "replicaset",
        "replicationcontroller",
        "statefulset",
    ])),
    Verb::of::<autoscale::AutoscaleArgs>("autoscale", Group::Deploy).words(Words::Resources(&[
        "deployment",
        "replicaset",
        "replicationcontroller",
        "statefulset",
    ])),
    Verb::of::<node::CordonArgs>("cordon", Group::Cluster).words(Words::Name("nodes")),
    Verb::of::<node::UncordonArgs>("uncordon", Group::Cluster).words(Words::Name("nodes")),
    Verb::of::<node::DrainArgs>("drain", Group::Cluster).words(Words::Name("nodes")),
    Verb::of::<node::TaintArgs>("taint", Group::Cluster).words(Words::Resources(&["node"])),
    Verb::of::<logs::LogsArgs>("logs", Group::Troubleshooting).words(Words::PodContainer),
    Verb::of::<attach::AttachArgs>("attach", Group::Troubleshooting).words(Words::Pod),
    Verb::of::<exec::ExecArgs>("exec", Group::Troubleshooting).words(Words::Pod),
    Verb::of::<port_forward::PortForwardArgs>("port-forward", Group::Troubleshooting).words(Words::Ports),
    Verb::of::<proxy::ProxyArgs>("proxy", Group::Troubleshooting),
    Verb::of::<cp::CpArgs>("cp", Group::Troubleshooting),
    auth::VERB,
    certificate::VERB,
    top::VERB,
    Verb::of::<events::EventsArgs>("events", Group::Troubleshooting),
    cluster::VERB,
    cluster_info::VERB,
    debug::VERB,
    Verb::of::<describe::DescribeArgs>("describe", Group::Troubleshooting)
        .suggest_for(&["inspect"])
        .words(Words::Resources(&[])),
    apply::VERB,
    Verb::of::<replace::ReplaceArgs>("replace", Group::Advanced).suggest_for(&["update"]),
    Verb::of::<label::LabelArgs>("label", Group::Settings).words(Words::Resources(&[])),
    Verb::of::<annotate::AnnotateArgs>("annotate", Group::Settings).words(Words::Resources(&[])),
    Verb::of::<patch::PatchArgs>("patch", Group::Advanced).words(Words::Resources(&[])),
    Verb::of::<wait::WaitArgs>("wait", Group::Advanced),
    Verb::of::<edit::EditArgs>("edit", Group::Intermediate).words(Words::Resources(&[])),
    Verb::of::<diff::DiffArgs>("diff", Group::Advanced).misuse_code(2),
    Verb::of::<kustomize::KustomizeArgs>("kustomize", Group::Advanced),
    config::VERB,
    kuberc::VERB,
    completion::VERB,
    plugin::VERB,
    Verb::of::<api_resources::ApiResourcesArgs>("api-resources", Group::Other),
    Verb::of::<api_resources::ApiVersionsArgs>("api-versions", Group::Other),
    Verb::of::<version::VersionArgs>("version", Group::Other),
    Verb::of::<options::OptionsArgs>("options", Group::Other).hidden(),
    Verb::of::<help::HelpArgs>("help", Group::Other).hidden(),
];

/// Runs one command line: `args` with the program's name first. Gives the exit code.
pub fn run(args: Vec<OsString>, streams: Streams, env: Env) -> u8 {
    let mut args = args.into_iter().map(|arg| arg.to_string_lossy().into_owned());
    let program = Program::named(&args.next().unwrap_or_default());
    let words: Vec<String> = args.collect();
    run_in(&mut Context::new(program, streams, env), &words)
}

/// Runs the words after the program's name in surroundings that are there already. Gives the exit code.
pub fn run_in(cx: &mut Context, words: &[String]) -> u8 {
    let outcome = dispatch(cx, words);
    let outcome = outcome
        .and_then(|()| cx.tell_warnings())
        .and_then(|()| Ok(cx.streams.flush()?))
        .and_then(|()| cx.warnings_as_errors());
    let Err(error) = outcome else { return 0 };
    cx.tell_warnings().ok();
    let mut text = error.render();
    if !cx.program.exact {
        let hints = error.hints().iter().map(String::as_str).chain(cx.where_to_go(&error));
        text.extend(hints.map(|hint| format!("hint: {hint}\n")));
    }
    // Nobody is left to tell when the error stream itself is gone.
    cx.streams.write_err(text.as_bytes()).ok();
    error.code()
}

/// What the words lead to: the verb, the words that named it, and what is left for it.
struct Found {
    verb: &'static Verb,
    path: String,
    words: Vec<String>,
    /// Whether the last word of the path is an alias of the user's.
    alias: bool,
}

impl Found {
    /// Whether the verb has nothing to do with a server.
    fn asks_nobody(&self) -> bool {
        let first = self.path.split(' ').nth(1).unwrap_or_default();
        matches!(first, "cluster" | "completion" | "config" | "help" | "kuberc" | "kustomize" | "options" | "plugin")
    }
}

/// Walks from `verbs` down as far as words name verbs; flags may stand between. `None` is the program itself.
fn find(program: &str, words: &[String]) -> Result<Option<Found>, String> {
    let mut words = words.to_vec();
    let mut path = program.to_owned();
    let mut found: Option<&'static Verb> = None;
    loop {
        let children = found.map_or(VERBS, |verb| verb.children);
        let Some(at) = first_word(&words, found) else { break };
        let Some(next) = verb::find(children, &words[at]) else {
            if found.is_none() {
                return Err(words[at].clone());
            }
            break;
        };
        words.remove(at);
        path = format!("{path} {}", next.name);
        found = Some(next);
        if next.children.is_empty() {
            break;
        }
    }
    Ok(found.map(|verb| Found { verb, path, words, alias: false }))
}

/// Position of the first word that is neither a flag nor a flag's value.
fn first_word(words: &[String], verb: Option<&'static Verb>) -> Option<usize> {
    if words.first().is_some_and(|word| !word.is_empty() && !word.starts_with('-')) {
        return Some(0);
    }
    let command = GlobalArgs::augmented(verb.map_or_else(|| clap::Command::new(""), |verb| (verb.build)()));
    let mut at = 0;
    while let Some(word) = words.get(at) {
        match word.as_str() {
            "--" => return None,
            word if word.len() > 1 && word.starts_with('-') => at += 1 + usize::from(pflag::takes_next(&command, word)),
            "" => at += 1,
            _ => return Some(at),
        }
    }
    None
}

fn dispatch(cx: &mut Context, words: &[String]) -> Result<()> {
    if let Some(describe) = completion::requested(words) {
        return block_on(async {
            let outcome = completion::run(cx, &words[1..], describe).await;
            cx.close().await;
            outcome
        });
    }
    let program = cx.program.name.clone();
    let preference = kuberc::load(cx, words)?.unwrap_or_default();
    cx.plugins = preference.plugin_policy();
    let mut found = match find(&program, words) {
        Ok(Some(found)) => found,
        Ok(None) => return help::program(cx, words),
        Err(word) => match kuberc::alias(cx, &preference, words)? {
            Some(found) => found,
            None => {
                plugin::run(cx, words, 1)?;
                return Err(unknown_command(&program, &word));
            }
        },
    };
    kuberc::defaults(cx, &preference, &mut found)?;
    // A verb of one's own below `create`.
    if found.verb.name == "create" && found.words.first().is_some_and(|word| !word.starts_with('-')) {
        plugin::run(cx, words, words.len() - found.words.len() + 1)?;
    }
    cx.command_path.clone_from(&found.path);
    let command = GlobalArgs::augmented((found.verb.build)());
    let parsed = pflag::parse(command, &found.path, &found.words);
    let (matches, dash_at) = match parsed.map_err(|error| found.verb.misused(&found.path, error))? {
        Parsed::Help => return help::verb(cx, found.verb, &found.path),
        Parsed::Matches { matches, dash_at } => (matches, dash_at),
    };
    cx.globals = GlobalArgs::from_arg_matches(&matches).map_err(|error| pflag::from_clap(&error, &found.path))?;
    cx.dash_at = dash_at;
    if matches.ids().any(|id| id == "record") && matches.value_source("record") == Some(ValueSource::CommandLine) {
        cx.err_line("Flag --record has been deprecated, --record will be removed in the future")?;
    }
    let Some(run) = found.verb.run else {
        let rest: Vec<&str> =
            matches.get_many::<String>("words").map(|words| words.map(String::as_str).collect()).unwrap_or_default();
        if !rest.is_empty() {
            let unknown = format!("unknown command {}", crate::object::go::quote(&rest.join(" ")));
            return Err(Error::usage(&found.path, unknown));
        }
        cx.streams.write_err(help::text(found.verb, &found.path).as_bytes())?;
        return Err(Error::silent(1));
    };
    let matching = cx.globals.match_server_version && !found.asks_nobody();
    block_on(async {
        let outcome = match matching {
            true => version::check_match(cx).await,
            false => Ok(()),
        };
        let outcome = match outcome {
            Ok(()) => run(*matches, cx).await,
            refused => refused,
        };
        cx.close().await;
        outcome
    })
}

/// Runs a command to its end.
fn block_on(command: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(command);
    // What still runs in the background, such as a reader of standard input, must not hold the exit back.
    runtime.shutdown_background();
    outcome
}

fn unknown_command(program: &str, word: &str) -> Error {
    let mut message =
        format!("unknown command {} for {}", crate::object::go::quote(word), crate::object::go::quote(program));
    let near = verb::suggestions(VERBS, word);
    if !near.is_empty() {
        message.push_str("\n\nDid you mean this?\n");
        message.extend(near.iter().map(|name| format!("\t{name}\n")));
    }
    Error::new(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_goes_with_the_flags_of_all() {
        fn check(verbs: &[Verb]) {
            for verb in verbs {
                GlobalArgs::augmented((verb.build)()).name(verb.name).debug_assert();
                check(verb.children);
            }
        }
        check(VERBS);
    }

    /// Each line of the table is a verb of kubectl 1.36 with its flags: `get: output/o watch/w …`.
    #[test]
    fn every_flag_of_kubectl_is_known() {
        let mut missing = Vec::new();
        for line in include_str!("kubectl_flags.txt").lines() {
            let (path, flags) = line.split_once(": ").unwrap_or((line, ""));
            let words: Vec<String> = path.split(' ').filter(|word| *word != "*").map(str::to_owned).collect();
            let own = match find("kubectl", &words) {
                Ok(Some(found)) if found.words.is_empty() => (found.verb.build)(),
                Ok(None) => clap::Command::new("kubectl"),
                _ => {
                    missing.push(path.to_owned());
                    continue;
                }
            };
            let command = GlobalArgs::augmented(own);
            for flag in flags.split(' ').filter(|flag| !flag.is_empty()) {
                let (long, short) =
                    flag.split_once('/').map_or((flag, None), |(long, short)| (long, short.chars().next()));
                let known = pflag::flag(&command, long).is_some_and(|arg| {
                    short.is_none_or(|short| pflag::flag(&command, &short.to_string()).is_some_and(|by| by == arg))
                });
                if !known {
                    missing.push(format!("{path} --{flag}"));
                }
            }
        }
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn flags_may_stand_before_the_verb() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let found = find("kubectl", &words("-n x config --context y view -o json")).expect("known").expect("a verb");
        assert_eq!(found.path, "kubectl config view");
        assert_eq!(found.words, words("-n x --context y -o json"));
        assert_eq!(find("kubectl", &words("--nosuch config view")).err().as_deref(), Some("view"));
        assert!(find("kubectl", &words("--help")).expect("known").is_none());
    }
}
