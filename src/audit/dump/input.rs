//! A file of a dump, which may have to be read twice.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::check::source;

/// A file, or standard input.
#[derive(Debug)]
pub struct Input {
    path: PathBuf,
    /// A copy of what was read from a pipe, which can be read only once.
    copy: Option<File>,
    /// The namespace in whose folder the pods of the file are, if it is one of an inspection.
    pub namespace_of_pods: Option<String>,
    /// Whether the file is in a folder of a namespace.
    pub is_by_namespace: bool,
    /// Whether the file is in a folder of an inspection, which has a file for each object.
    pub is_of_inspection: bool,
    /// Whether it had pods.
    pub has_pods: bool,
}

impl Input {
    /// The file at `path`.
    pub fn new(path: &Path) -> Self {
        let folders: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
        let at = folders.iter().rposition(|folder| folder == "namespaces");
        let below = at.map(|at| folders.get(at + 1..).unwrap_or_default()).unwrap_or_default();
        let namespace_of_pods = match below {
            [namespace, core, file] if core == "core" && is_pods(file) => Some(namespace.to_string()),
            _ => None,
        };
        let is_by_namespace = below.len() > 1;
        let is_of_inspection = below.len() == 4 || folders.iter().any(|it| it == "cluster-scoped-resources");
        let path = path.to_owned();
        Self { path, copy: None, namespace_of_pods, is_by_namespace, is_of_inspection, has_pods: false }
    }

    /// Its name in messages.
    pub fn name(&self) -> String {
        source::name(&self.path)
    }

    /// Opens it at its start. Of a pipe, the second time has what was read the first time.
    ///
    /// # Errors
    /// Where it cannot be opened, or not be copied.
    pub fn open(&mut self) -> io::Result<Box<dyn Read>> {
        if let Some(copy) = &self.copy {
            let mut copy = copy.try_clone()?;
            copy.seek(SeekFrom::Start(0))?;
            return Ok(Box::new(copy));
        }
        let file: Box<dyn Read> = match source::is_stdin(&self.path) {
            true => Box::new(io::stdin()),
            false => {
                let file = File::open(&self.path)?;
                if file.metadata()?.is_file() {
                    return Ok(Box::new(file));
                }
                Box::new(file)
            }
        };
        let copy = self.copy.insert(file_without_name()?).try_clone()?;
        Ok(Box::new(Copied { file, copy }))
    }
}

/// A pipe that copies what is read from it.
struct Copied {
    file: Box<dyn Read>,
    copy: File,
}

impl Read for Copied {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        let read = buffer.get(..length).unwrap_or_default();
        self.copy.write_all(read).map_err(|error| not_kept(&error))?;
        Ok(length)
    }
}

fn is_pods(file: &str) -> bool {
    matches!(file, "pods.yaml" | "pods.json")
}

/// A temporary file, since a dump may be larger than memory.
fn file_without_name() -> io::Result<File> {
    let path = std::env::temp_dir().join(format!("{}-{}", env!("CARGO_PKG_NAME"), std::process::id()));
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .map_err(|error| not_kept(&error))?;
    fs::remove_file(&path)?;
    Ok(file)
}

fn not_kept(error: &io::Error) -> io::Error {
    io::Error::other(format!("it cannot be kept in {}: {error}", std::env::temp_dir().display()))
}

/// Whether a text is JSON. YAML can begin with a bracket too, but dumps in YAML do not.
pub fn is_json(start: &[u8]) -> bool {
    let start = without_mark(start).trim_ascii_start();
    match start {
        [b'{', rest @ ..] => rest.trim_ascii_start().first().is_none_or(|next| matches!(next, b'"' | b'}')),
        [b'[', rest @ ..] => rest.trim_ascii_start().first().is_none_or(|next| matches!(next, b'{' | b']')),
        _ => false,
    }
}

/// The text without a byte order mark.
pub fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text)
}
