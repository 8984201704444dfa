//! `tar`, as much of it as copying files to and from a container needs.

use std::io::Read;

use super::commands::Process;
use crate::nodes::container::files::{Entry, FileError, absolute};

/// What `tar` was asked for.
#[derive(Debug, Default)]
struct Options {
    /// `c`, `x` or `t`.
    mode: Option<char>,
    /// The archive; `-` is standard input or output.
    file: Option<String>,
    /// The folder to work in.
    folder: Option<String>,
    verbose: bool,
    paths: Vec<String>,
}

impl Options {
    fn of(args: &[String]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut args = args.iter().enumerate();
        while let Some((position, arg)) = args.next() {
            let letters = match arg.strip_prefix('-') {
                Some(long) if long.starts_with('-') => {
                    // Owners and permissions do not exist here.
                    match long.trim_start_matches('-') {
                        "no-same-owner" | "no-same-permissions" | "same-owner" => continue,
                        other => return Err(format!("unrecognized option '--{other}'")),
                    }
                }
                Some("") => {
                    options.paths.push(arg.clone());
                    continue;
                }
                Some(letters) => letters,
                None if position == 0 => arg,
                None => {
                    options.paths.push(arg.clone());
                    continue;
                }
            };
            for letter in letters.chars() {
                match letter {
                    'c' | 'x' | 't' => options.mode = Some(letter),
                    'f' => options.file = args.next().map(|(_, file)| file.clone()),
                    'C' => options.folder = args.next().map(|(_, folder)| folder.clone()),
                    'v' => options.verbose = true,
                    'm' | 'o' | 'p' | 'h' => {}
                    other => return Err(format!("invalid option -- '{other}'")),
                }
            }
        }
        Ok(options)
    }
}

/// Whether an archive comes by standard input.
pub fn reads(args: &[String]) -> bool {
    let options = Options::of(args).unwrap_or_default();
    matches!(options.mode, Some('x' | 't')) && options.file.as_deref().is_none_or(|file| file == "-")
}

/// Packs, unpacks or lists an archive.
pub fn tar(process: &mut Process<'_>) -> u8 {
    let options = match Options::of(process.args) {
        Ok(options) => options,
        Err(why) => return process.fail(why),
    };
    let folder = process.path(options.folder.as_deref().unwrap_or("."));
    if !matches!(process.container.files.get(&folder), Some(Entry::Folder)) {
        let why = FileError::Missing;
        return process.fail(format!("can't change directory to '{folder}': {why}"));
    }
    match options.mode {
        Some('c') => pack(process, &options, &folder),
        Some('x') => unpack(process, &options, &folder, true),
        Some('t') => unpack(process, &options, &folder, false),
        _ => process.fail("must specify one of -c, -x, -t"),
    }
}

fn header(entry: &Entry, time: i64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_mtime(u64::try_from(time).unwrap_or_default());
    match entry {
        Entry::Folder => {
            header.set_entry_type(tar::EntryType::Directory);
            header.set_mode(0o755);
            header.set_size(0);
        }
        Entry::File { bytes, mode } => {
            header.set_entry_type(tar::EntryType::Regular);
            header.set_mode(u32::try_from(*mode).unwrap_or(0o644));
            header.set_size(bytes.len() as u64);
        }
    }
    header
}

type Packer = tar::Builder<Vec<u8>>;

fn pack_one(process: &Process<'_>, packer: &mut Packer, path: &str, name: &str) -> std::io::Result<()> {
    let Some(entry) = process.container.files.get(path) else { return Ok(()) };
    let time = process.now.timestamp();
    match &entry {
        Entry::File { bytes, .. } => packer.append_data(&mut header(&entry, time), name, bytes.as_slice()),
        Entry::Folder => {
            packer.append_data(&mut header(&entry, time), format!("{name}/"), std::io::empty())?;
            for child in process.container.files.list(path).unwrap_or_default().into_keys() {
                pack_one(process, packer, &absolute(path, &child), &format!("{name}/{child}"))?;
            }
            Ok(())
        }
    }
}

fn pack(process: &mut Process<'_>, options: &Options, folder: &str) -> u8 {
    let mut packer = tar::Builder::new(Vec::new());
    let mut code = 0;
    if options.paths.iter().any(|path| path.starts_with('/')) {
        process.fail("removing leading '/' from member names");
    }
    for path in &options.paths {
        let whole = absolute(folder, path);
        if process.container.files.get(&whole).is_none() {
            code = process.fail(format!("{path}: {}", FileError::Missing));
            continue;
        }
        let name = match path.trim_matches('/') {
            "" => ".",
            name => name,
        };
        if let Err(error) = pack_one(process, &mut packer, &whole, name) {
            code = process.fail(error);
        }
    }
    let bytes = match packer.into_inner() {
        Ok(bytes) => bytes,
        Err(error) => return process.fail(error),
    };
    match options.file.as_deref() {
        None | Some("-") => process.out.extend(bytes),
        Some(file) => {
            if let Err(error) = process.container.files.write(&process.path(file), bytes, 0o644) {
                return process.fail(format!("{file}: {error}"));
            }
        }
    }
    code
}

fn unpack(process: &mut Process<'_>, options: &Options, folder: &str, writes: bool) -> u8 {
    let file = options.file.as_deref().unwrap_or("-");
    let bytes = match process.read(file) {
        Ok(bytes) => bytes,
        Err(error) => return process.fail(format!("{file}: {error}")),
    };
    let mut archive = tar::Archive::new(bytes.as_slice());
    let entries = match archive.entries() {
        Ok(entries) => entries,
        Err(error) => return process.fail(error),
    };
    for entry in entries {
        let outcome = entry.map_err(|error| error.to_string()).and_then(|mut entry| {
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            if writes {
                write_member(process, folder, &name, &mut entry)?;
            }
            if options.verbose || !writes {
                process.print(&format!("{name}\n"));
            }
            Ok(())
        });
        if let Err(why) = outcome {
            return process.fail(why);
        }
    }
    0
}

fn write_member(
    process: &Process<'_>,
    folder: &str,
    name: &str,
    entry: &mut tar::Entry<'_, impl Read>,
) -> Result<(), String> {
    // As tar does, members stay below the folder.
    let path = absolute(folder, absolute("/", name).trim_start_matches('/'));
    let files = &process.container.files;
    let failed = |error: FileError| format!("can't open '{name}': {error}");
    if entry.header().entry_type().is_dir() {
        return files.make_folders(&path).map_err(failed);
    }
    if let Some((above, _)) = path.rsplit_once('/').filter(|(above, _)| !above.is_empty()) {
        files.make_folders(above).map_err(failed)?;
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    let mode = entry.header().mode().map(i64::from).unwrap_or(0o644);
    files.write(&path, bytes, mode).map_err(failed)
}
