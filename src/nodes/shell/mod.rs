//! The shell of simulated containers: a small set of commands that answer truthfully from what a container would see,
//! and a clear word for all others.

mod archive;
mod commands;
mod io;
mod text;
mod words;

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::container::Container;
use super::container::files::absolute;
pub use commands::command_names;
pub use io::{Input, Io, Line, Sink};
use words::{Call, Part, Pipeline, Redirect, When, Word};

/// The exit code of a command that is not there.
const NOT_FOUND: u8 = 127;
/// The exit code of a command that Ctrl-C ended.
const INTERRUPTED: u8 = 130;
/// How deep shells may call shells.
const DEEP: usize = 8;
/// Names of the shell.
const SHELLS: [&str; 4] = ["sh", "bash", "ash", "dash"];

/// Whether a command is one that can be played.
pub fn is_known(command: &str) -> bool {
    let name = command.strip_prefix("/usr/bin/").or(command.strip_prefix("/bin/")).unwrap_or(command);
    SHELLS.contains(&name) || command_names().any(|known| known == name)
}

/// A process of a simulated container.
pub struct Shell {
    container: Container,
    folder: String,
    variables: BTreeMap<String, String>,
    /// Names of variables that commands do not see.
    private: Vec<String>,
    last: u8,
    exit: Option<u8>,
    depth: usize,
}

impl Shell {
    /// A process in `container`.
    pub fn new(container: Container) -> Self {
        let variables = container.env.iter().cloned().collect();
        let folder = absolute("/", &container.folder);
        Self { container, folder, variables, private: Vec::new(), last: 0, exit: None, depth: 0 }
    }

    /// The container.
    pub fn container(&self) -> &Container {
        &self.container
    }

    /// Runs a command; gives its exit code.
    pub async fn run(&mut self, command: Vec<String>, io: &mut Io) -> u8 {
        self.program(command, io).await
    }

    /// Boxed, because a shell may run a shell.
    fn program<'a>(&'a mut self, command: Vec<String>, io: &'a mut Io) -> BoxFuture<'a, u8> {
        Box::pin(async move {
            let Some((name, args)) = command.split_first() else { return 0 };
            let program = name.strip_prefix("/usr/bin/").or(name.strip_prefix("/bin/")).unwrap_or(name);
            match program {
                "cd" => self.change_folder(args, io).await,
                "exit" => {
                    let code = args.first().and_then(|code| code.parse::<i64>().ok()).map(|code| code.rem_euclid(256));
                    let code = code.and_then(|code| u8::try_from(code).ok()).unwrap_or(self.last);
                    self.exit = Some(code);
                    code
                }
                "export" => self.export(args),
                "unset" => {
                    args.iter().for_each(|name| drop(self.variables.remove(name)));
                    0
                }
                "exec" => {
                    let code = self.program(args.to_vec(), io).await;
                    self.exit = Some(code);
                    code
                }
                "sleep" => sleep(args, io).await,
                _ if SHELLS.contains(&program) => self.shell(args, io).await,
                _ => self.command(program, args, io).await,
            }
        })
    }

    async fn command(&mut self, name: &str, args: &[String], io: &mut Io) -> u8 {
        let Some(command) = commands::find(name) else {
            let text = format!(
                "{name}: not found: node {} is simulated and runs no images; its containers know {}\n",
                self.container.node,
                command_names().collect::<Vec<_>>().join(", ")
            );
            io.sink.err(text.as_bytes()).await;
            return NOT_FOUND;
        };
        let stdin = if (command.reads)(args) { io.input.all().await } else { Vec::new() };
        let seen = self.variables.iter().filter(|(name, _)| !self.private.contains(name));
        let env = seen.map(|(name, value)| (name.clone(), value.clone())).collect();
        let mut process = commands::Process {
            name,
            args,
            container: &self.container,
            folder: &self.folder,
            env,
            stdin,
            now: chrono::Utc::now(),
            out: Vec::new(),
            err: Vec::new(),
        };
        let code = (command.run)(&mut process);
        let (out, err) = (process.out, process.err);
        io.sink.out(&out).await;
        io.sink.err(&err).await;
        code
    }

    async fn change_folder(&mut self, args: &[String], io: &mut Io) -> u8 {
        let home = self.variables.get("HOME").cloned().unwrap_or_else(|| "/".into());
        let wanted = args.first().unwrap_or(&home);
        let folder = absolute(&self.folder, wanted);
        match self.container.files.list(&folder) {
            Ok(_) => {
                self.variables.insert("PWD".into(), folder.clone());
                self.folder = folder;
                0
            }
            Err(error) => {
                io.sink.err(format!("sh: cd: can't cd to {wanted}: {error}\n").as_bytes()).await;
                1
            }
        }
    }

    fn export(&mut self, args: &[String]) -> u8 {
        for arg in args {
            let name = arg.split('=').next().unwrap_or_default();
            self.private.retain(|known| known != name);
            if let Some((name, value)) = arg.split_once('=') {
                self.variables.insert(name.to_owned(), value.to_owned());
            }
        }
        0
    }

