//! A dump of a cluster: files as kubectl writes them, or the folder of an inspection. Files are read object by object, so
//! that a dump may be larger than memory.

pub mod file;
mod input;
mod relevance;
#[cfg(test)]
mod tests;
mod yaml;

use std::path::PathBuf;

use self::file::File;
use self::input::Input;
use super::collect::{Collector, ObjectKind};
use super::progress::Progress;
use crate::check::source;
use crate::kinds::ippool::cluster::listed;
use crate::output::Notification;

/// Reads the files at `paths` into `collector`; returns what could not be read.
pub fn read(paths: &[PathBuf], collector: &mut Collector<'_>, progress: &Progress) -> Vec<Notification> {
    let mut notifications = Vec::new();
    let files = source::files(paths, &[], &mut notifications);
    let (mut inputs, mut skipped) = (Vec::new(), Vec::new());
    for (number, path) in files.iter().enumerate() {
        progress.say(|| format!("reading file {} of {}", number + 1, files.len()));
        let mut input = Input::new(path);
        let errors = File::read(&mut input, collector);
        match errors.first() {
            None => {}
            Some(error) if !paths.contains(path) && !relevance::may_have_objects(path, &mut input) => {
                skipped.push(error.to_string());
            }
            // Any object may be missing.
            Some(error) => {
                collector.seen.cut.get_or_insert_with(|| error.to_string());
                notifications.extend(errors);
            }
        }
        inputs.push(input);
    }
    if !skipped.is_empty() {
        let skipped: Vec<_> = skipped.iter().map(String::as_str).collect();
        let why = format!("files without an object that an audit reads are skipped: {}", listed(&skipped));
        notifications.push(Notification::note("the dump", None, why));
    }
    if collector.needs_pods_again {
        progress.say(|| "reading the pods again, since some pools came after them".to_owned());
        collector.clear(ObjectKind::Pod);
        collector.only_pods = true;
        for input in inputs.iter_mut().filter(|input| input.has_pods) {
            // The errors of the files were reported the first time.
            File::read(input, collector);
        }
    }
    notifications
}
