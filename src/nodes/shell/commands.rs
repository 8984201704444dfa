//! The table of commands.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{archive, text};
use crate::nodes::container::Container;
use crate::nodes::container::files::{Entry, FileError, absolute};

/// A command under way.
pub struct Process<'a> {
    /// The command's name.
    pub name: &'a str,
    /// Its arguments.
    pub args: &'a [String],
    /// Where it runs.
    pub container: &'a Container,
    /// The folder it runs in.
    pub folder: &'a str,
    /// Environment variables, sorted by name.
    pub env: Vec<(String, String)>,
    /// Standard input, where the command reads it.
    pub stdin: Vec<u8>,
    /// The time.
    pub now: DateTime<Utc>,
    /// Standard output.
    pub out: Vec<u8>,
    /// Standard error.
    pub err: Vec<u8>,
}

/// A row of the table.
pub struct Command {
    name: &'static str,
    /// Whether it reads standard input when called with these arguments.
    pub reads: fn(&[String]) -> bool,
    /// Runs it; gives the exit code.
    pub run: fn(&mut Process<'_>) -> u8,
}

impl Process<'_> {
    /// Writes to standard output.
    pub fn print(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Writes a line with the command's name to standard error; gives the exit code.
    pub fn fail(&mut self, why: impl std::fmt::Display) -> u8 {
        self.err.extend_from_slice(format!("{}: {why}\n", self.name).as_bytes());
        1
    }

    /// An absolute path.
    pub fn path(&self, path: &str) -> String {
        absolute(self.folder, path)
    }

    /// The bytes of a file, or of standard input for `-`.
    ///
    /// # Errors
    /// It is no file that is there.
    pub fn read(&self, file: &str) -> Result<Arc<Vec<u8>>, FileError> {
        if file == "-" { Ok(Arc::new(self.stdin.clone())) } else { self.container.files.read(&self.path(file)) }
    }

    /// The arguments that are no options, and the letters of those that are.
    pub fn options(&self) -> (String, Vec<String>) {
        let (mut letters, mut words, mut ended) = (String::new(), Vec::new(), false);
        for arg in self.args {
            match arg.strip_prefix('-') {
                Some("-") if !ended => ended = true,
                Some(more) if !ended && !more.is_empty() && !more.starts_with('-') => letters.push_str(more),
                _ => words.push(arg.clone()),
            }
        }
        (letters, words)
    }
}

fn never(_: &[String]) -> bool {
    false
}

/// Without a file, or with `-` for one.
fn without_file(args: &[String]) -> bool {
    args.iter().all(|arg| arg.starts_with('-'))
}

const fn command(name: &'static str, run: fn(&mut Process<'_>) -> u8) -> Command {
    Command { name, reads: never, run }
}

const fn filter(name: &'static str, reads: fn(&[String]) -> bool, run: fn(&mut Process<'_>) -> u8) -> Command {
    Command { name, reads, run }
}

/// All commands, sorted by name.
const COMMANDS: &[Command] = &[
    command("[", test),
    command("arch", |p| text_out(p, "x86_64\n")),
    filter("base64", without_file, text::base64),
    filter("cat", |args| without_file(args) || args.iter().any(|arg| arg == "-"), text::cat),
    command("chmod", |_| 0),
    command("date", date),
    command("echo", echo),
    command("env", env),
    command("false", |_| 1),
    filter("grep", |args| args.iter().filter(|arg| !arg.starts_with('-')).count() < 2, text::grep),
    filter("head", text::counts_read, text::head),
    command("hostname", hostname),
    command("id", id),
    command("ls", ls),
    command("mkdir", mkdir),
    command("mount", mount),
    command("printenv", printenv),
    command("printf", text::printf),
    command("ps", ps),
    command("pwd", |p| text_out(p, &format!("{}\n", p.folder))),
    command("rm", rm),
    filter("sort", without_file, text::sort),
    filter("tail", text::counts_read, text::tail),
    filter("tar", archive::reads, archive::tar),
    filter("tee", |_| true, text::tee),
    command("test", test),
    command("touch", touch),
    command("true", |_| 0),
    command("uname", uname),
    filter("wc", without_file, text::wc),
    command("which", which),
    command("whoami", whoami),
];

/// Commands that the shell plays itself.
const OF_SHELL: [&str; 6] = ["cd", "exec", "exit", "export", "sh", "sleep"];

/// The command of a name.
pub fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

/// The names of all commands, sorted.
pub fn command_names() -> impl Iterator<Item = &'static str> {
    let mut names: Vec<&str> = COMMANDS.iter().map(|command| command.name).chain(OF_SHELL).collect();
    names.sort_unstable();
    names.into_iter()
}

fn text_out(process: &mut Process<'_>, text: &str) -> u8 {
    process.print(text);
    0
}