    /// `sh`, with a text to run, a file, or whatever comes by standard input.
    async fn shell(&mut self, args: &[String], io: &mut Io) -> u8 {
        if self.depth >= DEEP {
            io.sink.err(b"sh: too many shells\n").await;
            return 2;
        }
        let options = args.iter().take_while(|arg| arg.starts_with('-') && arg.len() > 1).count();
        let runs_text = args.iter().take(options).any(|arg| !arg.starts_with("--") && arg.contains('c'));
        let rest = args.get(options..).unwrap_or_default();
        self.depth += 1;
        let (folder, variables, private) = (self.folder.clone(), self.variables.clone(), self.private.clone());
        let code = match rest.first() {
            Some(text) if runs_text => self.text(&text.clone(), io).await,
            None if runs_text => {
                io.sink.err(b"sh: -c requires an argument\n").await;
                2
            }
            Some(file) => match self.container.files.read(&absolute(&self.folder, file)) {
                Ok(bytes) => self.text(&String::from_utf8_lossy(&bytes), io).await,
                Err(error) => {
                    io.sink.err(format!("sh: can't open '{file}': {error}\n").as_bytes()).await;
                    NOT_FOUND
                }
            },
            None => self.lines(io).await,
        };
        // What a shell of one's own changes ends with it.
        (self.folder, self.variables, self.private) = (folder, variables, private);
        self.depth -= 1;
        self.exit.take().unwrap_or(code)
    }

    /// Runs lines as they come, with a prompt at a terminal.
    async fn lines(&mut self, io: &mut Io) -> u8 {
        let mut code = 0;
        while self.exit.is_none() {
            if io.input.is_terminal() {
                let sign = if self.container.user.0 == 0 { '#' } else { '$' };
                let prompt = format!("{} {sign} ", self.folder);
                io.sink.out(prompt.as_bytes()).await;
            }
            match io.input.line().await {
                Line::Text(line) => code = self.text(&line, io).await,
                Line::Interrupted => code = INTERRUPTED,
                Line::End => break,
            }
            self.last = code;
        }
        if io.input.is_terminal() && self.exit.is_none() {
            io.sink.out(b"\n").await;
        }
        code
    }

    /// Runs a text; gives the exit code of its last command.
    async fn text(&mut self, text: &str, io: &mut Io) -> u8 {
        let pipelines = match words::parse(text) {
            Ok(pipelines) => pipelines,
            Err(error) => {
                io.sink.err(format!("sh: {error}\n").as_bytes()).await;
                return 2;
            }
        };
        let mut code = self.last;
        for pipeline in &pipelines {
            let runs = match pipeline.when {
                When::Always => true,
                When::Success => code == 0,
                When::Failure => code != 0,
            };
            if runs {
                code = self.pipeline(pipeline, io).await;
                self.last = code;
            }
            if self.exit.is_some() {
                break;
            }
        }
        code
    }

    async fn pipeline(&mut self, pipeline: &Pipeline, io: &mut Io) -> u8 {
        let Some((last, before)) = pipeline.calls.split_last() else { return 0 };
        let Some(first) = before.first() else { return self.call(last, io).await };
        let mut input = std::mem::take(&mut io.input);
        for call in before {
            let mut inner = Io { input, sink: Sink::kept() };
            self.call(call, &mut inner).await;
            if std::ptr::eq(call, first) {
                io.input = inner.input;
            }
            let (out, err) = inner.sink.into_kept();
            io.sink.err(&err).await;
            input = Input::of(&out);
        }
        let outer = std::mem::replace(&mut io.input, input);
        let code = self.call(last, io).await;
        io.input = outer;
        code
    }

    async fn call(&mut self, call: &Call, io: &mut Io) -> u8 {
        let mut words: Vec<String> = call.words.iter().flat_map(|word| self.expand(word)).collect();
        let assigned = words.iter().take_while(|word| is_assignment(word)).count();
        let rest = words.split_off(assigned);
        let before = (self.variables.clone(), self.private.clone());
        for (name, value) in words.iter().filter_map(|word| word.split_once('=')) {
            if rest.is_empty() && !self.variables.contains_key(name) {
                self.private.push(name.to_owned());
            }
            self.variables.insert(name.to_owned(), value.to_owned());
        }
        if rest.is_empty() && call.redirects.is_empty() {
            return 0;
        }
        let code = if call.redirects.is_empty() {
            self.program(rest.clone(), io).await
        } else {
            self.redirected(rest.clone(), &call.redirects, io).await
        };
        if assigned > 0 && !rest.is_empty() {
            (self.variables, self.private) = before;
        }
        code
    }

