//! Which files are checked, and their text.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};
use walkdir::{DirEntry, WalkDir};

use crate::output::Notification;

/// The largest file that is read, in bytes. A pool with every address of a /16 takes 25 MB.
pub const MAX_FILE_BYTES: usize = 64 << 20;

const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// The path of standard input, and its name in reports.
const STDIN: (&str, &str) = ("-", "<stdin>");

/// The files at `paths`, each once; directories are searched in the order of the names in them.
///
/// In a directory only regular files with the extension of a manifest are read; entries that begin with a dot, symbolic
/// links, the templates of Helm charts and what `exclude` matches are skipped. Files named on the command line are always
/// read.
pub fn files(paths: &[PathBuf], exclude: &[Pattern], notifications: &mut Vec<Notification>) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() || is_stdin(path) {
            files.push(path.clone());
            continue;
        }
        let before = files.len();
        search(path, exclude, &mut files, notifications);
        if files.len() == before {
            let why = "has no .yaml, .yml or .json file".to_owned();
            notifications.push(Notification::note(name(path), None, why));
        }
    }
    let mut seen = HashSet::new();
    files.retain(|file| seen.insert(file.clone()));
    files
}

fn search(root: &Path, exclude: &[Pattern], files: &mut Vec<PathBuf>, notifications: &mut Vec<Notification>) {
    let mut entries = WalkDir::new(root).sort_by_file_name().into_iter();
    while let Some(entry) = entries.next() {
        match entry {
            Ok(entry) if entry.depth() > 0 && is_skipped(&entry, exclude, notifications) => {
                if entry.file_type().is_dir() {
                    entries.skip_current_dir();
                }
            }
            Ok(entry) if entry.file_type().is_file() && is_manifest(entry.path()) => {
                files.push(entry.into_path());
            }
            Ok(_) => {}
            Err(error) => {
                let path = name(error.path().unwrap_or(root));
                let why = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
                let why = format!("cannot be listed: {why}");
                notifications.push(Notification::error(path, None, why));
            }
        }
    }
}

fn is_skipped(entry: &DirEntry, exclude: &[Pattern], notifications: &mut Vec<Notification>) -> bool {
    let (file_name, path) = (entry.file_name().to_string_lossy(), name(entry.path()));
    let options = MatchOptions { require_literal_separator: true, ..MatchOptions::default() };
    let matches = |it: &Pattern| it.matches_with(&file_name, options) || it.matches_with(&path, options);
    if file_name.starts_with('.') || exclude.iter().any(matches) {
        return true;
    }
    let is_chart = || entry.path().with_file_name("Chart.yaml").is_file();
    let is_templates = entry.file_type().is_dir() && file_name == "templates" && is_chart();
    if is_templates {
        let why =
            "skipped: templates of a Helm chart; check the output of `helm template` instead".to_owned();
        notifications.push(Notification::note(path, None, why));
    }
    is_templates
}

fn is_manifest(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

/// Reads a file, or standard input.
pub fn read(path: &Path) -> Result<String, Notification> {
    let failed = |why| Notification::error(name(path), None, why);
    let bytes = bytes(path).map_err(|error| failed(format!("cannot be read: {error}")))?;
    if bytes.len() > MAX_FILE_BYTES {
        let limit = MAX_FILE_BYTES >> 20;
        return Err(failed(format!("is larger than {limit} MiB; check it in parts")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = error.as_bytes().iter().take(valid);
        let line = before.filter(|byte| **byte == b'\n').count() + 1;
        let why = format!("is not UTF-8 text (byte {valid} of the file); convert it or leave it out");
        Notification::error(name(path), Some(line), why)
    })
}

/// Reads at most one byte more than the limit.
fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file: Box<dyn Read> =
        if is_stdin(path) { Box::new(io::stdin()) } else { Box::new(File::open(path)?) };
    file.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether a path is standard input.
pub fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == STDIN.0
}

/// The name of a file in reports: its path without the `./` that the search of the current directory adds.
pub fn name(path: &Path) -> String {
    if is_stdin(path) {
        return STDIN.1.to_owned();
    }
    let relative = path.strip_prefix(".").ok().filter(|rest| !rest.as_os_str().is_empty());
    relative.unwrap_or(path).to_string_lossy().into_owned()
}