fn echo(process: &mut Process<'_>) -> u8 {
    let options = process.args.iter().take_while(|arg| matches!(arg.as_str(), "-n" | "-e" | "-ne" | "-en")).count();
    let has = |letter| process.args.iter().take(options).any(|arg| arg.contains(letter));
    let (newline, escapes) = (!has('n'), has('e'));
    let line = process.args.get(options..).unwrap_or_default().join(" ");
    let line = if escapes { text::unescape(&line) } else { line };
    process.print(&line);
    if newline {
        process.print("\n");
    }
    0
}

fn env(process: &mut Process<'_>) -> u8 {
    if !process.args.is_empty() {
        return process.fail("arguments are not known to a simulated container");
    }
    // As a process sees them: in the container's order, then what a shell added.
    let mut shown: Vec<String> = Vec::new();
    let order = process.container.env.iter().map(|(name, _)| name);
    for name in order.chain(process.env.iter().map(|(name, _)| name)) {
        if let Some((name, value)) = process.env.iter().find(|(known, _)| known == name) {
            let line = format!("{name}={value}\n");
            if !shown.contains(&line) {
                shown.push(line);
            }
        }
    }
    process.print(&shown.concat());
    0
}

fn printenv(process: &mut Process<'_>) -> u8 {
    if process.args.is_empty() {
        return env(process);
    }
    let mut code = 0;
    for name in process.args {
        match process.env.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()) {
            Some(value) => process.print(&format!("{value}\n")),
            None => code = 1,
        }
    }
    code
}

fn date(process: &mut Process<'_>) -> u8 {
    let form = process.args.iter().find_map(|arg| arg.strip_prefix('+'));
    let form = form.unwrap_or("%a %b %e %H:%M:%S UTC %Y");
    let mut text = String::new();
    use std::fmt::Write;
    if writeln!(text, "{}", process.now.format(form)).is_err() {
        return process.fail(format!("invalid format '{form}'"));
    }
    text_out(process, &text)
}

fn hostname(process: &mut Process<'_>) -> u8 {
    let text = match process.args.first().map(String::as_str) {
        Some("-i" | "-I") => {
            let hosts = process.container.files.read("/etc/hosts").unwrap_or_default();
            let hosts = String::from_utf8_lossy(&hosts).into_owned();
            let own =
                hosts.lines().find(|line| line.split('\t').skip(1).any(|name| name == process.container.hostname));
            own.and_then(|line| line.split('\t').next()).unwrap_or_default().to_owned()
        }
        _ => process.container.hostname.clone(),
    };
    text_out(process, &format!("{text}\n"))
}

fn user_name(id: i64) -> Option<&'static str> {
    match id {
        0 => Some("root"),
        65534 => Some("nobody"),
        _ => None,
    }
}

fn whoami(process: &mut Process<'_>) -> u8 {
    let id = process.container.user.0;
    match user_name(id) {
        Some(name) => text_out(process, &format!("{name}\n")),
        None => process.fail(format!("unknown uid {id}")),
    }
}

fn id(process: &mut Process<'_>) -> u8 {
    let (user, group) = process.container.user;
    let named = |id: i64| user_name(id).map_or_else(|| id.to_string(), |name| format!("{id}({name})"));
    let text = match process.args.first().map(String::as_str) {
        Some("-u") => user.to_string(),
        Some("-g" | "-G") => group.to_string(),
        Some("-un") => user_name(user).map_or_else(|| user.to_string(), str::to_owned),
        _ => format!("uid={} gid={} groups={}", named(user), named(group), named(group)),
    };
    text_out(process, &format!("{text}\n"))
}

/// `drwxr-xr-x`.
fn mode_text(entry: &Entry) -> String {
    let (kind, mode) = match entry {
        Entry::Folder => ('d', 0o755),
        Entry::File { mode, .. } => ('-', *mode),
    };
    let bits = (0..9).rev().map(|bit| {
        let letter = ['x', 'w', 'r'][bit % 3];
        if mode >> bit & 1 == 1 { letter } else { '-' }
    });
    std::iter::once(kind).chain(bits).collect()
}

fn ls(process: &mut Process<'_>) -> u8 {
    let (letters, words) = process.options();
    let words = if words.is_empty() { vec![".".to_owned()] } else { words };
    let (long, all, several) = (letters.contains('l'), letters.contains(['a', 'A']), words.len() > 1);
    let mut code = 0;
    for (position, word) in words.iter().enumerate() {
        let path = process.path(word);
        let shown: Vec<(String, Entry)> = match process.container.files.get(&path) {
            None => {
                code = process.fail(format!("{word}: {}", FileError::Missing));
                continue;
            }
            Some(entry @ Entry::File { .. }) => vec![(word.clone(), entry)],
            Some(Entry::Folder) if letters.contains('d') => vec![(word.clone(), Entry::Folder)],
            Some(Entry::Folder) => {
                if several {
                    let gap = if position > 0 { "\n" } else { "" };
                    process.print(&format!("{gap}{word}:\n"));
                }
                let list = process.container.files.list(&path).unwrap_or_default();
                list.into_iter().filter(|(name, _)| all || !name.starts_with('.')).collect()
            }
        };
        for (name, entry) in shown {
            let size = if let Entry::File { bytes, .. } = &entry { bytes.len() } else { 4096 };
            let line = if long {
                let date = process.now.format("%b %e %H:%M");
                format!("{}    1 root     root     {size:>9} {date} {name}\n", mode_text(&entry))
            } else {
                format!("{name}\n")
            };
            process.print(&line);
        }
    }
    code
}

