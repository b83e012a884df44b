//! Which files are checked, and their text.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The largest file that is read, in bytes. A pool with every address of a /16 takes 25 MB.
pub const MAX_FILE_BYTES: usize = 64 << 20;

/// What manifests are called.
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// How standard input is called in reports.
const STDIN: &str = "<stdin>";

/// One thing to read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// Standard input, `-` on the command line.
    Stdin,
    /// A file.
    File(PathBuf),
}

/// Something that kept a file from being checked, or that its owner should know.
#[derive(Debug)]
pub struct Trouble {
    /// The file or directory.
    pub file: String,
    /// The line, from 1, where there is one.
    pub line: Option<usize>,
    /// What is wrong and what would be right.
    pub why: String,
    /// Whether something was left unchecked that should have been; else it is a note.
    pub is_error: bool,
}

impl Trouble {
    /// Something could not be done.
    pub fn error(file: impl Into<String>, line: Option<usize>, why: String) -> Self {
        Self { file: file.into(), line, why, is_error: true }
    }

    /// Worth saying.
    pub fn note(file: impl Into<String>, line: Option<usize>, why: String) -> Self {
        Self { file: file.into(), line, why, is_error: false }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", crate::text::printable(&self.file))?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", crate::text::printable(&self.why))
    }
}

/// The files that `paths` stand for, each once: directories are walked, in the order of their names.
///
/// Within a directory, only regular files with the extension of a manifest count; entries that begin with a
/// dot and symbolic links are passed over. What is named on the command line is read whatever it is.
pub fn inputs(paths: &[PathBuf], troubles: &mut Vec<Trouble>) -> Vec<Input> {
    let mut inputs = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            inputs.push(Input::Stdin);
        } else if path.is_dir() {
            let before = inputs.len();
            walk(path, &mut inputs, troubles);
            if inputs.len() == before {
                let why = "holds no .yaml, .yml or .json file".to_owned();
                troubles.push(Trouble::note(shown(path), None, why));
            }
        } else {
            inputs.push(Input::File(path.clone()));
        }
    }
    let mut seen = HashSet::new();
    inputs.retain(|input| seen.insert(input.clone()));
    inputs
}

/// Without recursion: a directory tree may be deeper than the stack.
fn walk(root: &Path, inputs: &mut Vec<Input>, troubles: &mut Vec<Trouble>) {
    let mut waiting = vec![(root.to_owned(), true)];
    while let Some((path, is_dir)) = waiting.pop() {
        if !is_dir {
            inputs.push(Input::File(path));
            continue;
        }
        match entries(&path) {
            // The last one pushed is the next one popped.
            Ok(entries) => waiting.extend(entries.into_iter().rev()),
            Err(error) => {
                troubles.push(Trouble::error(shown(&path), None, format!("cannot be listed: {error}")));
            }
        }
    }
}

/// What is of interest in a directory, sorted, and whether it is a directory itself.
fn entries(directory: &Path) -> io::Result<Vec<(PathBuf, bool)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        // Of the entry itself, not of what a link points to.
        let kind = entry.file_type()?;
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !is_hidden && (kind.is_dir() || kind.is_file() && is_manifest(&entry.path())) {
            found.push((entry.path(), kind.is_dir()));
        }
    }
    found.sort();
    Ok(found)
}

fn is_manifest(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

impl Input {
    /// What it is called in reports.
    pub fn name(&self) -> String {
        match self {
            Self::Stdin => STDIN.to_owned(),
            Self::File(path) => shown(path),
        }
    }

    /// Its text.
    ///
    /// # Errors
    /// A [`Trouble`] when it cannot be read, is too large or is not UTF-8.
    pub fn text(&self) -> Result<String, Trouble> {
        let trouble = |why| Trouble::error(self.name(), None, why);
        let bytes = self.bytes().map_err(|error| trouble(format!("cannot be read: {error}")))?;
        if bytes.len() > MAX_FILE_BYTES {
            let limit = MAX_FILE_BYTES >> 20;
            return Err(trouble(format!("is larger than {limit} MiB; check it in parts")));
        }
        String::from_utf8(bytes).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let before = error.as_bytes().iter().take(valid);
            let line = before.filter(|byte| **byte == b'\n').count() + 1;
            let why = format!("is not UTF-8 text (byte {valid} of the file); convert it or leave it out");
            Trouble::error(self.name(), Some(line), why)
        })
    }

    /// At most one byte more than is allowed.
    fn bytes(&self) -> io::Result<Vec<u8>> {
        let limit = MAX_FILE_BYTES as u64 + 1;
        let mut bytes = Vec::new();
        match self {
            Self::Stdin => io::stdin().lock().take(limit).read_to_end(&mut bytes)?,
            Self::File(path) => File::open(path)?.take(limit).read_to_end(&mut bytes)?,
        };
        Ok(bytes)
    }
}

/// A path as it is shown: without the `./` that walking the current directory puts in front.
fn shown(path: &Path) -> String {
    let relative = path.strip_prefix(".").ok().filter(|rest| !rest.as_os_str().is_empty());
    relative.unwrap_or(path).to_string_lossy().into_owned()
}