    async fn redirected(&mut self, words: Vec<String>, redirects: &[Redirect], io: &mut Io) -> u8 {
        let mut inner = Io { input: std::mem::take(&mut io.input), sink: Sink::kept() };
        let mut outer = None;
        for redirect in redirects {
            let Redirect::From(file) = redirect else { continue };
            let file = self.expand(file).join(" ");
            match self.container.files.read(&absolute(&self.folder, &file)) {
                Ok(bytes) => {
                    let replaced = std::mem::replace(&mut inner.input, Input::of(&bytes));
                    outer.get_or_insert(replaced);
                }
                Err(error) => {
                    io.input = outer.unwrap_or(inner.input);
                    io.sink.err(format!("sh: can't open {file}: {error}\n").as_bytes()).await;
                    return 1;
                }
            }
        }
        let code = if words.is_empty() { 0 } else { self.program(words, &mut inner).await };
        io.input = outer.unwrap_or(inner.input);
        let (out, err) = inner.sink.into_kept();
        self.deliver(redirects, out, err, io).await.unwrap_or(code)
    }

    /// Brings output where the redirections want it; a code when that failed.
    async fn deliver(&self, redirects: &[Redirect], out: Vec<u8>, err: Vec<u8>, io: &mut Io) -> Option<u8> {
        // Where the two streams go: 1 and 2 for the outer ones, else a file.
        let mut goes: [Option<(String, bool)>; 2] = [None, None];
        let mut swapped = [1_u8, 2];
        for redirect in redirects {
            match redirect {
                Redirect::From(_) => {}
                Redirect::To { stream, file, append } => {
                    let file = absolute(&self.folder, &self.expand(file).join(" "));
                    let place = usize::from(*stream == 2);
                    goes[place] = Some((file, *append));
                }
                Redirect::Same(from, to) => {
                    let (from, to) = (usize::from(*from == 2), usize::from(*to == 2));
                    goes[from] = goes[to].clone().map(|(file, _)| (file, true));
                    swapped[from] = swapped[to];
                }
            }
        }
        for ((bytes, place), stream) in [out, err].into_iter().zip(goes).zip(swapped) {
            match place {
                None if stream == 1 => io.sink.out(&bytes).await,
                None => io.sink.err(&bytes).await,
                Some((file, _)) if file == "/dev/null" => {}
                Some((file, append)) => {
                    let before = if append { self.container.files.read(&file).ok() } else { None };
                    let all = [before.as_deref().map_or(&[][..], Vec::as_slice), &bytes].concat();
                    if let Err(error) = self.container.files.write(&file, all, 0o644) {
                        io.sink.err(format!("sh: can't create {file}: {error}\n").as_bytes()).await;
                        return Some(1);
                    }
                }
            }
        }
        None
    }

    /// A word with its variables replaced: several words, or none, when an unquoted value has spaces.
    fn expand(&self, word: &Word) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut solid = word.is_empty();
        for part in word {
            match part {
                Part::Text(text) => {
                    solid = true;
                    if let Some(last) = words.last_mut() {
                        last.push_str(text);
                    }
                }
                Part::Variable { name, fallback, quoted } => {
                    let value = match name.as_str() {
                        "?" => self.last.to_string(),
                        name => self.variables.get(name).cloned().unwrap_or_default(),
                    };
                    let value = if value.is_empty() { fallback.clone() } else { value };
                    solid |= *quoted;
                    let mut pieces: Vec<&str> = if *quoted { vec![&value] } else { value.split_whitespace().collect() };
                    if let (false, Some(last)) = (pieces.is_empty(), words.last_mut()) {
                        last.push_str(pieces.remove(0));
                        solid = true;
                    }
                    words.extend(pieces.into_iter().map(str::to_owned));
                }
            }
        }
        if solid { words } else { Vec::new() }
    }
}

fn is_assignment(word: &str) -> bool {
    let Some((name, _)) = word.split_once('=') else { return false };
    let mut letters = name.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

async fn sleep(args: &[String], io: &mut Io) -> u8 {
    let mut total = Duration::ZERO;
    for arg in args {
        let unit = match arg.chars().last() {
            Some('m') => 60.0,
            Some('h') => 3600.0,
            Some('d') => 86400.0,
            _ => 1.0,
        };
        let number = arg.trim_end_matches(['s', 'm', 'h', 'd']).parse::<f64>();
        let pause = number.ok().and_then(|number| Duration::try_from_secs_f64(number * unit).ok());
        match (pause, arg.as_str()) {
            (Some(pause), _) => total = total.saturating_add(pause),
            (None, "infinity") => total = Duration::MAX,
            (None, _) => {
                io.sink.err(format!("sleep: invalid number '{arg}'\n").as_bytes()).await;
                return 1;
            }
        }
    }
    if args.is_empty() {
        io.sink.err(b"sleep: missing operand\n").await;
        return 1;
    }
    tokio::select! {
        () = tokio::time::sleep(total) => 0,
        () = io.input.interrupted() => INTERRUPTED,
    }
}

#[cfg(test)]
mod tests;