fn mkdir(process: &mut Process<'_>) -> u8 {
    let (letters, words) = process.options();
    let mut code = 0;
    for word in words {
        let (path, files) = (process.path(&word), &process.container.files);
        let made = if letters.contains('p') { files.make_folders(&path) } else { files.make_folder(&path) };
        if let Err(error) = made {
            code = process.fail(format!("can't create directory '{word}': {error}"));
        }
    }
    code
}

fn touch(process: &mut Process<'_>) -> u8 {
    let mut code = 0;
    for word in process.options().1 {
        let path = process.path(&word);
        if process.container.files.get(&path).is_none()
            && let Err(error) = process.container.files.write(&path, Vec::new(), 0o644)
        {
            code = process.fail(format!("{word}: {error}"));
        }
    }
    code
}

fn remove_all(process: &Process<'_>, path: &str) -> Result<(), FileError> {
    if process.container.files.get(path) == Some(Entry::Folder) {
        for name in process.container.files.list(path)?.into_keys() {
            remove_all(process, &absolute(path, &name))?;
        }
    }
    process.container.files.remove(path)
}

fn rm(process: &mut Process<'_>) -> u8 {
    let (letters, words) = process.options();
    let mut code = 0;
    for word in words {
        let path = process.path(&word);
        let outcome = match process.container.files.get(&path) {
            None if letters.contains('f') => Ok(()),
            None => Err(FileError::Missing),
            Some(Entry::Folder) if !letters.contains(['r', 'R']) => Err(FileError::IsFolder),
            Some(_) => remove_all(process, &path),
        };
        if let Err(error) = outcome {
            code = process.fail(format!("can't remove '{word}': {error}"));
        }
    }
    code
}

fn test(process: &mut Process<'_>) -> u8 {
    let mut args: Vec<&str> = process.args.iter().map(String::as_str).collect();
    if process.name == "[" && args.pop() != Some("]") {
        process.fail("missing ]");
        return 2;
    }
    let negated = args.first() == Some(&"!");
    if negated {
        args.remove(0);
    }
    let entry = |path: &str| process.container.files.get(&process.path(path));
    let number = |text: &str| text.parse::<i64>().unwrap_or_default();
    let holds = match args.as_slice() {
        [] => false,
        [text] => !text.is_empty(),
        ["-n", text] => !text.is_empty(),
        ["-z", text] => text.is_empty(),
        ["-d", path] => entry(path) == Some(Entry::Folder),
        ["-f", path] => matches!(entry(path), Some(Entry::File { .. })),
        ["-s", path] => matches!(entry(path), Some(Entry::File { bytes, .. }) if !bytes.is_empty()),
        ["-e" | "-r" | "-w" | "-x", path] => entry(path).is_some(),
        ["-L" | "-h", _] => false,
        [a, "=" | "==", b] => a == b,
        [a, "!=", b] => a != b,
        [a, "-eq", b] => number(a) == number(b),
        [a, "-ne", b] => number(a) != number(b),
        [a, "-lt", b] => number(a) < number(b),
        [a, "-le", b] => number(a) <= number(b),
        [a, "-gt", b] => number(a) > number(b),
        [a, "-ge", b] => number(a) >= number(b),
        _ => {
            process.fail("unknown operand");
            return 2;
        }
    };
    u8::from(holds == negated)
}

fn uname(process: &mut Process<'_>) -> u8 {
    let node = &process.container.hostname;
    let text = match process.args.first().map(String::as_str) {
        Some("-a") => format!("Linux {node} 6.1.0 #1 SMP x86_64 Linux"),
        Some("-r") => "6.1.0".to_owned(),
        Some("-m") => "x86_64".to_owned(),
        Some("-n") => node.clone(),
        _ => "Linux".to_owned(),
    };
    text_out(process, &format!("{text}\n"))
}

fn which(process: &mut Process<'_>) -> u8 {
    let mut code = 0;
    for name in process.args {
        if command_names().any(|known| known == name) {
            process.print(&format!("/bin/{name}\n"));
        } else {
            code = 1;
        }
    }
    code
}

/// The one process that a container is made for.
fn ps(process: &mut Process<'_>) -> u8 {
    let command = match process.container.command.join(" ") {
        command if command.is_empty() => format!("(the command of image {})", process.container.image),
        command => command,
    };
    let user = user_name(process.container.user.0).unwrap_or("?");
    text_out(process, &format!("PID   USER     TIME  COMMAND\n    1 {user:<8} 0:00 {command}\n"))
}

fn mount(process: &mut Process<'_>) -> u8 {
    let lines: String = process
        .container
        .files
        .mounts()
        .map(|(path, volume, read_only)| {
            format!("{volume} on {path} type simulated ({})\n", if read_only { "ro" } else { "rw" })
        })
        .collect();
    text_out(process, &lines)
}
